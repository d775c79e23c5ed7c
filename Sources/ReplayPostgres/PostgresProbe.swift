import CPQ
import ReplayCore
import ReplaySQL

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Reads rows of the functions' tables by their primary keys, one a question: so it waits for what a reader waits for, locks,
/// pages and processors. The keys are of rows at random places of the table, taken anew every few seconds.
///
/// `@unchecked Sendable`: made by one thread and handed to another one, which alone uses it.
package final class PostgresProbe: LatencyProbe, @unchecked Sendable {
  private let address: PostgresAddress
  private let tables: [TableSchema]
  private var connection: PostgresConnection?
  /// The table that is read now, and its keys that were not used yet.
  private var place = 0
  private var keys: [[String]] = []
  private var asksLeft = 0
  private var isSampling = false
  /// A question is open; and what has come of its answer.
  private var isAsked = false
  private var answer: PostgresResult?

  /// Questions before keys are taken anew, of the next table.
  private static let asksOfOneSample = 250
  private static let asksOfNoSample = 50
  private static let keysOfOneSample = 50
  /// A row that is not there says as much of the server as one that is.
  private static let nothing = "SELECT 1"

  /// `tables`: those to read; some may be missing, or empty.
  package init(_ address: PostgresAddress, tables: [TableSchema]) {
    self.address = address
    self.tables = tables
  }

  package var isCounted: Bool { !isSampling }

  package func hangUp() { (connection, keys, asksLeft, isAsked, answer) = (nil, [], 0, false, nil) }

  package func connect() throws {
    if connection?.isLost == false { return }
    hangUp()
    var session = Session(lockMilliseconds: PostgresProbe.lockMilliseconds)
    session.program = "replay probe"
    do { connection = try PostgresConnection(address, session) } catch let error as LostConnection { throw error.error }
  }

  private static let lockMilliseconds: Int32 = 10_000

  package func ask() throws {
    guard let connection else { throw ReplayError(.unexpected, "the probe is not connected") }
    isSampling = asksLeft == 0 && !tables.isEmpty
    if isSampling {
      place = (place + 1) % tables.count
      asksLeft = PostgresProbe.asksOfOneSample
      try send(sample(of: tables[place]), [], on: connection)
    } else {
      asksLeft -= tables.isEmpty ? 0 : 1
      let key = keys.isEmpty ? nil : keys[asksLeft % keys.count]
      try send(key == nil ? PostgresProbe.nothing : read(tables[place]), key ?? [], on: connection)
    }
    isAsked = true
  }

  package func hasAnswered(within milliseconds: Int) throws -> Bool {
    guard isAsked, let connection else { throw ReplayError(.unexpected, "the probe has asked nothing") }
    var socket = pollfd(fd: PQsocket(connection.handle), events: Int16(POLLIN), revents: 0)
    while true {
      // libpq would wait for ever, and the run with it where it ends.
      while PQisBusy(connection.handle) == 1 {
        guard poll(&socket, 1, Int32(clamping: milliseconds)) > 0 else { return false }
        guard PQconsumeInput(connection.handle) == 1 else { throw lost(nil) }
      }
      guard let result = PQgetResult(connection.handle) else { break }
      answer = PostgresResult(result)
      // Nothing comes behind the server's last word.
      if PostgresFailure(result).isFatal { throw lost(result) }
    }
    isAsked = false
    defer { answer = nil }
    try take(answer)
    return true
  }

  private func take(_ result: PostgresResult?) throws {
    if PQresultStatus(result?.handle) == PGRES_TUPLES_OK, let result {
      guard isSampling else { return }
      keys = (0..<PQntuples(result.handle)).map { row in
        tables[place].keys.indices.map { TextRow(result: result, row: row).text(Int32($0)) }
      }
      if keys.isEmpty { asksLeft = PostgresProbe.asksOfNoSample }
      return
    }
    if isSampling { (keys, asksLeft) = ([], PostgresProbe.asksOfNoSample) }
    let failure = PostgresFailure(result?.handle)
    switch failure.state {
    // Not made yet, or about to be made anew; and a reader that has waited as long as it may.
    case "42P01", "55P03", "57014": return
    default: throw lost(result?.handle)
    }
  }

  private func send(_ sql: String, _ values: [String], on connection: PostgresConnection) throws {
    // Their types are those of the columns that they are compared with.
    let texts = values.map { Array($0.utf8) + [0] }
    let sent = texts.withPointers { PQsendQueryParams(connection.handle, sql, Int32($0.count), nil, $0, nil, nil, 0) }
    if sent == 0 { throw lost(nil) }
  }

  private func lost(_ result: OpaquePointer?) -> ReplayError {
    let said = result == nil ? connection.map { String(cString: PQerrorMessage($0.handle)) } ?? "" : ""
    let failure = result == nil ? PostgresFailure(state: "", said: Words.line(said)) : PostgresFailure(result)
    hangUp()
    return failure.error(address.shown, doing: "probing")
  }

  /// Keys of rows in pages at random. The place of a row is no key, and costs no index; a page has that many rows at most.
  private func sample(of table: TableSchema) -> String {
    let name = SQLDialect.quoted(table.name)
    return """
      SELECT \(list(table)) FROM \(name) WHERE ctid = ANY (ARRAY(
        SELECT ('(' || floor(random() * pages)::bigint || ',' || 1 + floor(random() * 20)::int || ')')::tid
        FROM generate_series(1, \(PostgresProbe.keysOfOneSample)),
          (SELECT greatest(1, pg_relation_size('\(name)') / current_setting('block_size')::bigint) AS pages) AS size))
      """
  }

  private func list(_ table: TableSchema) -> String {
    table.keys.map { SQLDialect.quoted($0.name) + "::text" }.joined(separator: ", ")
  }

  private func read(_ table: TableSchema) -> String {
    let same = table.keys.enumerated().map { "\(SQLDialect.quoted($1.name)) = $\($0 + 1)" }
    return "SELECT * FROM \(SQLDialect.quoted(table.name)) WHERE \(same.joined(separator: " AND "))"
  }
}

extension [[UInt8]] {
  /// Lends the texts, which end with a zero, as C has them.
  fileprivate func withPointers<Result>(_ body: ([UnsafePointer<CChar>?]) -> Result) -> Result {
    let (all, starts) = ([UInt8](joined()) + [0], reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) })
    return all.withUnsafeBytes { bytes in
      body(indices.map { place in bytes.baseAddress.map { ($0 + starts[place]).assumingMemoryBound(to: CChar.self) } })
    }
  }
}
