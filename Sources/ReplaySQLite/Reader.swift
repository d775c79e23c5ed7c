import CSQLite
import ReplayCore
import ReplaySQL

extension Connection {
  /// Gives each key's rows to `rows`, all from one snapshot of the last commit.
  func load(_ table: TableSchema, keys: [Text], into rows: KeyedRows) throws {
    let sql = TableSQL(schema: table)
    let statement = try prepared(sql.select)
    let columns = sql.rowColumns
    try run("BEGIN")
    defer { rollback() }
    for key in keys where !rows.holds(key) {
      // The key's bytes are the caller's and stay until the statement is reset.
      defer { statement.reset() }
      let start = key.start.assumingMemoryBound(to: CChar.self)
      sqlite3_bind_text64(statement.handle, 1, start, UInt64(key.count), nil, UInt8(SQLITE_UTF8))
      var found: [[Cell]] = []
      while try statement.step() {
        found.append(try statement.cells(columns, of: table, rows.loadingArena))
      }
      rows.adopt(key, rows: found)
    }
  }
}

extension Statement {
  fileprivate func cells(_ columns: [TableSchema.Column], of table: TableSchema, _ arena: Arena) throws -> [Cell] {
    try columns.enumerated().map { place, column in
      let index = Int32(place)
      if isNull(index) { return .null }
      switch column.type {
      case .integer, .decimal: return Cell(number: Int128(integer(index)))
      case .text, .json, .bytes: return Cell(bytes(index), in: arena)
      case .timestamp:
        if let time = ValueParsing.timestamp(bytes(index)) { return Cell(number: time.cellNumber) }
      case .day:
        if let day = ValueParsing.day(bytes(index)) { return Cell(number: day.cellNumber) }
      }
      throw ReplayError(
        .config, "a value in the store cannot be read: \(table.name).\(column.name)",
        details: ["\(ReplayError.excerpt(bytes(index))) is not a \(column.type)"],
        next: "another program wrote it: correct it, or replay from the start with --full-refresh")
    }
  }
}
