import CPQ
import ReplayCore

/// The connection is gone: what was not committed is not there, and can be done again on another one.
struct LostConnection: Error {
  let error: ReplayError
}

/// Two transactions stood in each other's way, and this one was undone by the server: it can be done again.
struct UndoneTransaction: Error {
  let error: ReplayError
}

/// What PostgreSQL answered, as the error that a person reads.
struct PostgresFailure {
  /// SQLSTATE; empty where only libpq speaks.
  let state: String
  let said: String
  /// The line of a COPY that it is about, from 1; and the column.
  let line: Int?
  let column: String?
  /// The server's last word on this connection.
  let isFatal: Bool

  init(state: String, said: String) {
    self.state = state
    self.said = said
    (line, column, isFatal) = (nil, nil, false)
  }

  init(_ result: OpaquePointer?) {
    func field(_ code: Int32) -> String? { PQresultErrorField(result, code).map { String(cString: $0) } }
    state = field(Int32(UInt8(ascii: "C"))) ?? ""
    isFatal = ["FATAL", "PANIC"].contains(field(Int32(UInt8(ascii: "V"))) ?? "")
    let parts = [field(Int32(UInt8(ascii: "M"))), field(Int32(UInt8(ascii: "D")))].compactMap { $0 }
    let whole = PQresultErrorMessage(result).map { String(cString: $0) } ?? ""
    said = Words.line(parts.isEmpty ? whole : parts.joined(separator: "; "))
    // `COPY table, line 37, column total: "x"`
    let context = field(Int32(UInt8(ascii: "W"))) ?? ""
    line = context.firstMatch(of: /^COPY [^,]*, line ([0-9]+)/).flatMap { Int($0.1) }
    column = context.firstMatch(of: /^COPY [^,]*, line [0-9]+, column ([^:,\n]+)/).map { String($0.1) }
  }

  /// The error to throw. `doing` completes "PostgreSQL, while …".
  func error(_ place: String, doing: String) -> ReplayError {
    let code = state.isEmpty ? "" : " (code \(state))"
    let details = ["PostgreSQL, while \(doing): \(said)\(code)"]
    switch state {
    case "55P03":
      return ReplayError(
        .temporary, "the store is locked: \(place)", details: details,
        next: "wait until the other program is done, then run the same command again")
    case "57014":
      return ReplayError(
        .temporary, "the server ended a statement of this run: \(place)", details: details,
        next: "run the same command again; if it was statement_timeout, with a longer one or a smaller --commit-bytes")
    case "42501", "28000", "28P01", "25006":
      return ReplayError(
        .permission, "the store may not be used: \(place)", details: details, next: PostgresFailure.permission(state))
    case "3D000", "3F000":
      return ReplayError(
        .missing, "there is no such \(state == "3D000" ? "database" : "schema"): \(place)", details: details,
        next: "make it, or check the address")
    case "2BP01":
      return ReplayError(
        .config, "something else in the database needs a table or view that is to be made anew: \(place)",
        details: details, effect: "nothing was changed", next: "drop that first, and make it again afterwards")
    case "40001", "40P01":
      return ReplayError(
        .temporary, "two transactions stood in each other's way: \(place)", details: details,
        next: "run the same command again")
    default: return byClass(place, details)
    }
  }

  private func byClass(_ place: String, _ details: [String]) -> ReplayError {
    switch state.prefix(2) {
    case "22", "23":
      return ReplayError(.data, "a value does not fit its column", details: details)
    case "", "08", "57", "58":
      return ReplayError(
        .unavailable, "the database server is away: \(place)", details: details,
        next: "see that it runs, then run the same command again")
    case "53":
      return ReplayError(
        state == "53100" ? .cannotCreate : .unavailable, "the database server has no room: \(place)", details: details,
        next: "make room, then run the same command again")
    case "XX":
      return ReplayError(
        .config, "the store is damaged: \(place)", details: details,
        next: "see the server's log; restore a copy, or replay from the start into another schema")
    default: return ReplayError(.unexpected, "the store failed: \(place)", details: details)
    }
  }

  private static func permission(_ state: String) -> String {
    switch state {
    case "42501": "grant the role what docs/postgresql.md lists"
    case "25006": "name the primary server: a standby cannot be written (target_session_attrs=read-write)"
    default:
      "check the user and its password: in the file that PGPASSFILE names (or ~/.pgpass), or in PGPASSWORD; and pg_hba.conf"
    }
  }
}
