import ReplayCore
import ReplayEngine
import ReplaySQL
import ReplaySQLite

/// Columns that are not compared, as `--ignore` names them: `COLUMN` of every table, or `TABLE.COLUMN`.
struct IgnoredColumns {
  private let names: [(table: String?, column: String)]

  /// Throws `.usage` for what is neither.
  init(_ texts: [String]) throws {
    names = try texts.map { text in
      let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
      guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty }) else {
        throw ReplayError(.usage, "--ignore is no column: \(text)", next: "give COLUMN, or TABLE.COLUMN")
      }
      return (parts.count == 2 ? parts[0] : nil, parts[parts.count - 1])
    }
  }

  func columns(of table: String) -> Set<String> {
    Set(names.filter { $0.table == nil || $0.table == table }.map(\.column))
  }

  /// Throws `.usage` where one names no column of these tables: it would ignore nothing.
  func check(_ shapes: [TableShape]) throws {
    for (table, column) in names {
      let isThere = shapes.contains { shape in
        (table == nil || table == shape.name) && shape.columns.contains { $0.name == column }
      }
      if isThere { continue }
      throw ReplayError(
        .usage, "--ignore names no column of these functions: \(table.map { $0 + "." } ?? "")\(column)",
        details: shapes.map { "\($0.name) has \($0.columns.map(\.name).joined(separator: ", "))" },
        effect: "nothing is kept", next: "check its spelling")
    }
  }
}

/// What two stores differ in, table by table.
struct TablePairs {
  /// Of the tables that both have, in A's order.
  let compared: [TableDifference]
  let onlyA: [String]
  let onlyB: [String]

  var areEqual: Bool { onlyA.isEmpty && onlyB.isEmpty && compared.allSatisfy(\.isEqual) }

  init(_ a: String, _ b: String, _ sides: [DiffSide], ignoring: IgnoredColumns, rows: Int) throws {
    let (a, b) = (SQLiteInspector(a), SQLiteInspector(b))
    let (first, second) = (sides[0].tables, sides[1].tables)
    onlyA = first.filter { !second.contains($0) }
    onlyB = second.filter { !first.contains($0) }
    compared = try a.reading { a in
      try b.reading { b in
        let shapes = try first.compactMap(a.shape) + second.compactMap(b.shape)
        try ignoring.check(shapes)
        return try first.filter(second.contains).map { table in
          let comparison = TableComparison(
            ignoring: ignoring.columns(of: table), shownRows: rows, isStopped: { Signals.stop.isStopped })
          return try comparison.compare(.init(table, on: a), .init(table, on: b))
        }
      }
    }
  }
}
