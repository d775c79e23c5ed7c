import CPQ
import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// What a connection is set to, once it is there.
struct Session: Sendable {
  /// How long a statement waits for a lock.
  var lockMilliseconds: Int32
  /// True for small writes that need only outlive this process, not the server's machine.
  var isQuick = false
  /// As the server lists its connections.
  var program = "replay"

  /// No statement of an epoch takes longer, unless the server hangs.
  private static let statementMilliseconds = 900_000
  /// A process that was stopped in a transaction must not keep a function from others for ever.
  private static let idleMilliseconds = 60_000
  /// The oldest server whose SQL this is.
  private static let oldestVersion: Int32 = 120_000

  /// Sets it all; the schema that the tables are in.
  func begin(_ handle: OpaquePointer, _ address: PostgresAddress) throws -> String {
    try check(handle, address)
    let schema = try schema(handle, address)
    // The names are ours, the values are bound.
    var settings = [
      ("search_path", quoted(schema)), ("lock_timeout", "\(lockMilliseconds)"), ("bytea_output", "hex"),
      ("default_transaction_isolation", "read committed"),
    ]
    let options = (address.parameters["options"] ?? "") + (environment("PGOPTIONS") ?? "")
    for (name, value) in [
      ("statement_timeout", Session.statementMilliseconds),
      ("idle_in_transaction_session_timeout", Session.idleMilliseconds),
    ] where !options.contains(name) {
      settings.append((name, "\(value)"))
    }
    if isQuick { settings.append(("synchronous_commit", "off")) }
    let calls = settings.indices.map { "pg_catalog.set_config('\(settings[$0].0)', $\($0 + 1), false)" }
    _ = try ask(handle, address, "SELECT " + calls.joined(separator: ", "), settings.map(\.1))
    return schema
  }

  private func check(_ handle: OpaquePointer, _ address: PostgresAddress) throws {
    let encoding = PQparameterStatus(handle, "server_encoding").map { String(cString: $0) } ?? "unknown"
    guard PQserverVersion(handle) >= Session.oldestVersion, encoding == "UTF8" else {
      throw ReplayError(
        .config, "the database cannot be used: \(address.shown)",
        details: [
          "its server is version \(PQserverVersion(handle) / 10_000), 12 or later is needed",
          "its encoding is \(encoding), UTF8 is needed",
        ], next: "name another database with --store")
    }
  }

  private func schema(_ handle: OpaquePointer, _ address: PostgresAddress) throws -> String {
    guard let wanted = address.schema else {
      if let first = try ask(handle, address, "SELECT pg_catalog.current_schema()", []) { return first }
      throw ReplayError(
        .missing, "no schema of the role's search path is there: \(address.shown)",
        next: "name one in the address: ?schema=NAME")
    }
    // In a search path this one means the role's name, and catalogs are the server's own.
    guard wanted != "$user", wanted != "information_schema", !wanted.hasPrefix("pg_") else {
      throw ReplayError(
        .usage, "a store cannot be in the schema \(wanted)", details: ["database \(address.shown)"],
        effect: "nothing was written", next: "name another one: ?schema=NAME")
    }
    let sql = "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = $1"
    if let found = try ask(handle, address, sql, [wanted]) { return found }
    throw ReplayError(
      .missing, "there is no such schema: \(wanted)", details: ["database \(address.shown)"],
      effect: "nothing was written", next: "make it: CREATE SCHEMA \(quoted(wanted)); or check the address")
  }

  /// The first column of the first row.
  private func ask(
    _ handle: OpaquePointer, _ address: PostgresAddress, _ sql: String, _ values: [String]
  ) throws -> String? {
    let result = Parameters(values.map { .text($0) }).lend { count, types, texts, lengths, formats in
      PQexecParams(handle, sql, count, types, texts, lengths, formats, 0)
    }
    let owned = PostgresResult(result)
    guard PQresultStatus(result) == PGRES_TUPLES_OK else {
      let failure = PostgresFailure(result)
      let error = failure.error(address.shown, doing: "beginning a session")
      if failure.isFatal || PQstatus(handle) == CONNECTION_BAD { throw LostConnection(error: error) }
      throw error
    }
    guard PQntuples(result) > 0, PQgetisnull(result, 0, 0) == 0 else { return nil }
    return TextRow(result: owned, row: 0).text(0)
  }

  /// As an identifier, whatever it holds.
  private func quoted(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }

  private func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
