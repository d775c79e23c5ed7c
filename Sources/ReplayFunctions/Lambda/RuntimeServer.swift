import CMicroHTTPD
import ReplayCore
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The AWS Lambda Runtime API (version 2018-06-01) for one worker: whoever asks here for the next invocation is that
/// worker, since a request carries no name. One thread for each of its few connections.
final class RuntimeServer: Sendable {
  /// A batch to be handled.
  struct Invocation: Sendable {
    let id: String
    let body: [UInt8]
    /// Milliseconds since 1970.
    let deadline: Int64
    /// What a handler finds as `context.client_context`.
    let context: String
    let arn: String
  }

  enum Outcome: Sendable, Equatable {
    case answered([UInt8])
    /// What the handler said of its failure, one line each.
    case failed([String])
  }

  struct Desk: Sendable {
    var offered: Invocation?
    /// The one that the worker has taken and not answered.
    var taken: Invocation?
    var outcome: Outcome?
    /// Requests for the next invocation so far: only the newest is answered.
    var nexts = 0
    /// What the worker said of why it cannot begin.
    var initError: [String]?
    var isClosed = false
  }

  /// A synchronous call's limit: 6 MB, as of AWS.
  static let maxAnswerBytes = 6 << 20
  private static let base = "/2018-06-01/runtime/"

  let desk = Monitor(Desk())
  /// `127.0.0.1:PORT`
  let address: String
  private let listening: Int32
  /// The library's server, as an address: a pointer cannot be handed into a lock. 0: it is closed.
  private let daemon = Mutex<UInt>(0)

  /// `listening`: a socket that listens already, in a network of its own at port 9001; else a port of the loopback is taken.
  init(listening given: Int32? = nil) throws {
    (listening, address) = try given.map { ($0, "127.0.0.1:9001") } ?? RuntimeServer.loopback()
    let context = Unmanaged.passUnretained(self).toOpaque()
    // No limit on how long a connection says nothing: a worker waits as long as there is nothing to do.
    let started = replay_http_start(
      listening, 8, 0, 512 << 10, 32 << 10,
      { context, connection, path, method, _, body, bodyBytes, state in
        guard let context, let connection, let path, let method, let bodyBytes, let state else { return .NO }
        return Unmanaged<RuntimeServer>.fromOpaque(context)._withUnsafeGuaranteedRef {
          $0.take(connection, String(cString: path), String(cString: method), body, bodyBytes, state)
        }
      },
      { context, _, state, how in
        guard let context, let request = state?.pointee else { return }
        state?.pointee = nil
        let ended = Unmanaged<Request>.fromOpaque(request).takeRetainedValue()
        Unmanaged<RuntimeServer>.fromOpaque(context)._withUnsafeGuaranteedRef {
          $0.ended(ended, isSent: how == .REQUEST_TERMINATED_COMPLETED_OK)
        }
      }, context)
    guard let started else {
      let reason = systemReason()
      closeDescriptor(listening)
      throw ReplayError(
        .unavailable, "cannot serve a function's worker", details: [reason],
        next: "raise the limit on threads, or run fewer workers")
    }
    let kept = UInt(bitPattern: started)
    daemon.withLock { $0 = kept }
  }

  deinit { close() }

