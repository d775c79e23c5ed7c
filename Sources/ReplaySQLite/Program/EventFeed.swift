import CSQLite
import ReplayCore

/// The relation `events` of one function: a virtual table that lends SQLite the rows of the batch that is being run.
/// Statements may read it several times, and side by side.
///
/// Unsafe pointers: SQLite is lent texts where they lie, in the rows' memory or their arena. Both stay for the whole batch,
/// and when a statement is done nothing of it points there.
final class EventFeed {
  let columns: [StoreProgram.Column]
  private let isText: ContiguousArray<Bool>
  private let guardian: ProgramGuard
  /// What is being run over. Unchecked: SQLite asks for every event, on the thread that sets it.
  @exclusivity(unchecked) var batch = EventBatch()

  /// Columns behind the declared ones.
  static let facts = ["_partition", "_position", "_phase", "_number"]

  init(_ program: StoreProgram, _ guardian: ProgramGuard) {
    self.guardian = guardian
    columns = program.columns
    isText = ContiguousArray(columns.map(\.isText))
  }

  /// What SQLite holds of the feed: its own fields, then ours.
  private struct Table {
    var base = sqlite3_vtab()
    let feed: Unmanaged<EventFeed>
  }

  /// One reading of the batch.
  private struct Cursor {
    var base = sqlite3_vtab_cursor()
    let feed: Unmanaged<EventFeed>
    var part = 0
    var index = 0
    var end = 0
    /// Of the event, in the batch; from 1.
    var number: Int64 = 1
    /// The part's rows; nil at the end. They live as long as the batch.
    var rows: Unmanaged<GatheredRows>?

    mutating func begin(_ part: Int) {
      self.part = part
      let parts = feed._withUnsafeGuaranteedRef { $0.batch.parts }
      guard part < parts.count else {
        rows = nil
        return
      }
      (index, end) = (parts[part].start, parts[part].end)
      rows = .passUnretained(parts[part].rows)
    }

    mutating func advance() {
      (index, number) = (index + 1, number + 1)
      if index == end { begin(part + 1) }
    }
  }

  private static func cursor(_ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?) -> UnsafeMutablePointer<Cursor> {
    UnsafeMutableRawPointer(cursor.unsafelyUnwrapped).assumingMemoryBound(to: Cursor.self)
  }

  @inline(__always)
  private func give(_ column: Int, _ rows: GatheredRows, _ cursor: borrowing Cursor, to context: OpaquePointer?) {
    guard column < isText.count else {
      return give(fact: column - isText.count, rows, cursor.index, cursor.number, to: context)
    }
    let cell = rows.row(cursor.index) + column
    if cell.pointee.isNull {
      sqlite3_result_null(context)
    } else if isText[column] {
      let text = Cell.text(at: cell)
      sqlite3_result_text64(
        context, text.start.assumingMemoryBound(to: CChar.self), UInt64(text.count), nil, UInt8(SQLITE_UTF8))
    } else {
      sqlite3_result_int64(context, Int64(truncatingIfNeeded: cell.pointee.number))
    }
  }

  private func give(
    fact: Int, _ rows: GatheredRows, _ index: Int, _ number: Int64, to context: OpaquePointer?
  ) {
    let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    switch fact {
    case 0: sqlite3_result_text(context, "\(rows.place(index).partition)", -1, copied)
    case 1: sqlite3_result_text(context, "\(rows.place(index).position)", -1, copied)
    case 2: sqlite3_result_text(context, rows.phase(index) == .live ? "live" : "replay", -1, copied)
    default: sqlite3_result_int64(context, number)
    }
  }

  // MARK: The module

  /// Makes the feed known to this connection by this name; the connection keeps it as long as it lives.
  func register(_ name: String, on connection: Connection) throws {
    let owned = Unmanaged.passRetained(self).toOpaque()
    let code = sqlite3_create_module_v2(connection.handle, name, EventFeed.module, owned) {
      if let owned = $0 { Unmanaged<EventFeed>.fromOpaque(owned).release() }
    }
    guard code == SQLITE_OK else { throw connection.failure("making a virtual table") }
  }

  private var declaration: String {
    let names = columns.map(\.name) + EventFeed.facts
    return "CREATE TABLE x(" + names.map(TableSQL.quoted).joined(separator: ", ") + ")"
  }

  /// What a batch may hold: so a table that is joined is looked up, and not read for every event.
  private static func plan(_ plan: UnsafeMutablePointer<sqlite3_index_info>?) -> Int32 {
    plan?.pointee.estimatedRows = Int64(EventBatch.maxRows)
    plan?.pointee.estimatedCost = Double(EventBatch.maxRows)
    return SQLITE_OK
  }

  private static func connect(
    _ connection: OpaquePointer?, _ owned: UnsafeMutableRawPointer?,
    _ table: UnsafeMutablePointer<UnsafeMutablePointer<sqlite3_vtab>?>?
  ) -> Int32 {
    let feed = Unmanaged<EventFeed>.fromOpaque(owned.unsafelyUnwrapped)
    let made = UnsafeMutablePointer<Table>.allocate(capacity: 1)
    made.initialize(to: Table(feed: feed))
    table?.pointee = UnsafeMutableRawPointer(made).assumingMemoryBound(to: sqlite3_vtab.self)
    // SQLite may ask for it while a program's statement is being prepared.
    return feed._withUnsafeGuaranteedRef { feed in
      feed.guardian.holding(.all) { sqlite3_declare_vtab(connection, feed.declaration) }
    }
  }

  /// `nonisolated(unsafe)`: written once, here, then only read; SQLite wants it to stay where it is.
  nonisolated(unsafe) private static let module: UnsafePointer<sqlite3_module> = {
    var module = sqlite3_module()
    module.xCreate = { connection, owned, _, _, table, _ in connect(connection, owned, table) }
    module.xConnect = { connection, owned, _, _, table, _ in connect(connection, owned, table) }
    module.xDisconnect = { table in
      UnsafeMutableRawPointer(table)?.deallocate()
      return SQLITE_OK
    }
    module.xDestroy = module.xDisconnect
    module.xBestIndex = { plan(UnsafeMutablePointer($1)) }
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
      EventFeed.cursor(cursor).pointee.number = 1
      EventFeed.cursor(cursor).pointee.begin(0)
      return SQLITE_OK
    }
    module.xNext = { cursor in
      EventFeed.cursor(cursor).pointee.advance()
      return SQLITE_OK
    }
    module.xEof = { EventFeed.cursor($0).pointee.rows == nil ? 1 : 0 }
    module.xColumn = { cursor, context, column in
      let cursor = EventFeed.cursor(cursor)
      guard let rows = cursor.pointee.rows else { return SQLITE_ERROR }
      cursor.pointee.feed._withUnsafeGuaranteedRef { feed in
        rows._withUnsafeGuaranteedRef { feed.give(Int(column), $0, cursor.pointee, to: context) }
      }
      return SQLITE_OK
    }
    module.xRowid = { cursor, number in
      number?.pointee = EventFeed.cursor(cursor).pointee.number
      return SQLITE_OK
    }
    let kept = UnsafeMutablePointer<sqlite3_module>.allocate(capacity: 1)
    kept.initialize(to: module)
    return UnsafePointer(kept)
  }()
}
