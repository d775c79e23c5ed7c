import CSQLite
import ReplayCore
import ReplaySQL

extension SQLiteInspector {
  /// The values of `columns` of each row of `table` whose `key` columns have exactly these values; none where the store has
  /// no such table.
  package func rows(of table: String, key: [String], _ values: [TableValue], columns: [String]) throws -> [[TableValue]]
  {
    try StoreFile.reading(place) { connection in
      guard try connection.shape(of: table) != nil else { return [] }
      return try connection.rows(of: table, key: key, values, columns: columns)
    }
  }
}

extension Connection {
  fileprivate func rows(
    of table: String, key: [String], _ values: [TableValue], columns: [String]
  ) throws -> [[TableValue]] {
    // IS finds NULL too; a column's own collation could find others.
    let conditions = key.map { "\(TableSQL.quoted($0)) COLLATE BINARY IS ?" }.joined(separator: " AND ")
    let statement = try prepared(
      "SELECT \((key + columns).map(TableSQL.quoted).joined(separator: ", ")) FROM \(TableSQL.quoted(table))"
        + (key.isEmpty ? "" : " WHERE \(conditions)"))
    defer { statement.reset() }
    for (place, value) in values.enumerated() { statement.bind(value, at: Int32(place + 1)) }
    var rows: [[TableValue]] = []
    while try statement.step() {
      let row = (0..<Int32(key.count + columns.count)).map(statement.tableValue)
      // A column may have made a text of a number before it was compared.
      if Array(row.prefix(key.count)) == values { rows.append(Array(row.dropFirst(key.count))) }
    }
    return rows
  }
}

extension Statement {
  fileprivate func bind(_ value: TableValue, at index: Int32) {
    switch value {
    case .null: sqlite3_bind_null(handle, index)
    case .integer(let number): sqlite3_bind_int64(handle, index, number)
    case .real(let number): sqlite3_bind_double(handle, index, number)
    case .time(let time): bind(.text("\(time)"), at: index)
    case .text(let text):
      sqlite3_bind_text64(handle, index, chars(text), UInt64(text.count), copied, UInt8(SQLITE_UTF8))
    case .bytes(let bytes): sqlite3_bind_blob64(handle, index, bytes + [0], UInt64(bytes.count), copied)
    }
  }

  private func chars(_ text: [UInt8]) -> [CChar] { (text + [0]).map { CChar(bitPattern: $0) } }

  /// Tells SQLite to copy what is bound.
  private var copied: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }
}