  private static func loopback() throws -> (Int32, String) {
    let made = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        made >= 0 && bind(made, address, length) == 0 && listen(made, 16) == 0
          && getsockname(made, address, &length) == 0
      }
    }
    guard bound else {
      let reason = systemReason()
      if made >= 0 { closeDescriptor(made) }
      throw ReplayError(
        .unavailable, "cannot listen for a function's worker", details: [reason],
        next: "raise the limit on open files, or run fewer workers")
    }
    return (made, "127.0.0.1:\(UInt16(bigEndian: address.sin_port))")
  }

  /// Ends every connection. A worker that waits is told that there is nothing more.
  func close() {
    desk.change { $0.isClosed = true }
    daemon.withLock { daemon in
      guard let running = OpaquePointer(bitPattern: daemon) else { return }
      let isOurs = MHD_quiesce_daemon(running) != -1
      MHD_stop_daemon(running)
      if isOurs { closeDescriptor(listening) }
      daemon = 0
    }
  }

  // MARK: Requests

  /// One request, from its head to its end. Touched by its connection's thread only.
  private final class Request {
    var body: [UInt8] = []
    var isTooLong = false
    /// The invocation that it was answered with.
    var given: String?
  }

  private func take(
    _ connection: OpaquePointer, _ path: String, _ method: String, _ part: UnsafePointer<CChar>?,
    _ partBytes: UnsafeMutablePointer<Int>, _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) -> MHD_Result {
    guard let known = state.pointee else {
      state.pointee = Unmanaged.passRetained(Request()).toOpaque()
      return .YES
    }
    let request = Unmanaged<Request>.fromOpaque(known).takeUnretainedValue()
    if partBytes.pointee > 0 {
      if request.body.count + partBytes.pointee > RuntimeServer.maxAnswerBytes { request.isTooLong = true }
      if !request.isTooLong { request.body += UnsafeRawBufferPointer(start: part, count: partBytes.pointee) }
      partBytes.pointee = 0
      return .YES
    }
    return answer(request, method, path, on: connection)
  }

  private func answer(_ request: Request, _ method: String, _ path: String, on connection: OpaquePointer) -> MHD_Result
  {
    guard path.hasPrefix(RuntimeServer.base) else { return refuse(404, "there is no such path", on: connection) }
    let words = path.dropFirst(RuntimeServer.base.count).split(separator: "/", omittingEmptySubsequences: false)
    switch (method, words.first, words.count > 1 ? words[1] : "", words.count) {
    case ("GET", "invocation", "next", 2): return giveNext(request, on: connection)
    case ("POST", "invocation", let id, 3) where words[2] == "response":
      if request.isTooLong {
        let reason = "it answered more than \(RuntimeServer.maxAnswerBytes) bytes"
        return end(String(id), .failed([reason]), status: 413, on: connection)
      }
      return end(String(id), .answered(request.body), on: connection)
    case ("POST", "invocation", let id, 3) where words[2] == "error":
      return end(String(id), .failed(FunctionError.reasons(request.body)), on: connection)
    case ("POST", "init", "error", 2):
      let reasons = FunctionError.reasons(request.body)
      desk.change { $0.initError = reasons }
      return send(202, "{\"status\":\"OK\"}", on: connection)
    default: return refuse(404, "there is no such path", on: connection)
    }
  }

  /// Waits until there is an invocation, and gives it to whoever asked last.
  private func giveNext(_ request: Request, on connection: OpaquePointer) -> MHD_Result {
    let mine = desk.change { desk -> Int in
      desk.nexts += 1
      if let taken = desk.taken, desk.outcome == nil {
        desk.outcome = .failed(["it asked for the next invocation and had not answered \(taken.id)"])
      }
      return desk.nexts
    }
    let invocation = desk.wait { desk -> Invocation?? in
      if desk.isClosed || desk.nexts != mine { return .some(nil) }
      guard let offered = desk.offered else { return nil }
      (desk.offered, desk.taken) = (nil, offered)
      return .some(offered)
    }
    guard let invocation else { return refuse(410, "nothing more comes on this connection", on: connection) }
    request.given = invocation.id
    let headers = [
      ("Lambda-Runtime-Aws-Request-Id", invocation.id), ("Lambda-Runtime-Deadline-Ms", "\(invocation.deadline)"),
      ("Lambda-Runtime-Invoked-Function-Arn", invocation.arn), ("Lambda-Runtime-Client-Context", invocation.context),
      ("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0"),
    ]
    return send(200, bytes: invocation.body, headers: headers, on: connection)
  }

  /// Takes an answer for the invocation `id`: one for the one that is being handled, and only once.
  private func end(_ id: String, _ outcome: Outcome, status: UInt32 = 202, on connection: OpaquePointer) -> MHD_Result {
    let isAwaited = desk.change { desk -> Bool in
      guard let taken = desk.taken, taken.id == id, desk.outcome == nil else { return false }
      desk.outcome = outcome
      return true
    }
    return isAwaited
      ? send(status, "{\"status\":\"OK\"}", on: connection)
      : refuse(400, "the invocation \(id.prefix(64)) is not being handled", on: connection)
  }

  private func ended(_ request: Request, isSent: Bool) {
    guard let given = request.given, !isSent else { return }
    desk.change { desk in
      guard desk.taken?.id == given, desk.outcome == nil else { return }
      desk.outcome = .failed(["it closed its connection while it was given the events"])
    }
  }

  // MARK: Responses

  private func refuse(_ status: UInt32, _ message: String, on connection: OpaquePointer) -> MHD_Result {
    send(
      status, "{\"errorMessage\":\(JSONValue.string(message).text),\"errorType\":\"InvalidRequest\"}", on: connection)
  }

  private func send(_ status: UInt32, _ body: String, on connection: OpaquePointer) -> MHD_Result {
    send(status, bytes: Array(body.utf8), headers: [], on: connection)
  }

  private func send(
    _ status: UInt32, bytes: [UInt8], headers: [(String, String)], on connection: OpaquePointer
  ) -> MHD_Result {
    let made = bytes.withUnsafeBytes {
      // Copied by the library, which takes a pointer that it could write to.
      MHD_create_response_from_buffer(
        $0.count, UnsafeMutableRawPointer(mutating: $0.baseAddress), .RESPMEM_MUST_COPY)
    }
    guard let made else { return .NO }
    defer { MHD_destroy_response(made) }
    _ = MHD_add_response_header(made, "Content-Type", "application/json")
    for (name, value) in headers { _ = MHD_add_response_header(made, name, value) }
    return MHD_queue_response(connection, status, made)
  }
}
