import ReplayCore
import ReplayEngine

/// What is said while a stream is followed.
final class LiveVoice {
  private let stream: String
  private var hasBegun = false
  private var wasCaughtUp = false
  private var wasLost = false
  private var known: Set<Partition> = []
  private let began = Clock.milliseconds()

  init(_ stream: String) { self.stream = stream }

  func hear(_ state: LiveState) {
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

  func end(_ state: LiveState, names: [String], isCaughtUp: Bool) {
    Console.shared.say(
      "replay: \(isCaughtUp ? "caught up" : "stopped") after \(Words.seconds(Clock.milliseconds() - began)) live: "
        + "\(Words.plural(state.rows, "row")) written in \(Words.plural(state.commits, "commit"))")
    for (name, books) in zip(names, state.books) {
      Console.shared.say("replay: \(name)")
      Console.shared.say(
        "replay:   read \(Words.count(books.read)) = applied \(Words.count(books.applied)) + ignored "
          + "\(Words.count(books.ignored)) + duplicate \(Words.count(books.duplicate)) + parked "
          + "\(Words.count(books.parked)) + dead-lettered \(Words.count(books.deadLettered))")
    }
    for part in state.parts {
      Console.shared.say("replay: position  \(part.partition): next \(part.committed)")
    }
  }
}
