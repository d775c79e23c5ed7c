import CPQ
import ReplayCore
import ReplaySQL

/// Writes one epoch's rows of one table, inside its transaction: by COPY into a temporary table and one statement that
/// merges them; into an empty table by COPY alone.
struct RowSending {
  private let connection: PostgresConnection
  private let table: TableSchema
  private let sql: PostgresTableSQL

  /// `number`: of the table's temporary tables in this session.
  init(_ table: TableSchema, number: Int, on connection: PostgresConnection) {
    self.connection = connection
    self.table = table
    sql = PostgresTableSQL(schema: table, number: number)
  }

  /// Makes the temporary tables: once for a session, and outside of a transaction that may be undone.
  func prepare() throws {
    try connection.batch(sql.makeNewRows + "; " + sql.makeOldKeys, doing: "making temporary tables")
  }

  func delete(_ keys: [[Cell]]) throws {
    try copying(sql.copy(table.keys, to: sql.oldKeys), table.keys) { writer in
      for key in keys {
        try key.withUnsafeBufferPointer { cells in
          // A delete has one cell for each key column, of which there is at least one.
          if let start = cells.baseAddress { try writer.write(start) }
        }
      }
    }
    try connection.batch(sql.delete, doing: "deleting rows of \(table.name)")
  }

  /// `isKeyless`: the table has no primary key yet, since replay never wrote to it.
  func write(_ sets: [RowSet], isKeyless: Bool) throws {
    if isKeyless {
      let isEmpty = try connection.query(sql.isEmpty) { $0.text(0) } == ["t"]
      if isEmpty { try copy(sets, by: sql.copyAll) }
      try connection.batch(sql.addKey, doing: "adding the primary key of \(table.name)")
      if isEmpty { return }
    }
    if table.hasLists {
      let rows = try mergedLists(sets)
      try copying(sql.copy(table.columns, to: sql.newRows), table.columns) { writer in
        try withExtendedLifetime(rows.arena) {
          for row in rows.rows {
            try row.withUnsafeBufferPointer { if let start = $0.baseAddress { try writer.write(start) } }
          }
        }
      }
    } else {
      try copy(sets, by: sql.copy(table.columns, to: sql.newRows))
    }
    try merge()
  }

  private func copy(_ sets: [RowSet], by statement: String) throws {
    do {
      try copying(statement, table.columns) { writer in
        var rows = RowSet.InOrder(sets)
        while let row = rows.next() { try writer.write(row) }
      }
    } catch let error as PostgresError {
      throw named(error, sets)
    }
  }

  private func copying(
    _ statement: String, _ columns: [TableSchema.Column], _ body: (inout CopyWriter) throws -> Void
  ) throws {
    var writer = try CopyWriter(statement, table, columns, on: connection)
    do {
      try body(&writer)
      try writer.end()
    } catch {
      if error is ReplayError { writer.abandon() }
      throw error
    }
  }

  /// The server's error with the row that it stands at.
  private func named(_ error: PostgresError, _ sets: [RowSet]) -> any Error {
    guard let line = error.failure.line, line > 0 else { return error }
    var (rows, number) = (RowSet.InOrder(sets), 0)
    while let row = rows.next() {
      number += 1
      if number < line { continue }
      var named = error.error
      if let column = error.failure.column { named.details.insert("column \(column)", at: 0) }
      return RowKey.failure(named, of: RowKey.text(row, table), in: table)
    }
    return error
  }

  /// The statement that merges; where a sum leaves its 64 bits, the row that it is about is asked for.
  private func merge() throws {
    let mark = "_replay_merge"
    do {
      try connection.batch(
        "SAVEPOINT \(mark); \(sql.upsert); RELEASE SAVEPOINT \(mark)", doing: "merging rows into \(table.name)")
    } catch let error as PostgresError where error.failure.state == "22003" {
      guard let overflow = sql.overflow else { throw error }
      try connection.batch("ROLLBACK TO SAVEPOINT \(mark)")
      let result = try connection.binary(overflow)
      guard PQntuples(result.handle) > 0 else { throw error }
      let arena = Arena()
      let row = BinaryRow(result: result, row: 0)
      let cells = try table.keys.enumerated().map { place, column in
        try row.cell(Int32(place), column, of: table.name, in: arena)
      }
      let key = withExtendedLifetime(arena) {
        cells.withUnsafeBufferPointer { $0.baseAddress.map { RowKey.text($0, table) } ?? "" }
      }
      throw RowKey.failure(error.error, of: key, in: table)
    }
  }

  // MARK: Lists

  /// The new rows with their lists merged with those that are there.
  private func mergedLists(_ sets: [RowSet]) throws -> (rows: [[Cell]], arena: Arena) {
    let merge = ListMerge(table)
    try copying(sql.copy(table.keys, to: sql.oldKeys), table.keys) { writer in
      var rows = RowSet.InOrder(sets)
      while let row = rows.next() { try writer.write(row) }
    }
    let found = try connection.binary(sql.lists(merge.columns))
    let (arena, width) = (Arena(), table.columns.count)
    var (merged, next): ([[Cell]], Int32) = ([], 0)
    var rows = RowSet.InOrder(sets)
    // Both in key order, and no key twice.
    while let row = rows.next() {
      guard next < PQntuples(found.handle), try isKey(of: BinaryRow(result: found, row: next), row) else {
        merged.append(Array(UnsafeBufferPointer(start: row, count: width)))
        continue
      }
      let stored = merge.columns.indices.map { place in
        BinaryRow(result: found, row: next).bytes(Int32(table.keys.count + place)).map(Array.init)
      }
      merged.append(try merge.merged(row, with: stored, in: arena))
      next += 1
    }
    return (merged, arena)
  }

  private func isKey(of found: BinaryRow, _ row: UnsafePointer<Cell>) throws -> Bool {
    let arena = Arena()
    return try withExtendedLifetime(arena) {
      try table.keys.enumerated().allSatisfy { place, column in
        let cell = try found.cell(Int32(place), column, of: table.name, in: arena)
        return column.type.isText ? cell.withText { row[place].equals($0) } : cell == row[place]
      }
    }
  }
}
