import CPQ
import ReplayCore
import ReplaySQL

/// One open connection to PostgreSQL.
///
/// `@unchecked Sendable`: a connection lies in a `Mutex` and is used under its lock only.
final class PostgresConnection: SQLConnection, @unchecked Sendable {
  let path: String
  let schema: String
  let handle: OpaquePointer
  /// SQL with `?` as PostgreSQL wants it.
  private var numbered: [String: String] = [:]
  /// Statements that were sent and not answered yet; nil outside of a pipeline.
  private var pending: Int?
  /// How many were declared, which names them.
  var cursors = 0
  /// The server has said that it ends the connection, which may not show yet.
  private var isEnded = false

  let dialect = SQLDialect(
    program: "PostgreSQL", definition: PostgresConnection.definition, textBytes: { "octet_length(\($0))" },
    rowLock: " FOR UPDATE", storable: { $0.replacing("\u{0}", with: "\\x00") })

  /// The connection, set up for a store. Throws `LostConnection` where another try may succeed.
  init(_ address: PostgresAddress, _ settings: Session) throws {
    path = address.shown
    handle = try Connecting(address: address, program: settings.program).handle()
    do { schema = try settings.begin(handle, address) } catch {
      PQfinish(handle)
      throw error
    }
  }

  deinit { PQfinish(handle) }

  private static func definition(_ text: String) -> String {
    text.replacing(" INTEGER", with: " BIGINT").replacing(" BLOB", with: " BYTEA")
      .replacing(" TEXT", with: " TEXT COLLATE \"C\"").replacing(" STRICT", with: "").replacing(
        ", WITHOUT ROWID", with: "")
  }

  func has(_ table: String) throws -> Bool {
    let sql = """
      SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ? AND lower(c.relname) = ? AND c.relkind IN ('r', 'p')
      """
    return try !query(sql, [.text(schema), .text(table)]) { _ in true }.isEmpty
  }

  /// The tables of the schema that have a primary key.
  func keyedTables() throws -> Set<String> {
    let sql = """
      SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p' WHERE n.nspname = ?
      """
    return Set(try query(sql, [.text(schema)]) { $0.text(0) })
  }

  // MARK: One statement

  func query<Row>(_ sql: String, _ values: [SQLValue], _ read: (any SQLRow) throws -> Row) throws -> [Row] {
    let result = try plainly {
      if pending != nil { pending = 0 }
      return try pending == nil ? executed(sql, values) : lastInPipeline(sql, values)
    }
    return try (0..<PQntuples(result.handle)).map { try read(TextRow(result: result, row: $0)) }
  }

  func run(_ sql: String, _ values: [SQLValue]) throws {
    try plainly {
      guard let waiting = pending else {
        _ = try executed(sql, values)
        return
      }
      try send(sql, values)
      pending = waiting + 1
      // libpq keeps what is not yet sent, and the server what is not yet read.
      if waiting > 500 { try answer() }
    }
  }

  /// One statement, in which `?` is what it is in PostgreSQL.
  func runAsWritten(_ sql: String) throws {
    try plainly { _ = try checked(PQexecParams(handle, sql, 0, nil, nil, nil, nil, 0), doing: sql) }
  }

  /// As a literal of SQL, quotes and all.
  func literal(_ text: String) throws -> String {
    guard let quoted = PQescapeLiteral(handle, text, text.utf8.count) else { throw failure(nil, doing: "quoting") }
    defer { PQfreemem(quoted) }
    return String(cString: quoted)
  }

