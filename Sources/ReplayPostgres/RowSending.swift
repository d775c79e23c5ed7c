import CPQ
import ReplayCore
import ReplaySQL

/// Writes one epoch's rows of one table, inside its transaction: by COPY into a temporary table and one statement that
/// merges them; into an empty table by COPY alone.
struct RowSending {
  let connection: PostgresConnection
  let table: TableSchema
  let sql: PostgresTableSQL

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

  func delete(_ keys: some Sequence<[Cell]>) throws {
    try copying(sql.copy(table.keys, to: sql.oldKeys), table.keys) { writer in
      for key in keys {
        try key.withUnsafeBufferPointer { cells in
          // A delete has one cell for each key column, of which there is at least one.
          if let start = cells.baseAddress { try writer.write(start) }
        }
      }
    }
    try connection.batch(sql.delete, doing: "deleting rows of \(table.storedName)")
  }

  /// `isKeyless`: the table has no primary key yet, since replay never wrote to it.
  func write(_ sets: [RowSet], isKeyless: Bool) throws {
    if isKeyless {
      let isEmpty = try connection.query(sql.isEmpty) { $0.text(0) } == ["t"]
      if isEmpty { _ = try copy(RowSet.InOrder(sets), .max, by: sql.copyAll) }
      try addKey()
      if isEmpty { return }
    } else if sets.allSatisfy(\.isNew), try insert(sets) {
      return
    }
    _ = try send(RowSet.InOrder(sets), .max)
    try merge()
  }

  /// Rows of keys that the store does not have, straight into the table, without a merge (8 M events of
  /// `recently-viewed`: 11.4 s in all, and 16.8 s with one). False, and nothing is
  /// inserted, where another program has made rows of these keys meanwhile.
  private func insert(_ sets: [RowSet]) throws -> Bool {
    let mark = RowSending.mark
    try connection.batch("SAVEPOINT \(mark)")
    do {
      _ = try copy(RowSet.InOrder(sets), .max, by: sql.copyAll)
      try connection.batch("RELEASE SAVEPOINT \(mark)")
      return true
    } catch let error as PostgresError where error.isDuplicate {
      try connection.batch("ROLLBACK TO SAVEPOINT \(mark); RELEASE SAVEPOINT \(mark)")
      return false
    }
  }

  func addKey() throws { try connection.batch(sql.addKey, doing: "adding the primary key of \(table.storedName)") }

  /// Sends the next `count` rows of those to come to the table of new rows, with their lists merged; what is left of them.
  func send(_ rows: RowSet.InOrder, _ count: Int) throws -> RowSet.InOrder {
    if table.hasLists {
      let (rows, left) = try mergedLists(rows, count)
      try copying(sql.copy(table.columns, to: sql.newRows), table.columns) { writer in
        try withExtendedLifetime(rows.arena) {
          for row in rows.rows {
            try row.withUnsafeBufferPointer { if let start = $0.baseAddress { try writer.write(start) } }
          }
        }
      }
      return left
    }
    return try copy(rows, count, by: sql.copy(table.columns, to: sql.newRows))
  }

  private func copy(_ rows: RowSet.InOrder, _ count: Int, by statement: String) throws -> RowSet.InOrder {
    var (left, sent) = (rows, 0)
    do {
      try copying(statement, table.columns) { writer in
        while sent < count, let row = left.next() {
          try writer.write(row)
          sent += 1
        }
      }
    } catch let error as PostgresError where !error.isDuplicate {
      throw named(error, rows)
    }
    return left
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
  private func named(_ error: PostgresError, _ rows: RowSet.InOrder) -> any Error {
    guard let line = error.failure.line, line > 0 else { return error }
    var (rows, number) = (rows, 0)
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
    let mark = RowSending.mark
    do {
      try connection.batch("SAVEPOINT \(mark); \(sql.upsert); RELEASE SAVEPOINT \(mark)", doing: merging)
    } catch let error as PostgresError where error.isOverflow {
      try connection.batch("ROLLBACK TO SAVEPOINT \(mark)")
      throw try overflowing(error)
    }
  }

  static let mark = "_replay_merge"
  var merging: String { "merging rows into \(table.storedName)" }

  /// The error with the row whose sum is too large, which is one of those in the table of new rows.
  func overflowing(_ error: PostgresError) throws -> any Error {
    guard let overflow = sql.overflow else { return error }
    let result = try connection.binary(overflow)
    guard PQntuples(result.handle) > 0 else { return error }
    let arena = Arena()
    let row = BinaryRow(result: result, row: 0)
    let cells = try table.keys.enumerated().map { place, column in
      try row.cell(Int32(place), column, of: table.name, in: arena)
    }
    let key = withExtendedLifetime(arena) {
      cells.withUnsafeBufferPointer { $0.baseAddress.map { RowKey.text($0, table) } ?? "" }
    }
    return RowKey.failure(error.error, of: key, in: table)
  }

  // MARK: Lists

  /// The next `count` new rows with their lists merged with those that are there; and what is left of the rows.
  private func mergedLists(
    _ new: RowSet.InOrder, _ count: Int
  ) throws -> (merged: (rows: [[Cell]], arena: Arena), left: RowSet.InOrder) {
    let merge = ListMerge(table)
    try copying(sql.copy(table.keys, to: sql.oldKeys), table.keys) { writer in
      var (rows, sent) = (new, 0)
      while sent < count, let row = rows.next() {
        try writer.write(row)
        sent += 1
      }
    }
    let found = try connection.binary(sql.lists(merge.columns))
    let (arena, width) = (Arena(), table.columns.count)
    var (merged, next): ([[Cell]], Int32) = ([], 0)
    var rows = new
    // Both in key order, and no key twice.
    while merged.count < count, let row = rows.next() {
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
    return ((merged, arena), rows)
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
