import CPQ
import ReplayCore
import ReplaySQL

extension PostgresConnection {
  /// Gives each key's rows to `rows`, all from one snapshot of the last commit.
  func load(_ table: TableSchema, keys: [Text], into rows: KeyedRows) throws {
    // A key with a NUL character cannot be in the database.
    let asked = keys.filter { key in !rows.holds(key) && !key.bytes.contains(0) }
    let sql = PostgresTableSQL(schema: table, number: 0)
    var found: [[[Cell]]] = Array(repeating: [], count: asked.count)
    if !asked.isEmpty {
      let result = try binary(sql.select, textArray: asked)
      let columns = sql.rowColumns
      for number in 0..<PQntuples(result.handle) {
        let row = BinaryRow(result: result, row: number)
        let cells = try columns.enumerated().map { place, column in
          try row.cell(Int32(place + 1), column, of: table.name, in: rows.loadingArena)
        }
        found[Int(row.integer(0)) - 1].append(cells)
      }
    }
    for (key, cells) in zip(asked, found) where !rows.holds(key) { rows.adopt(key, rows: cells) }
    for key in keys where !rows.holds(key) { rows.adopt(key, rows: []) }
  }

  /// An answer in binary format to a statement whose one value is an array of texts.
  private func binary(_ sql: String, textArray texts: [Text]) throws -> PostgresResult {
    var array: [UInt8] = []
    func put(_ number: Int32) { withUnsafeBytes(of: number.bigEndian) { array.append(contentsOf: $0) } }
    // One dimension, no NULL, of texts; how many, counted from 1.
    for number in [1, 0, Int32(TypeID.text), Int32(clamping: texts.count), 1] { put(number) }
    for text in texts {
      put(Int32(clamping: text.count))
      array.append(contentsOf: text.bytes)
    }
    var parameters = Parameters([])
    parameters.add(TypeID.textArray, array, format: 1)
    let result = parameters.lend { count, types, texts, lengths, formats in
      PQexecParams(handle, sql, count, types, texts, lengths, formats, 1)
    }
    return try checked(result, doing: sql)
  }

  /// An answer in binary format to a statement without values.
  func binary(_ sql: String) throws -> PostgresResult {
    try checked(PQexecParams(handle, sql, 0, nil, nil, nil, nil, 1), doing: sql)
  }
}
