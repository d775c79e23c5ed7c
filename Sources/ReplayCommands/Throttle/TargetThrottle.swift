import ReplayCore
import ReplayEngine
import Synchronization

/// Watches the target database while a run writes into it, with a probe on a thread of its own, and sets the run's pace.
final class TargetThrottle: Sendable {
  /// What the run's work goes through.
  let gate: WorkGate
  private let state: Mutex<Throttle>
  private let isOver = Monitor(false)
  private let began: Int64
  private let now: @Sendable () -> Int64
  private let isStopping: @Sendable () -> Bool
  private let say: @Sendable (String) -> Void

  /// Of this process's run; whoever asks the run is told of it.
  static var current: TargetThrottle? { shared.withLock { $0 } }
  private static let shared = Mutex<TargetThrottle?>(nil)

  /// Decompressed bytes that are worked on at once.
  static let blockBytes = 64 << 10
  private static let failurePauseMilliseconds = 1_000

  /// `isStopping`: then nothing is slow any more; what is read is to be committed at once.
  init(
    _ settings: Throttle.Settings, now: @escaping @Sendable () -> Int64, isStopping: @escaping @Sendable () -> Bool,
    say: @escaping @Sendable (String) -> Void
  ) {
    let throttle = Throttle(settings, now: now())
    (self.now, self.isStopping, self.say) = (now, isStopping, say)
    gate = WorkGate(pace: throttle.pace, now: now)
    state = Mutex(throttle)
    began = now()
  }

  /// Runs `body`, watched if the command asks for it. Throws `.usage`, before anything else, where the store cannot be.
  static func during<Result>(_ command: Run, _ body: () throws -> Result) throws -> Result {
    guard let target = command.throttle.maxTargetP99, current == nil else { return try body() }
    let tables = try command.functions.projections.flatMap { $0.tables.map(\.schema) }
    guard let probe = try command.store.address.probe(tables) else { throw noServer(try command.store.address.name) }
    let throttle = TargetThrottle(
      Throttle.Settings(target: target.milliseconds * 1000, full: Double(command.runOptions.lanes + 1)),
      now: Clock.microseconds, isStopping: { Signals.stop.isStopped }, say: { Console.shared.say($0) })
    shared.withLock { $0 = throttle }
    defer { shared.withLock { $0 = nil } }
    return try throttle.watching(probe) {
      defer {
        Console.shared.say("replay: \(throttle.account.line)")
        Console.shared.event("throttle", throttle.account.json)
      }
      return try body()
    }
  }

  private static func noServer(_ store: String) -> ReplayError {
    ReplayError(
      .usage, "--max-target-p99 needs a store in PostgreSQL",
      details: [
        "the store is \(store): a file has no server whose answers could be timed, and its readers do not wait for a writer"
      ], effect: "nothing was read or written",
      next: "leave it out; fewer --lanes, or nice, leave processors to others")
  }

  /// Runs `body` while a thread uses the probe, which has ended when this returns.
  func watching<Result>(_ probe: any LatencyProbe, _ body: () throws -> Result) throws -> Result {
    let thread = try NamedThread("replay-probe") { [self] in watch(probe) }
    defer {
      isOver.change { $0 = true }
      thread.join()
    }
    return try body()
  }

  var account: ThrottleAccount {
    let (now, rested) = (now(), gate.restedMicroseconds)
    return state.withLock { throttle in
      ThrottleAccount(
        target: throttle.settings.target, p99: throttle.p99, highestP99: throttle.highestP99, share: throttle.share,
        slowed: throttle.slowedMicroseconds, rested: rested, lasted: now - began, probes: throttle.probes,
        failures: throttle.failures, isFailing: throttle.isFailing)
    }
  }

  // MARK: The probe's thread

  private func watch(_ probe: any LatencyProbe) {
    defer { probe.hangUp() }
    let interval = state.withLock { $0.settings.interval }
    var due = now()
    while !isOver.quietly({ $0 }) {
      do {
        guard try askOnce(probe, interval) else { return }
        due = max(due + interval, now())
        pause(milliseconds: Int((due - now()) / 1000))
      } catch {
        failed(error)
        pause(milliseconds: TargetThrottle.failurePauseMilliseconds)
        due = now()
      }
    }
  }

  /// False where the run is over meanwhile.
  private func askOnce(_ probe: any LatencyProbe, _ interval: Int64) throws -> Bool {
    try probe.connect()
    let sent = now()
    try probe.ask()
    while !(try probe.hasAnswered(within: Int(interval / 1000))) {
      if isOver.quietly({ $0 }) { return false }
      hear(.waiting(now() - sent))
    }
    let took = now() - sent
    // One that does not count was a reader's all the same where it had to wait.
    if probe.isCounted || took > interval { hear(.answered(took)) }
    return true
  }

  private func hear(_ event: Throttle.Event) {
    let isAgain = state.withLock { throttle in
      let wasFailing = throttle.isFailing
      throttle.hear(event, now: now())
      let pace = isStopping() || !throttle.isSlowed ? .infinity : throttle.pace
      if gate.pace != pace { gate.pace = pace }
      return wasFailing && !throttle.isFailing
    }
    if isAgain { say("replay: throttle  the target database is probed again") }
  }

  private func failed(_ error: any Error) {
    let wasFailing = state.withLock(\.isFailing)
    hear(.failed)
    if wasFailing { return }
    let why = (error as? ReplayError).map { $0.details.first ?? $0.summary } ?? "\(error)"
    say("replay: warning: the target database cannot be probed, the run keeps its pace: \(why)")
  }

  private func pause(milliseconds: Int) {
    guard milliseconds > 0 else { return }
    _ = isOver.wait(milliseconds: milliseconds) { $0 ? () : nil }
  }
}
