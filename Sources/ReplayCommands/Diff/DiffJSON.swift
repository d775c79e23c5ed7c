import ReplayCore
import ReplaySQL

/// What differs, as JSON lines.
enum DiffJSON {
  static func say(_ found: TableDifference) {
    let members: [(String, JSONText)] = [
      ("table", .string(found.left.table)), ("equal", .bool(found.isEqual)),
      ("rows_a", .number(found.left.rows)), ("rows_b", .number(found.right.rows)),
      ("rows_equal", .number(found.equal)), ("rows_differing", .number(found.differing)),
      ("rows_only_a", .number(found.onlyLeft)), ("rows_only_b", .number(found.onlyRight)),
      ("digest_a", .string(Hex.text(found.left.digest))), ("digest_b", .string(Hex.text(found.right.digest))),
      ("key", found.key.map(names) ?? .null), ("key_a", names(found.left.key)), ("key_b", names(found.right.key)),
      ("columns_only_a", names(found.left.ownColumns)), ("columns_only_b", names(found.right.ownColumns)),
      (
        "differing_columns",
        .object(found.differingColumns.sorted { $0.key < $1.key }.map { ($0.key, .number($0.value)) })
      ),
    ]
    Console.shared.event("table", members)
    for row in found.rows { say(row, of: found) }
  }

  private static func say(_ row: TableDifference.Row, of found: TableDifference) {
    let kind =
      switch row.kind {
      case .differing: "differs"
      case .onlyLeft: "only_a"
      case .onlyRight: "only_b"
      }
    let sides = [row.values.map { ($0.column, $0.left) }, row.values.map { ($0.column, $0.right) }]
    Console.shared.event(
      "row",
      [
        ("table", .string(found.left.table)), ("kind", .string(kind)),
        ("key", object(found.key ?? [], row.key)),
        ("a", row.kind == .onlyRight ? .null : .object(sides[0].map { ($0, value($1 ?? .null)) })),
        ("b", row.kind == .onlyLeft ? .null : .object(sides[1].map { ($0, value($1 ?? .null)) })),
      ])
  }

  static func say(_ found: DiffEvent) {
    let question = found.question
    var members: [(String, JSONText)] = [
      ("table", .string(question.table)), ("key", object(question.key, question.values)),
    ]
    switch found.place {
    case .event(let event, let before, let after):
      members += [("found", .string("event"))] + place(event)
      members += [("partition_key", .optional(event.key.map { String(decoding: $0, as: UTF8.self) }))]
      members += [
        ("event", .string(String(decoding: event.record.prefix(64 << 10), as: UTF8.self))),
        ("event_bytes", .number(event.record.count)),
        ("before", states(before, question)), ("after", states(after, question)),
      ]
    case .between(let first, let last):
      members += [("found", .string("between")), ("first", .string(first)), ("last", .string(last))]
    case .notAgain: members.append(("found", .string("not_again")))
    }
    Console.shared.event("first_event", members)
  }

  private static func place(_ event: FoundEvent) -> [(String, JSONText)] {
    [
      ("segment", .string(event.segment.name)), ("record", .number(event.ordinal + 1)),
      ("partition", .string(event.segment.partition.description)),
      ("position", .string(event.position.description)),
    ]
  }

  private static func states(_ pair: RowPair, _ question: RowQuestion) -> JSONText {
    .object([
      ("a", .array(pair.a.map { object(question.columns, $0) })),
      ("b", .array(pair.b.map { object(question.columns, $0) })),
    ])
  }

  private static func names(_ names: [String]) -> JSONText { .array(names.map { .string($0) }) }

  private static func object(_ names: [String], _ values: [TableValue]) -> JSONText {
    .object(zip(names, values).map { ($0, value($1)) })
  }

  /// Bytes as hexadecimal digits.
  private static func value(_ value: TableValue) -> JSONText {
    switch value {
    case .null: .null
    case .integer(let number): .number(number)
    case .real(let number): .real(number)
    case .time(let time): .string("\(time)")
    case .text(let text): .string(String(decoding: text, as: UTF8.self))
    case .bytes(let bytes): .string(bytes.map { String(Hex.text(UInt64($0)).suffix(2)) }.joined())
    }
  }
}