  /// What the server has against a statement, without its parts: as all databases say it.
  private func plainly<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as PostgresError { throw error.error }
  }

  private func executed(_ sql: String, _ values: [SQLValue]) throws -> PostgresResult {
    let result = Parameters(values).lend { count, types, texts, lengths, formats in
      PQexecParams(handle, number(sql), count, types, texts, lengths, formats, 0)
    }
    return try checked(result, doing: sql)
  }

  /// Several statements without values in one trip; the last one's result.
  @discardableResult func batch(_ sql: String, doing: String? = nil) throws -> PostgresResult {
    try checked(PQexec(handle, sql), doing: doing ?? sql)
  }

  /// Throws what the result says is wrong.
  @discardableResult func checked(_ result: OpaquePointer?, doing: String) throws -> PostgresResult {
    let owned = PostgresResult(result)
    switch PQresultStatus(result) {
    case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_EMPTY_QUERY: return owned
    default: throw failure(result, doing: doing)
    }
  }

  func failure(_ result: OpaquePointer?, doing: String) -> any Error {
    let failure = PostgresFailure(result)
    let error = failure.error(path, doing: "running \(Words.line(doing))")
    // Without a code it is libpq that speaks: of the connection.
    isEnded = isEnded || failure.isFatal || (result != nil && failure.state.isEmpty)
    if isLost { return LostConnection(error: lost(failure, doing)) }
    switch failure.state {
    case "40001", "40P01": return UndoneTransaction(error: error)
    default: return PostgresError(failure: failure, error: error)
    }
  }

  private func lost(_ failure: PostgresFailure, _ doing: String) -> ReplayError {
    let said = failure.said.isEmpty ? Words.line(String(cString: PQerrorMessage(handle))) : failure.said
    return PostgresFailure(state: failure.state.hasPrefix("57") ? failure.state : "", said: said).error(
      path, doing: "running \(Words.line(doing))")
  }

  var isLost: Bool { isEnded || PQstatus(handle) == CONNECTION_BAD }

  /// Ends a transaction, where one is open; a lost connection has none.
  func rollback() {
    if isLost { return }
    if pending != nil { try? endPipeline() }
    if PQtransactionStatus(handle) != PQTRANS_IDLE { PQclear(PQexec(handle, "ROLLBACK")) }
  }

  private func number(_ sql: String) -> String {
    if let known = numbered[sql] { return known }
    var (text, count) = ("", 0)
    for character in sql {
      if character == "?" {
        count += 1
        text += "$\(count)"
      } else {
        text.append(character)
      }
    }
    numbered[sql] = text
    return text
  }

  // MARK: Many statements in one trip

  /// Runs `body`, whose statements are sent without waiting for the answer to each; throws the first one's error.
  func pipelined<Result>(_ body: () throws -> Result) throws -> Result {
    guard PQenterPipelineMode(handle) == 1 else { throw failure(nil, doing: "beginning a pipeline") }
    pending = 0
    do {
      let result = try body()
      try plainly { try answer() }
      try endPipeline()
      return result
    } catch {
      try? endPipeline()
      throw error
    }
  }

  private func endPipeline() throws {
    defer { pending = nil }
    if let pending, pending > 0 { try? answer() }
    if PQexitPipelineMode(handle) == 0, !isLost { throw failure(nil, doing: "ending a pipeline") }
  }

  private func send(_ sql: String, _ values: [SQLValue]) throws {
    let sent = Parameters(values).lend { count, types, texts, lengths, formats in
      PQsendQueryParams(handle, number(sql), count, types, texts, lengths, formats, 0)
    }
    if sent == 0 { throw failure(nil, doing: sql) }
  }

  /// Waits for the answers to all that was sent.
  private func answer() throws {
    if pending == 0 { return }
    pending = 0
    _ = try answers()
  }

  private func lastInPipeline(_ sql: String, _ values: [SQLValue]) throws -> PostgresResult {
    try send(sql, values)
    guard let last = try answers() else { throw failure(nil, doing: sql) }
    return last
  }

  /// The last result of those up to now.
  private func answers() throws -> PostgresResult? {
    guard PQpipelineSync(handle) == 1 else { throw failure(nil, doing: "sending a pipeline") }
    var last: PostgresResult?
    var problem: (any Error)?
    var isBetween = false
    while true {
      guard let result = PQgetResult(handle) else {
        // One stands between two statements' results; after the second nothing comes, though libpq may not say why.
        guard !isLost, !isBetween else {
          isEnded = true
          throw failure(nil, doing: "waiting for a pipeline")
        }
        isBetween = true
        continue
      }
      isBetween = false
      let owned = PostgresResult(result)
      switch PQresultStatus(result) {
      case PGRES_PIPELINE_SYNC:
        if let problem { throw problem }
        return last
      case PGRES_PIPELINE_ABORTED: break
      case PGRES_COMMAND_OK, PGRES_TUPLES_OK: last = owned
      default: problem = problem ?? failure(result, doing: "writing the checkpoint")
      }
    }
  }
}

/// An answer of the server that is an error, with its parts.
struct PostgresError: Error {
  let failure: PostgresFailure
  let error: ReplayError

  /// A number left its 64 bits.
  var isOverflow: Bool { failure.state == "22003" }
  var isDuplicate: Bool { failure.state == "23505" }
}

/// Owns a result of libpq.
final class PostgresResult {
  let handle: OpaquePointer?
  init(_ handle: OpaquePointer?) { self.handle = handle }
  deinit { PQclear(handle) }
}
