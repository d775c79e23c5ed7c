import ReplayEngine
import Synchronization

/// Turns the engine's progress into a bar, log lines or JSON, each at its own pace. The denominator is compressed
/// bytes: the only one that is known before the start.
final class ProgressLine: Sendable {
  private struct State {
    var lastMilliseconds: Int64
    var lastEvents: UInt64 = 0
  }

  /// What is left of the run that shows its progress, in milliseconds, about; nil where none does, or it is too early.
  static var arrivalMilliseconds: Int64? { arrival.withLock { $0 } }
  private static let arrival = Mutex<Int64?>(nil)

  private let state: Mutex<State>
  private let began: Int64
  private let totalBytes: UInt64
  private let name: String

  init(_ name: String, totalBytes: UInt64) {
    self.name = name
    self.totalBytes = max(1, totalBytes)
    began = Clock.milliseconds()
    state = Mutex(State(lastMilliseconds: began))
  }

  func show(_ progress: Progress) {
    let now = Clock.milliseconds()
    let style = Console.shared.progress
    let pace: Int64 = style == .bar ? 100 : (style == .json ? 1_000 : 10_000)
    let rate = state.withLock { state -> UInt64? in
      let passed = now - state.lastMilliseconds
      guard passed >= pace else { return nil }
      defer {
        state.lastMilliseconds = now
        state.lastEvents = progress.events
      }
      // Fewer than before where an attempt began anew from the last commit.
      let more = progress.events - min(progress.events, state.lastEvents)
      return more * 1000 / UInt64(max(1, passed))
    }
    guard let rate else { return }
    let share = min(1, Double(progress.bytes) / Double(totalBytes))
    let elapsed = now - began
    let left = share > 0.001 ? Int64(Double(elapsed) * (1 - share) / share) : nil
    ProgressLine.arrival.withLock { $0 = left }
    if style == .none { return }
    let throttle = TargetThrottle.current?.account
    switch style {
    case .json:
      Console.shared.event(
        "status",
        [
          ("milliseconds", .number(elapsed)), ("bytes_done", .number(progress.bytes)),
          ("bytes_total", .number(totalBytes)), ("events", .number(progress.events)),
          ("events_per_second", .number(rate)), ("eta_milliseconds", left.map { .number($0) } ?? .null),
        ] + (throttle.map { [("throttle", .object($0.json))] } ?? []))
    case .bar: Console.shared.bar(bar(share) + line(progress, share, rate, left, throttle))
    default: Console.shared.say("replay: " + line(progress, share, rate, left, throttle))
    }
  }

  private func bar(_ share: Double) -> String {
    let filled = Int(share * 10)
    return String(repeating: "█", count: filled) + String(repeating: "░", count: 10 - filled) + "  "
  }

  /// The figures first: a narrow terminal cuts off the names.
  private func line(
    _ progress: Progress, _ share: Double, _ rate: UInt64, _ left: Int64?, _ throttle: ThrottleAccount?
  ) -> String {
    let eta = share >= 1 ? "all read, committing" : left.map { "ETA " + Words.seconds($0) } ?? "ETA …"
    return "\(Words.fixed(share * 100, 1))%  \(Words.rate(rate, milliseconds: 1000))  \(eta)  "
      + (throttle.map { $0.short + "  " } ?? "") + "\(Words.bytes(progress.bytes))/\(Words.bytes(totalBytes))  \(name)"
  }
}
