import CSQLite
import ReplayCore
import ReplaySQL

/// Binds rows of cells to one statement and runs it, a row at a time: for deletes, and where a row must be read before
/// it is written. `RowFeed` is the fast way.
struct RowWriter: ~Copyable {
  private let statement: Statement
  private let table: TableSchema
  private let values: CellValues

  /// `columns` are those of the cells to come, in the order of the statement's parameters.
  init(_ statement: Statement, table: TableSchema, columns: [TableSchema.Column]) {
    self.statement = statement
    self.table = table
    values = CellValues(table, columns: columns)
  }

  deinit {
    // The statement must not keep addresses of memory that goes.
    statement.reset()
  }

  /// Runs the statement with `cells`; an error names the table and the row's key.
  func write(_ cells: UnsafePointer<Cell>) throws {
    try bind(cells)
    let code = sqlite3_step(statement.handle)
    guard code == SQLITE_DONE else {
      throw values.failure(statement.failure("writing to \(table.name)"), of: cells)
    }
    sqlite3_reset(statement.handle)
  }

  /// Runs a SELECT with `cells`; true where there is a row, which the statement then stands at.
  func find(_ cells: UnsafePointer<Cell>) throws -> Bool {
    statement.reset()
    try bind(cells)
    return try statement.step()
  }

  private func bind(_ cells: UnsafePointer<Cell>) throws {
    for column in 0..<values.types.count {
      let index = Int32(truncatingIfNeeded: column + 1)
      switch try values.value(cells + column, column) {
      case .null: sqlite3_bind_null(statement.handle, index)
      case .integer(let number): sqlite3_bind_int64(statement.handle, index, number)
      case .text(let start, let count):
        sqlite3_bind_text64(statement.handle, index, start, UInt64(count), nil, UInt8(SQLITE_UTF8))
      case .blob(let start, let count): sqlite3_bind_blob64(statement.handle, index, start, UInt64(count), nil)
      }
    }
  }
}
