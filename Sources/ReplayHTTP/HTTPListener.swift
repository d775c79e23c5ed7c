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

/// A small HTTP server for questions: GET, HEAD and POST without a body, one request a connection, one thread a connection, so
/// that an answer that waits keeps no other one waiting. Writes nothing anywhere.
public final class HTTPListener: Sendable {
  public typealias Answer = @Sendable (Request) -> Response

  /// At most so many connections at once; more are closed unanswered.
  public static let connections = 64
  /// Where it listens: with the port that the system chose, where it was to choose one.
  public let address: String

  private let asked: ListenAddress
  private let answer: Answer
  private let idleSeconds: Int
  private let socket: ListenSocket
  /// The library's server, as an address: a pointer cannot be handed into a lock. 0: it is closed.
  private let daemon = Mutex<UInt>(0)
  /// Questions whose answers are not sent yet.
  private let open = Atomic<Int>(0)

  /// Listens from now on; `answer` is called on the connection's thread and may wait. A connection that says nothing for
  /// `idleSeconds` is closed. Throws `.cannotCreate` or `.permission` where it cannot listen.
  public init(_ asked: ListenAddress, idleSeconds: Int = 10, answer: @escaping Answer) throws {
    self.asked = asked
    self.answer = answer
    self.idleSeconds = idleSeconds
    socket = try ListenSocket(asked)
    address = socket.address
    // The daemon is stopped before this object goes, so the pointer without a count stays good.
    let context = Unmanaged.passUnretained(self).toOpaque()
    let started = replay_http_start(
      socket.descriptor, UInt32(HTTPListener.connections), UInt32(idleSeconds), 512 << 10, 16 << 10,
      { context, connection, path, method, _, _, bodyBytes, state in
        guard let context, let connection, let path, let method, let state else { return .NO }
        let listener = Unmanaged<HTTPListener>.fromOpaque(context).takeUnretainedValue()
        let isFirst = state.pointee == nil
        if isFirst { listener.open.add(1, ordering: .relaxed) }
        state.pointee = context
        return listener.take(connection, String(cString: path), String(cString: method), isFirst, bodyBytes)
      },
      { context, _, state, _ in
        guard let context, state?.pointee != nil else { return }
        Unmanaged<HTTPListener>.fromOpaque(context).takeUnretainedValue().open.subtract(1, ordering: .relaxed)
      }, context)
    guard let started else {
      let cause = errno
      socket.remove()
      socket.close()
      throw ReplayError(
        .unavailable, "cannot serve \(address): \(String(cString: strerror(cause)))", effect: "nothing was read",
        next: "raise the limits on threads, or run without --listen")
    }
    let address = UInt(bitPattern: started)
    daemon.withLock { $0 = address }
  }

  deinit { close() }

  /// Stops to listen and ends every connection. Waits for answers that are being made, so that whoever waits in one is to
  /// be told first, and half a second at most until they are sent.
  public func close() {
    daemon.withLock { daemon in
      guard let running = OpaquePointer(bitPattern: daemon) else { return }
      socket.remove()
      // From here on the descriptor is ours to close, once nobody polls it any more.
      let isOurs = MHD_quiesce_daemon(running) != -1
      for _ in 0..<50 where open.load(ordering: .relaxed) > 0 { usleep(10_000) }
      MHD_stop_daemon(running)
      if isOurs { socket.close() }
      daemon = 0
    }
  }

  /// The library calls once when the head is there, and once more for the answer.
  private func take(
    _ connection: OpaquePointer, _ path: String, _ method: String, _ isFirst: Bool,
    _ bodyBytes: UnsafeMutablePointer<Int>?
  ) -> MHD_Result {
    if isFirst {
      if HTTPListener.hasBody(connection) {
        return queue(.line(413, "a question has no body"), on: connection)
      }
      return .YES
    }
    if asked.needsOwnName, !HTTPListener.isOwnName(connection) {
      return queue(.line(403, "ask by an address or as localhost"), on: connection)
    }
    // What cannot be: the head said that there is no body.
    if let bodyBytes, bodyBytes.pointee > 0 { return .NO }
    guard ["GET", "HEAD", "POST"].contains(method) else {
      return queue(.line(405, "only GET, HEAD and POST are answered"), on: connection, allows: true)
    }
    // A page from elsewhere may post, though not read the answer.
    if method == "POST", MHD_lookup_connection_value(connection, .HEADER_KIND, "Origin") != nil {
      return queue(.line(403, "no page may change a run"), on: connection)
    }
    // An answer that waits is not idle: the library would drop it.
    _ = replay_http_idle(connection, 0)
    let response = answer(Request(path: path, method: method, query: HTTPListener.query(connection)))
    _ = replay_http_idle(connection, UInt32(idleSeconds))
    return queue(response, on: connection)
  }

  private static func hasBody(_ connection: OpaquePointer) -> Bool {
    if MHD_lookup_connection_value(connection, .HEADER_KIND, "Transfer-Encoding") != nil { return true }
    guard let length = MHD_lookup_connection_value(connection, .HEADER_KIND, "Content-Length") else { return false }
    return String(cString: length) != "0"
  }

  /// Whether the question names this machine by a number or as localhost. A page from elsewhere, whose name its owner lets
  /// point here, would be allowed by its browser to read the answer.
  private static func isOwnName(_ connection: OpaquePointer) -> Bool {
    guard let host = MHD_lookup_connection_value(connection, .HEADER_KIND, "Host") else { return true }
    let text = String(cString: host)
    if text.hasPrefix("[") { return true }
    let name = text.prefix { $0 != ":" }
    return name.lowercased() == "localhost" || name.allSatisfy { $0.isASCII && ($0.isNumber || $0 == ".") }
  }

  private static func query(_ connection: OpaquePointer) -> [(name: String, value: String?)] {
    var found: [(name: String, value: String?)] = []
    withUnsafeMutablePointer(to: &found) { found in
      _ = MHD_get_connection_values_n(
        connection, .GET_ARGUMENT_KIND,
        { context, _, name, nameBytes, value, valueBytes in
          guard let found = context?.assumingMemoryBound(to: [(name: String, value: String?)].self), let name else {
            return .NO
          }
          found.pointee.append((text(name, nameBytes), value.map { text($0, valueBytes) }))
          return .YES
        }, found)
    }
    return found
  }

  private func queue(_ response: Response, on connection: OpaquePointer, allows: Bool = false) -> MHD_Result {
    var body = response.body
    let made = body.withUTF8 { bytes in
      // Copied by the library, which takes a pointer that it could write to.
      MHD_create_response_from_buffer(
        bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress), .RESPMEM_MUST_COPY)
    }
    guard let made else { return .NO }
    defer { MHD_destroy_response(made) }
    _ = MHD_add_response_header(made, "Content-Type", response.type)
    _ = MHD_add_response_header(made, "Cache-Control", "no-store")
    _ = MHD_add_response_header(made, "X-Content-Type-Options", "nosniff")
    _ = MHD_add_response_header(made, "Connection", "close")
    if allows { _ = MHD_add_response_header(made, "Allow", "GET, HEAD, POST") }
    return MHD_queue_response(connection, UInt32(response.status), made)
  }
}

/// Bytes of the library as text; what is no UTF-8 is replaced.
private func text(_ start: UnsafePointer<CChar>, _ count: Int) -> String {
  String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
}
