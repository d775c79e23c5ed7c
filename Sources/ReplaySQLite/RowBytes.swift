import CSQLite
import ReplayCore
import ReplaySQL

extension SQLiteStore {
  /// Lends every row of a table, in key order, as bytes that differ where the rows do: for each column the storage
  /// class, and behind it the number or the length and the bytes. Returns how many rows there are. The store at `path`
  /// must not be written meanwhile.
  public static func eachRow(
    of table: TableSchema, in path: String, _ body: (UnsafeRawBufferPointer) -> Void
  ) throws -> UInt64 {
    let connection = try Connection(
      Connection.plain(path), path: path, flags: SQLITE_OPEN_READONLY, busyTimeoutMilliseconds: 10_000)
    let names = { (columns: [TableSchema.Column]) in
      columns.map { TableSQL.quoted($0.name) }.joined(separator: ", ")
    }
    let sql = "SELECT \(names(table.columns)) FROM \(TableSQL.quoted(table.name)) ORDER BY \(names(table.keys))"
    let statement = try connection.prepared(sql)
    defer { statement.reset() }
    let width = Int32(table.columns.count)
    var rows: UInt64 = 0
    var row: [UInt8] = []
    while try statement.step() {
      row.removeAll(keepingCapacity: true)
      for column in 0..<width { statement.append(column, to: &row) }
      row.withUnsafeBytes(body)
      rows += 1
    }
    return rows
  }
}

extension Statement {
  fileprivate func append(_ column: Int32, to row: inout [UInt8]) {
    let kind = sqlite3_column_type(handle, column)
    row.append(UInt8(truncatingIfNeeded: kind))
    if kind == SQLITE_NULL { return }
    if kind == SQLITE_INTEGER {
      withUnsafeBytes(of: integer(column).littleEndian) { row.append(contentsOf: $0) }
    } else {
      let bytes = bytes(column).bytes
      withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { row.append(contentsOf: $0) }
      row.append(contentsOf: bytes)
    }
  }
}
