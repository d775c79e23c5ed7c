import CSQLite
import ReplayCore
import ReplaySQL

extension Connection {
  package func shape(of table: String) throws -> TableShape? {
    let sql = "SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid"
    guard
      try !query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", [.text(table)], { _ in 1 }).isEmpty
    else { return nil }
    let columns = try query(sql, [.text(table)]) { ($0.text(0), $0.text(1), $0.integer(2)) }
    return TableShape(
      name: table, columns: columns.map { TableShape.Column($0.0, $0.1) },
      key: columns.filter { $0.2 > 0 }.sorted { $0.2 < $1.2 }.map(\.0))
  }

  package func rows(_ order: RowOrder) throws -> any RowCursor {
    let columns = order.columns.map(TableSQL.quoted).joined(separator: ", ")
    // A column of another collation sorts otherwise; where it is BINARY already, its index is used all the same.
    let key = order.key.map { TableSQL.quoted($0) + " COLLATE BINARY" }.joined(separator: ", ")
    let sql =
      "SELECT \(columns) FROM \(TableSQL.quoted(order.shape.name))" + (key.isEmpty ? "" : " ORDER BY \(key)")
    return TableCursor(try Statement(sql, on: self), columns: order.columns.count)
  }
}

/// A statement of its own, stepped row by row. The connection has to outlive it.
private final class TableCursor: RowCursor {
  private let statement: Statement
  private let columns: Int
  private var isDone = false

  init(_ statement: Statement, columns: Int) {
    self.statement = statement
    self.columns = columns
  }

  func next() throws -> [TableValue]? {
    // Stepped again after its end, it would begin anew.
    if isDone { return nil }
    isDone = try !statement.step()
    return isDone ? nil : (0..<Int32(columns)).map(statement.tableValue)
  }
}

extension Statement {
  func tableValue(_ column: Int32) -> TableValue {
    switch sqlite3_column_type(handle, column) {
    case SQLITE_NULL: .null
    case SQLITE_INTEGER: .integer(integer(column))
    case SQLITE_FLOAT: .real(sqlite3_column_double(handle, column))
    case SQLITE_BLOB: .bytes(blob(column))
    default: .text(utf8(column))
    }
  }

  /// The bytes of a text, in UTF-8 whatever the database's encoding.
  private func utf8(_ column: Int32) -> [UInt8] {
    let start = sqlite3_column_text(handle, column)
    return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
  }
}
