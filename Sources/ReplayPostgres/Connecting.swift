import CPQ
import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Makes a connection, step by step: so the way to the server is known before a byte goes over it, and a refusal comes
/// with its code.
struct Connecting {
  let address: PostgresAddress
  let program: String

  /// Ours, where neither the address nor a service file says anything.
  private static let connectSeconds = 10

  /// A connected handle. Throws `LostConnection` where another try may succeed, else a `ReplayError`.
  func handle() throws -> OpaquePointer {
    let parameters = address.parameters.merging(own) { given, _ in given }
    let first = try start(parameters)
    let environment = getenv("PGSSLMODE").map { String(cString: $0) }
    let known = Connecting.effective(first)
    guard
      let mode = Encryption.needed(effective: known, given: address.parameters, environment: environment)
    else { return try finish(first, known) }
    PQfinish(first)
    let second = try start(parameters.merging(["sslmode": mode]) { $1 })
    return try finish(second, Connecting.effective(second))
  }

  private var own: [String: String] {
    ["client_encoding": "UTF8", "fallback_application_name": program, "tcp_user_timeout": "30000"]
  }

  private static func effective(_ handle: OpaquePointer) -> [String: String] {
    guard let options = PQconninfo(handle) else { return [:] }
    defer { PQconninfoFree(options) }
    return Keywords.values(options)
  }

  private func start(_ parameters: [String: String]) throws -> OpaquePointer {
    // libpq takes lists of C strings that end with nil, and copies them.
    let names = parameters.keys.sorted()
    let keywords = names.map { strdup($0) }
    let values = names.map { strdup(parameters[$0] ?? "") }
    defer { for text in keywords + values { free(text) } }
    let made = (keywords + [nil]).map { UnsafePointer($0) }.withUnsafeBufferPointer { keywords in
      (values + [nil]).map { UnsafePointer($0) }.withUnsafeBufferPointer { values in
        PQconnectStartParams(keywords.baseAddress, values.baseAddress, 0)
      }
    }
    guard let made else { throw ReplayError(.unavailable, "out of memory") }
    // With their codes: libpq gives none for a connection that was refused.
    PQsetErrorVerbosity(made, PQERRORS_VERBOSE)
    // Else notices go to standard error.
    PQsetNoticeReceiver(made, { _, _ in }, nil)
    return made
  }

  private func finish(_ handle: OpaquePointer, _ effective: [String: String]) throws -> OpaquePointer {
    let seconds = effective["connect_timeout"].flatMap { Int($0) } ?? 0
    let end = Connecting.milliseconds() + (seconds > 0 ? seconds : Connecting.connectSeconds) * 1000
    var wanted = PGRES_POLLING_WRITING
    while PQstatus(handle) != CONNECTION_BAD {
      let left = end - Connecting.milliseconds()
      guard left > 0 else {
        PQfinish(handle)
        throw LostConnection(
          error: PostgresFailure(state: "", said: "no answer in time (connect_timeout)").error(
            address.shown, doing: "connecting"))
      }
      var socket = pollfd(
        fd: PQsocket(handle), events: Int16(wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT), revents: 0)
      if poll(&socket, 1, Int32(clamping: left)) == 0 { continue }
      wanted = PQconnectPoll(handle)
      if wanted == PGRES_POLLING_OK {
        PQsetErrorVerbosity(handle, PQERRORS_DEFAULT)
        return handle
      }
      if wanted == PGRES_POLLING_FAILED { break }
    }
    let text = String(cString: PQerrorMessage(handle))
    let asksForPassword = PQconnectionNeedsPassword(handle) == 1
    PQfinish(handle)
    throw refusal(text, asksForPassword: asksForPassword)
  }

  private func refusal(_ text: String, asksForPassword: Bool) -> any Error {
    let state =
      asksForPassword
      ? "28P01" : text.firstMatch(of: #/:\x20+((?=[A-Z]*[0-9])[0-9A-Z]{5}):\x20/#).map { String($0.1) } ?? ""
    let said = Words.line(
      text.split { $0.isNewline }.filter { !$0.hasPrefix("LOCATION:") }.joined(separator: "\n").replacing(
        #/(:\x20+)(?=[A-Z]*[0-9])[0-9A-Z]{5}:\x20/#, with: { $0.1 }))
    let failure = PostgresFailure(state: state, said: said)
    var error = failure.error(address.shown, doing: "connecting")
    if state.isEmpty, text.contains("certificate") || text.contains("SSL") {
      error.code = .permission
      error.summary = "the database server did not prove who it is: \(address.shown)"
      error.next =
        "give the certificate of who signed the server's: sslrootcert=FILE in the address (or ~/.postgresql/root.crt); "
        + "sslmode in the address asks for less"
    }
    // Away, or about to come up.
    if error.code == .unavailable { return LostConnection(error: error) }
    return error
  }

  private static func milliseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
  }
}
