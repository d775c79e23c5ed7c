import ReplayCore

/// A row's key as messages show it.
package enum RowKey {
  package static let effect = "nothing of this commit was written; earlier commits stand"

  /// A value that no column of this database can hold; `cells`: its row.
  package static func misfit(
    _ cells: UnsafePointer<Cell>, _ table: TableSchema, _ column: Int, _ expected: String
  ) -> ReplayError {
    ReplayError(
      .data, "a value does not fit its column: \(table.name).\(table.columns[column].name)",
      details: ["row \(text(cells, table))", "the value is \(cells[column].number), the column holds \(expected)"],
      effect: effect,
      next: "look for events that give the row such a value: replay cat; or let the function keep it in another column")
  }

  /// The database's error with the row that it came with.
  package static func failure(_ error: ReplayError, of row: String, in table: TableSchema) -> ReplayError {
    var error = error
    if error.code == .data { error.summary = "a value does not fit its column: table \(table.name)" }
    error.details.insert("table \(table.name), row \(row)", at: 0)
    error.effect = effect
    return error
  }

  /// `customer c-17, day 2026-01-31`
  package static func text(_ cells: UnsafePointer<Cell>, _ table: TableSchema) -> String {
    table.keys.enumerated().map { place, column in "\(column.name) \(text(cells + place, column.type))" }
      .joined(separator: ", ")
  }

  private static func text(_ cell: UnsafePointer<Cell>, _ type: ColumnType) -> String {
    if cell.pointee.isNull { return "NULL" }
    if type.isText { return "\"\(ReplayError.excerpt(Cell.text(at: cell)))\"" }
    guard let number = Int64(exactly: cell.pointee.number) else { return "\(cell.pointee.number)" }
    switch type {
    case .day where ISOText.days.contains(number): return Day(number: number).description
    case .timestamp where ISOText.days.contains(Timestamp(microseconds: number).day.number):
      return Timestamp(microseconds: number).description
    default: return "\(number)"
    }
  }
}
