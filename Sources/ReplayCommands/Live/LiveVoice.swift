import ReplayCore
import ReplayEngine

/// What is said while a stream is followed.
final class LiveVoice {
  private let stream: String
  private var hasBegun = false
  private var wasCaughtUp = false
  private var wasLost = false
  private var known: Set<Partition> = []
  /// Events that are kept, and keys and dead letters; nil: not heard of yet.
  private var left: UInt64?
  private var leftKeys: UInt64?
  private let began = Clock.milliseconds()

  init(_ stream: String) { self.stream = stream }

  func hear(_ state: LiveState) {
    sayLeft(state)
    if !hasBegun {
      hasBegun = true
      Console.shared.say(
        "replay: live      following \(stream): \(Words.plural(state.gap, "position")) to go (Ctrl-C stops; the same command goes on)"
      )
    }
    let now = Set(state.parts.map(\.partition))
    for partition in now.subtracting(known).sorted() where !known.isEmpty {
      Console.shared.say("replay: live      partition \(partition) is new, and is followed from its first event on")
    }
    known = now
    if state.isCaughtUp, !wasCaughtUp {
      wasCaughtUp = true
      Console.shared.say("replay: live      caught up in \(Words.seconds(Clock.milliseconds() - began))")
    }
    if wasLost != (state.outage != nil) {
      wasLost = state.outage != nil
      Console.shared.say("replay: live      \(state.outage.map { "waiting: \($0)" } ?? "the stream is reached again")")
    }
    Console.shared.event(
      "live",
      [
        ("commits", .number(state.commits)), ("events", .number(state.books.map(\.read).max() ?? 0)),
        ("rows", .number(state.rows)), ("gap", .number(state.gap)), ("caught_up", .bool(state.isCaughtUp)),
        ("outage", .optional(state.outage)),
      ])
  }

  /// A key that is parked while the stream is followed is said once, when it is: nobody waits for the end of a run that
  /// has none.
  private func sayLeft(_ state: LiveState) {
    let now = state.kept.map { $0.parked + $0.dead }.reduce(0, +)
    let keys = state.kept.map { UInt64($0.parkedKeys.count) + $0.dead }.reduce(0, +)
    defer { (left, leftKeys) = (now, keys) }
    guard let leftKeys, keys > leftKeys else { return }
    Console.shared.say(
      "replay: live      \(Words.plural(now - (left ?? 0), "event")) could not be applied and \(now - (left ?? 0) == 1 ? "is" : "are") kept: "
        + "see `\(Root.toolName) failed list`")
  }

  func end(_ state: LiveState, names: [String], isCaughtUp: Bool) {
    Console.shared.say(
      "replay: \(isCaughtUp ? "caught up" : "stopped") after \(Words.seconds(Clock.milliseconds() - began)) live: "
        + "\(Words.plural(state.rows, "row")) written in \(Words.plural(state.commits, "commit"))")
    for (index, name) in names.enumerated() where state.books.indices.contains(index) {
      let kept = state.kept.indices.contains(index) ? state.kept[index] : nil
      Console.shared.say("replay: \(name)")
      Console.shared.say("replay:   " + KeptWords.books(state.books[index], kept))
    }
    for part in state.parts {
      Console.shared.say("replay: position  \(part.partition): next \(part.committed)")
    }
  }
}
