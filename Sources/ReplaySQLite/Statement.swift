import CSQLite
import ReplayCore
import ReplaySQL

/// Tells SQLite to copy what is bound.
private var transient: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

/// One prepared statement.
package final class Statement: SQLRow {
  let handle: OpaquePointer
  private unowned let connection: Connection

  init(_ sql: String, on connection: Connection) throws {
    var made: OpaquePointer?
    var hasMore = false
    let code = sql.withCString { start in
      var rest: UnsafePointer<CChar>?
      let code = sqlite3_prepare_v3(connection.handle, start, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &made, &rest)
      hasMore = rest.map { !String(cString: $0).allSatisfy(\.isWhitespace) } ?? false
      return code
    }
    guard code == SQLITE_OK, let made, !hasMore else {
      sqlite3_finalize(made)
      if code != SQLITE_OK { throw connection.failure("preparing \(sql)") }
      throw ReplayError(.usage, "not one SQL statement: \(sql)")
    }
    handle = made
    self.connection = connection
  }

  deinit { sqlite3_finalize(handle) }

  func bind(_ values: [SQLValue]) {
    for (place, value) in values.enumerated() {
      let index = Int32(place + 1)
      switch value {
      case .integer(let number): sqlite3_bind_int64(handle, index, number)
      case .text(let text): sqlite3_bind_text(handle, index, text, Int32(text.utf8.count), transient)
      // The length is given apart, because no bytes have no address, which would be NULL.
      case .blob(let bytes) where bytes.isEmpty: sqlite3_bind_zeroblob(handle, index, 0)
      case .blob(let bytes): sqlite3_bind_blob(handle, index, bytes, Int32(bytes.count), transient)
      }
    }
  }

  /// True where there is a row to read; false at the end.
  func step() throws -> Bool {
    switch sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    default: throw failure("running \(String(cString: sqlite3_sql(handle)))")
    }
  }

  func failure(_ doing: String) -> ReplayError { connection.failure(doing) }

  func reset() {
    sqlite3_reset(handle)
    sqlite3_clear_bindings(handle)
  }

  package func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

  package func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

  /// In UTF-8, whatever the database's encoding.
  package func text(_ column: Int32) -> String {
    let start = sqlite3_column_text(handle, column)
    return String(Text(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column)))))
  }

  package func blob(_ column: Int32) -> [UInt8] { Array(bytes(column).bytes) }

  /// The bytes of a text or blob column, lent until the next step.
  func bytes(_ column: Int32) -> Text {
    let start = sqlite3_column_blob(handle, column)
    return Text(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
  }
}
