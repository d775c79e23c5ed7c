import ReplayCore
import ReplaySQL

/// Kept events for a person, and as JSON lines.
enum FailedText {
  static func list(_ events: [FailedEvent]) {
    if Console.shared.isJSON {
      for event in events { Console.shared.event("failed_event", json(event)) }
      return
    }
    guard !events.isEmpty else { return Console.shared.say("replay: nothing is kept that could not be applied") }
    var table = TextTable(["function", "state", "partition", "position", "key", "attempts", "error"], numeric: [5])
    for event in events {
      table.add([
        event.function, event.state.rawValue, place(event.partition), "\(event.position)", excerpt(event.key, 40),
        Words.count(event.attempts), excerpt(Array(reason(event).utf8), 60),
      ])
    }
    for line in table.lines { Console.shared.data(line) }
  }

  /// The record on standard output, everything else beside it.
  static func show(_ events: [FailedEvent]) {
    if events.isEmpty { Console.shared.say("replay: no such event is kept") }
    for event in events {
      let record = String(decoding: event.record ?? [], as: UTF8.self)
      if Console.shared.isJSON {
        Console.shared.event("failed_event", json(event) + [("record", .string(record))])
        continue
      }
      Console.shared.say("\(event.function)  \(event.state.rawValue)")
      Console.shared.say("  position   \(event.position) of partition \(place(event.partition)), \(event.segment)")
      Console.shared.say("  key        \(excerpt(event.key, 200))")
      Console.shared.say("  left       \(event.leftAt), \(Words.plural(event.attempts, "attempt"))")
      for line in reason(event).split(separator: "\n") { Console.shared.say("  error      \(line)") }
      Console.shared.raw(record)
    }
  }

  private static func reason(_ event: FailedEvent) -> String { event.error ?? "not tried: behind another of its key" }

  private static func place(_ partition: Partition) -> String {
    (partition.side == .live ? "stream " : "") + "\(partition)"
  }

  private static func excerpt(_ bytes: [UInt8], _ limit: Int) -> String {
    bytes.withUnsafeBytes { ReplayError.excerpt(Text($0), limit: limit) }
  }

  private static func json(_ event: FailedEvent) -> [(String, JSONText)] {
    [
      ("function", .string(event.function)), ("state", .string(event.state.rawValue)),
      ("side", .string(event.partition.side.rawValue)), ("log", .string(event.partition.log)),
      ("partition", .string(event.partition.name)), ("position", .string("\(event.position)")),
      ("segment", .string(event.segment)), ("key", .string(String(decoding: event.key, as: UTF8.self))),
      ("attempts", .number(event.attempts)), ("error", .optional(event.error)), ("left_at", .string(event.leftAt)),
      ("record_bytes", .number(event.recordBytes)),
    ]
  }
}
