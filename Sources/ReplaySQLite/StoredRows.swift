import CSQLite
import ReplayCore
import ReplaySQL

/// A value as SQLite holds it.
public enum StoredValue: Sendable, Hashable {
  case null
  case integer(Int64)
  case real(Double)
  case text(String)
  case blob([UInt8])
}

/// A function's table with all its rows.
public struct StoredTable: Sendable {
  public let name: String
  public let columns: [String]
  public let rows: [[StoredValue]]
}

extension SQLiteStore {
  /// The tables of all functions of the store at `path`, whole. For small ones.
  public static func rows(_ path: String) throws -> [StoredTable] {
    try StoreFile.reading(path) { connection in
      try StoredFunction.all(on: connection).flatMap(\.tables).map { try StoredTable($0, on: connection) }
    }
  }
}

extension StoredTable {
  init(_ name: String, on connection: Connection) throws {
    self.name = name
    let quoted = TableSQL.quoted(name)
    columns = try connection.query("SELECT name FROM pragma_table_info(?)", [.text(name)]) { $0.text(0) }
    let count = Int32(columns.count)
    let statement = try connection.prepared("SELECT * FROM \(quoted)")
    defer { statement.reset() }
    var rows: [[StoredValue]] = []
    while try statement.step() { rows.append((0..<count).map { statement.value($0) }) }
    self.rows = rows
  }
}

extension Statement {
  func value(_ column: Int32) -> StoredValue {
    switch sqlite3_column_type(handle, column) {
    case SQLITE_NULL: .null
    case SQLITE_INTEGER: .integer(integer(column))
    case SQLITE_FLOAT: .real(sqlite3_column_double(handle, column))
    case SQLITE_BLOB: .blob(blob(column))
    default: .text(text(column))
    }
  }
}
