import CSQLite
import ReplayCore

/// Binds rows of cells to one statement and runs it, a row at a time: the hot path of a commit.
///
/// Unsafe pointers: texts are bound where they lie (the row's memory, its arena, or `scratch` for times), which all
/// stay until the statement is reset; a copy of each would cost as much as the insert.
struct RowWriter: ~Copyable {
  private let statement: Statement
  private let table: TableSchema
  private let columns: [TableSchema.Column]
  private let types: ContiguousArray<ColumnType>
  private let scratch: UnsafeMutablePointer<UInt8>

  /// `columns` are those of the cells to come, in the order of the statement's parameters.
  init(_ statement: Statement, table: TableSchema, columns: [TableSchema.Column]) {
    self.statement = statement
    self.table = table
    self.columns = columns
    types = ContiguousArray(columns.map(\.type))
    scratch = .allocate(capacity: ISOText.capacity * max(1, columns.count))
  }

  deinit {
    // The statement must not keep addresses of memory that goes.
    statement.reset()
    scratch.deallocate()
  }

  /// Runs the statement with `cells`; an error names the table and the row's key.
  func write(_ cells: UnsafePointer<Cell>) throws {
    for column in 0..<types.count { try bind(cells + column, column) }
    let code = sqlite3_step(statement.handle)
    guard code == SQLITE_DONE else { throw failure(cells) }
    sqlite3_reset(statement.handle)
  }

  /// Runs a SELECT with `cells`; true where there is a row, which the statement then stands at.
  func find(_ cells: UnsafePointer<Cell>) throws -> Bool {
    statement.reset()
    for column in 0..<types.count { try bind(cells + column, column) }
    return try statement.step()
  }

  @inline(__always)
  private func bind(_ cell: UnsafePointer<Cell>, _ column: Int) throws {
    let index = Int32(truncatingIfNeeded: column + 1)
    if cell.pointee.isNull {
      sqlite3_bind_null(statement.handle, index)
      return
    }
    switch types[column] {
    case .text, .json:
      let text = Cell.text(at: cell)
      bind(text.start, text.count, index)
    case .bytes:
      let text = Cell.text(at: cell)
      sqlite3_bind_blob64(statement.handle, index, text.start, UInt64(text.count), nil)
    case .integer, .decimal:
      guard let number = Int64(exactly: cell.pointee.number) else {
        throw misfit(cell, column, "a whole number of 64 bits")
      }
      sqlite3_bind_int64(statement.handle, index, number)
    case .timestamp, .day: try bindTime(cell, column, index)
    }
  }

  private func bindTime(_ cell: UnsafePointer<Cell>, _ column: Int, _ index: Int32) throws {
    let place = scratch + column * ISOText.capacity
    let isDay = types[column] == .day
    guard let number = Int64(exactly: cell.pointee.number),
      ISOText.days.contains(isDay ? number : Timestamp(microseconds: number).day.number)
    else { throw misfit(cell, column, "a \(isDay ? "day" : "time") of the years 0000 to 9999") }
    let count = isDay ? ISOText.write(day: number, to: place) : ISOText.write(time: number, to: place)
    bind(place, count, index)
  }

  @inline(__always)
  private func bind(_ start: UnsafeRawPointer, _ count: Int, _ index: Int32) {
    let start = start.assumingMemoryBound(to: CChar.self)
    sqlite3_bind_text64(statement.handle, index, start, UInt64(count), nil, UInt8(SQLITE_UTF8))
  }

  private func misfit(_ cell: UnsafePointer<Cell>, _ column: Int, _ expected: String) -> ReplayError {
    ReplayError(
      .data, "a value does not fit its column: \(table.name).\(columns[column].name)",
      details: [
        "row \(RowKey.text(cell - column, table))", "the value is \(cell.pointee.number), the column holds \(expected)",
      ], effect: RowKey.effect,
      next: "look for events that give the row such a value: replay cat; or let the function keep it in another column")
  }

  private func failure(_ cells: UnsafePointer<Cell>) -> ReplayError {
    var error = statement.failure("writing to \(table.name)")
    if error.code == .data { error.summary = "a value does not fit its column: table \(table.name)" }
    error.details.insert("table \(table.name), row \(RowKey.text(cells, table))", at: 0)
    error.effect = RowKey.effect
    return error
  }
}

/// A row's key as messages show it.
enum RowKey {
  static let effect = "nothing of this commit was written; earlier commits stand"

  /// `customer c-17, day 2026-01-31`
  static func text(_ cells: UnsafePointer<Cell>, _ table: TableSchema) -> String {
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
