import CSQLite
import ReplayCore
import ReplaySQL

/// A commit's rows of one table as SQLite sees them: a virtual table that one `INSERT … SELECT` reads from its start to
/// its end. A bind, step and reset for each row would cost as much again as the insert (2 M rows: 1.6 s against 0.7 s).
///
/// Unsafe pointers: SQLite is lent texts where they lie (the row's memory, its arena, or `texts` for times), and has put
/// them into its own record before it asks for the next row.
final class RowFeed {
  /// A row being written; nil before the first one and behind the last.
  private(set) var row: UnsafePointer<Cell>?
  /// What is the matter with a value of `row`, where something is.
  private(set) var misfit: ReplayError?
  private let table: TableSchema
  private let values: CellValues
  private var rows = RowSet.InOrder([])
  private var number: Int64 = 0

  init(_ table: TableSchema) {
    self.table = table
    values = CellValues(table, columns: table.columns)
  }

  /// The virtual table's name on the connection that it was registered on. Names of functions' tables never begin so.
  static func name(_ table: TableSchema) -> String { "_replay_rows_of_\(table.storedName)" }

  /// Runs `statement`, which reads this feed once, over the rows of `sets`. Throws what is the matter with a row.
  func write(_ sets: [RowSet], by statement: Statement) throws {
    rows = RowSet.InOrder(sets)
    misfit = nil
    defer {
      statement.reset()
      rows = RowSet.InOrder([])
      row = nil
    }
    let code = withExtendedLifetime(sets) { sqlite3_step(statement.handle) }
    guard code == SQLITE_DONE else { throw misfit ?? failure(statement) }
  }

  private func failure(_ statement: Statement) -> ReplayError {
    let error = statement.failure("writing to \(table.storedName)")
    return row.map { values.failure(error, of: $0) } ?? error
  }

  // MARK: What SQLite asks

  fileprivate func first() {
    number = 0
    row = rows.next()
  }

  fileprivate func advance() {
    number += 1
    row = rows.next()
  }

  fileprivate func give(_ column: Int32, to context: OpaquePointer?) -> Int32 {
    guard let row else { return SQLITE_ERROR }
    do throws(ReplayError) {
      switch try values.value(row + Int(column), Int(column)) {
      case .null: sqlite3_result_null(context)
      case .integer(let number): sqlite3_result_int64(context, number)
      case .text(let start, let count):
        sqlite3_result_text64(context, start, UInt64(count), nil, UInt8(SQLITE_UTF8))
      case .blob(let start, let count): sqlite3_result_blob64(context, start, UInt64(count), nil)
      }
      return SQLITE_OK
    } catch {
      misfit = error
      return SQLITE_ERROR
    }
  }

  // MARK: The module

  /// What SQLite holds of a feed: its own fields, then ours. One shape serves as table and as cursor.
  private struct Table {
    var base = sqlite3_vtab()
    let feed: Unmanaged<RowFeed>
  }
  private struct Cursor {
    var base = sqlite3_vtab_cursor()
    let feed: Unmanaged<RowFeed>
  }

  private static func feed(_ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?) -> RowFeed {
    UnsafeRawPointer(cursor.unsafelyUnwrapped).assumingMemoryBound(to: Cursor.self).pointee.feed
      ._withUnsafeGuaranteedRef { $0 }
  }

  /// Makes the feed readable on this connection, which keeps it as long as it lives.
  func register(on connection: Connection) throws {
    let owned = Unmanaged.passRetained(self).toOpaque()
    let code = sqlite3_create_module_v2(connection.handle, RowFeed.name(table), RowFeed.module, owned) {
      if let owned = $0 { Unmanaged<RowFeed>.fromOpaque(owned).release() }
    }
    guard code == SQLITE_OK else { throw connection.failure("making a virtual table") }
  }

  private var declaration: String {
    "CREATE TABLE x(" + table.columns.map { TableSQL.quoted($0.name) }.joined(separator: ", ") + ")"
  }

  /// `nonisolated(unsafe)`: written once, here, then only read; SQLite wants it to stay where it is.
  nonisolated(unsafe) private static let module: UnsafePointer<sqlite3_module> = {
    var module = sqlite3_module()
    // Without `xCreate` it is there by its name alone, and no schema mentions it.
    module.xConnect = { connection, owned, _, _, table, _ in
      let feed = Unmanaged<RowFeed>.fromOpaque(owned.unsafelyUnwrapped)
      let made = UnsafeMutablePointer<Table>.allocate(capacity: 1)
      made.initialize(to: Table(feed: feed))
      table?.pointee = UnsafeMutableRawPointer(made).assumingMemoryBound(to: sqlite3_vtab.self)
      return sqlite3_declare_vtab(connection, feed._withUnsafeGuaranteedRef { $0.declaration })
    }
    module.xDisconnect = { table in
      UnsafeMutableRawPointer(table)?.deallocate()
      return SQLITE_OK
    }
    module.xBestIndex = { _, plan in
      plan?.pointee.estimatedCost = 1
      return SQLITE_OK
    }
    module.xOpen = { table, cursor in
      let feed = UnsafeRawPointer(table.unsafelyUnwrapped).assumingMemoryBound(to: Table.self).pointee.feed
      let made = UnsafeMutablePointer<Cursor>.allocate(capacity: 1)
      made.initialize(to: Cursor(feed: feed))
      cursor?.pointee = UnsafeMutableRawPointer(made).assumingMemoryBound(to: sqlite3_vtab_cursor.self)
      return SQLITE_OK
    }
    module.xClose = { cursor in
      UnsafeMutableRawPointer(cursor)?.deallocate()
      return SQLITE_OK
    }
    module.xFilter = { cursor, _, _, _, _ in
      RowFeed.feed(cursor).first()
      return SQLITE_OK
    }
    module.xNext = { cursor in
      RowFeed.feed(cursor).advance()
      return SQLITE_OK
    }
    module.xEof = { RowFeed.feed($0).row == nil ? 1 : 0 }
    module.xColumn = { cursor, context, column in RowFeed.feed(cursor).give(column, to: context) }
    module.xRowid = { cursor, number in
      number?.pointee = RowFeed.feed(cursor).number
      return SQLITE_OK
    }
    let kept = UnsafeMutablePointer<sqlite3_module>.allocate(capacity: 1)
    kept.initialize(to: module)
    return UnsafePointer(kept)
  }()
}
