import CSQLite
import ReplayCore
import ReplaySQL

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// One open SQLite connection and its prepared statements.
///
/// `@unchecked Sendable`: a connection lies in a `Mutex` and is used under its lock only.
package final class Connection: SQLConnection, @unchecked Sendable {
  package let path: String
  let handle: OpaquePointer
  private var statements: [String: Statement] = [:]

  /// Opens `file`, a path or (with `SQLITE_OPEN_URI` in `flags`) an address; `path` is what messages say.
  init(_ file: String, path: String, flags: Int32, busyTimeoutMilliseconds: Int32) throws {
    var opened: OpaquePointer?
    // No mutex of SQLite's own: the `Mutex` around the connection is enough.
    let code = sqlite3_open_v2(file, &opened, flags | SQLITE_OPEN_NOMUTEX, nil)
    guard let opened, code == SQLITE_OK else {
      let message = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
      let cause = opened.map { sqlite3_system_errno($0) } ?? 0
      sqlite3_close_v2(opened)
      throw Failure.error(code, message, cause: cause, path: path, doing: "opening the file")
    }
    self.path = path
    handle = opened
    sqlite3_extended_result_codes(handle, 1)
    sqlite3_busy_timeout(handle, busyTimeoutMilliseconds)
  }

  deinit {
    statements.removeAll()
    sqlite3_close_v2(handle)
  }

  /// The last failure of this connection, as an error.
  func failure(_ doing: String) -> ReplayError {
    Failure.error(
      sqlite3_extended_errcode(handle), String(cString: sqlite3_errmsg(handle)),
      cause: sqlite3_system_errno(handle), path: path, doing: doing)
  }

  /// The prepared statement of this SQL, made at first use; it must be reset after each use.
  func prepared(_ sql: String) throws -> Statement {
    if let known = statements[sql] { return known }
    let statement = try Statement(sql, on: self)
    statements[sql] = statement
    return statement
  }

  /// Runs one statement to its end and gives what `read` makes of each of its rows.
  package func query<Row>(
    _ sql: String, _ values: [SQLValue], _ read: (any SQLRow) throws -> Row
  ) throws -> [Row] {
    let statement = try prepared(sql)
    defer { statement.reset() }
    statement.bind(values)
    var rows: [Row] = []
    while try statement.step() { rows.append(try read(statement)) }
    return rows
  }

  /// Runs one statement and leaves its rows alone.
  package func run(_ sql: String, _ values: [SQLValue]) throws {
    let statement = try prepared(sql)
    defer { statement.reset() }
    statement.bind(values)
    while try statement.step() {}
  }

  package let dialect = SQLDialect(
    program: "SQLite", definition: { $0 }, textBytes: { "length(CAST(\($0) AS BLOB))" })

  package func has(_ table: String) throws -> Bool {
    let count = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND lower(name) = ?"
    return try query(count, [.text(table)]) { $0.integer(0) } == [1]
  }

  var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

  /// Ends a transaction that SQLite has not already ended by itself, as it does after some failures.
  func rollback() {
    if isInTransaction { try? run("ROLLBACK") }
  }

  /// Runs `body` in one write transaction, which is rolled back where `body` throws.
  func writing<Result>(_ body: () throws -> Result) throws -> Result {
    try run("BEGIN IMMEDIATE")
    do {
      let result = try body()
      try run("COMMIT")
      return result
    } catch {
      rollback()
      throw error
    }
  }

  /// Tries again for as long as the store is locked: SQLite does not wait by itself while it changes the journal mode.
  func patiently<Result>(milliseconds: Int32, _ body: () throws -> Result) throws -> Result {
    var left = milliseconds
    while true {
      do {
        return try body()
      } catch let error as ReplayError where error.code == .temporary && left > 0 {
        usleep(20_000)
        left -= 20
      }
    }
  }
}
