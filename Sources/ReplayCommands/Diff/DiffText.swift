import ReplayCore
import ReplaySQL

/// What differs, for a person.
enum DiffText {
  static func lines(_ found: TableDifference) -> [String] {
    let head =
      "table \(found.left.table): \(Words.plural(found.left.rows, "row")) in A, "
      + "\(Words.plural(found.right.rows, "row")) in B"
    guard let key = found.key else {
      return [
        head + "; not compared: their keys are of other columns", "  key in A: \(list(found.left.key))",
        "  key in B: \(list(found.right.key))",
      ] + columns(found)
    }
    let counts = [
      "\(Words.count(found.equal)) equal", "\(Words.count(found.differing)) differ",
      "\(Words.count(found.onlyLeft)) only in A", "\(Words.count(found.onlyRight)) only in B",
    ]
    var lines = ["\(head): \(counts.joined(separator: ", "))"] + columns(found)
    if !found.differingColumns.isEmpty {
      let worst = found.differingColumns.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      lines.append(
        "  columns that differ: "
          + worst.map { "\($0.key) (\(Words.plural($0.value, "row")))" }.joined(separator: ", "))
    }
    lines += found.rows.map { "  " + line($0, key) }
    let left = found.onlyLeft + found.onlyRight + found.differing - UInt64(found.rows.count)
    if left > 0 { lines.append("  and \(Words.plural(left, "row")) more (--rows)") }
    return lines
  }

  private static func columns(_ found: TableDifference) -> [String] {
    [("A", found.left.ownColumns), ("B", found.right.ownColumns)].filter { !$1.isEmpty }.map { letter, names in
      "  only \(letter) has the \(names.count == 1 ? "column" : "columns") \(list(names))"
    }
  }

  private static func list(_ names: [String]) -> String {
    names.isEmpty ? "none" : names.joined(separator: ", ")
  }

  /// `differs    customer "c-7": units A 3, B 4`
  private static func line(_ row: TableDifference.Row, _ key: [String]) -> String {
    let place = named(key, row.key)
    switch row.kind {
    case .differing:
      let values = row.values.map { "\($0.column) A \(shown($0.left)), B \(shown($0.right))" }
      return "differs    \(place): \(values.joined(separator: "; "))"
    case .onlyLeft, .onlyRight:
      let values = row.values.map { "\($0.column) \(shown($0.left ?? $0.right))" }
      return (row.kind == .onlyLeft ? "only in A  " : "only in B  ") + place
        + (values.isEmpty ? "" : ": " + values.joined(separator: ", "))
    }
  }

  static func named(_ columns: [String], _ values: [TableValue]) -> String {
    zip(columns, values).map { "\($0) \($1.shown())" }.joined(separator: ", ")
  }

  private static func shown(_ value: TableValue?) -> String { value?.shown() ?? "-" }

  static func lines(_ found: DiffEvent) -> [String] {
    let head = "first: table \(found.question.table), \(named(found.question.key, found.question.values))"
    switch found.place {
    case .event(let event, let before, let after):
      return [
        head + ": the same in both up to this event, and not behind it",
        "  position   \(event.position) of partition \(event.segment.partition), "
          + "record \(Words.count(event.ordinal + 1)) of \(event.segment.name)",
        "  key        \(event.key.map { excerpt($0, 200) } ?? "none")",
        "  event      \(excerpt(event.record, 2_000))",
      ] + states("before", before, found.question) + states("after", after, found.question)
    case .between(let first, let last):
      return [
        head + ": one of these events makes the difference, and no cut can be made between them",
        "  from       \(first)", "  to         \(last)",
      ]
    case .notAgain:
      return [head + ": read again, the difference was not there: the rows depend on more than the events"]
    }
  }

  private static func states(_ when: String, _ pair: RowPair, _ question: RowQuestion) -> [String] {
    let word = when + String(repeating: " ", count: 8 - when.count)
    if !pair.differs { return ["  \(word)   A and B: \(state(pair.a, question))"] }
    return ["  \(word)   A: \(state(pair.a, question))", "             B: \(state(pair.b, question))"]
  }

  private static func state(_ rows: [[TableValue]], _ question: RowQuestion) -> String {
    guard let first = rows.first else { return "no row" }
    if question.columns.isEmpty { return rows.count == 1 ? "the row" : "\(rows.count) such rows" }
    return named(question.columns, first)
  }

  static func excerpt(_ bytes: [UInt8], _ limit: Int) -> String {
    bytes.withUnsafeBytes { ReplayError.excerpt(Text($0), limit: limit) }
  }
}
