import Foundation
import Glibc
import ReplayCore
import ReplayHTTP
import Synchronization
import Testing

/// Real sockets, and a client that knows nothing of the library.
@Suite struct ListenerTests {
  /// Answers `/echo`, waits at `/wait` until `gate` opens, and does not know the rest.
  final class Server: Sendable {
    let gate = Mutex(false)
    let waiting = Mutex(0)

    func answer(_ request: Request) -> Response {
      switch request.path {
      case "/echo":
        return .line(200, request.query.map { "\($0.name)=\($0.value ?? "-")" }.joined(separator: "|"))
      case "/wait":
        waiting.withLock { $0 += 1 }
        while !gate.withLock({ $0 }) { usleep(2_000) }
        return .line(200, "waited")
      case "/sleep":
        usleep(2_500_000)
        return .line(200, "slept")
      default: return .line(404, "there is nothing at \(request.path)")
      }
    }
  }

  private let server = Server()

  private func listener(_ address: String = "127.0.0.1:0", idleSeconds: Int = 10) throws -> HTTPListener {
    try HTTPListener(try ListenAddress(address), idleSeconds: idleSeconds) { [server] in server.answer($0) }
  }

  private func port(_ listener: HTTPListener) throws -> UInt16 {
    try #require(listener.address.split(separator: ":").last.flatMap { UInt16($0) })
  }

  private func client(_ listener: HTTPListener) throws -> Client { try #require(Client(port: try port(listener))) }

  @Test func answersWithWhatWasAsked() throws {
    let listener = try listener()
    defer { listener.close() }
    let answer = try client(listener).get("/echo?a=1&b=x%20y&empty=&flag&a=2")
    #expect(answer.status == 200)
    #expect(answer.body == "a=1|b=x y|empty=|flag=-|a=2\n")
    #expect(answer.head.contains("content-type: text/plain; charset=utf-8"))
    #expect(answer.head.contains("connection: close"))
    #expect(answer.head.contains("cache-control: no-store"))
  }

  @Test func headIsTheSameWithoutABody() throws {
    let listener = try listener()
    defer { listener.close() }
    let answer = try client(listener).get("/echo?a=1", method: "HEAD")
    #expect(answer.status == 200 && answer.body == "")
    #expect(answer.head.contains("content-length: 4"))
  }

  @Test(arguments: ["PUT", "DELETE", "OPTIONS", "PATCH"]) func otherMethods(method: String) throws {
    let listener = try listener()
    defer { listener.close() }
    let answer = try client(listener).get("/echo", method: method)
    #expect(answer.status == 405)
    #expect(answer.head.contains("allow: get, head, post"))
  }

  /// A page that a browser shows may post to this machine, though not read what is answered.
  @Test func aPostIsAnsweredUnlessItComesFromAPage() throws {
    let listener = try listener()
    defer { listener.close() }
    #expect(try client(listener).get("/echo?a=1", method: "POST").status == 200)
    #expect(try client(listener).get("/echo", method: "POST", head: "Origin: http://evil.example\r\n").status == 403)
    #expect(try client(listener).get("/echo", method: "POST", head: "Content-Length: 5\r\n").status == 413)
  }

  @Test func unknownPathsAndBodies() throws {
    let listener = try listener()
    defer { listener.close() }
    #expect(try client(listener).get("/nothing").status == 404)
    #expect(try client(listener).get("/../etc/passwd").status == 404)
    #expect(try client(listener).get("/echo", head: "Content-Length: 5\r\n").status == 413)
    #expect(try client(listener).get("/echo", head: "Transfer-Encoding: chunked\r\n").status == 413)
    #expect(try client(listener).get("/echo", head: "Content-Length: 0\r\n").status == 200)
  }

  /// The name of a web page that was made to point to this machine.
  @Test func onlyTheMachinesOwnNamesAreAnswered() throws {
    let listener = try listener()
    defer { listener.close() }
    for (host, status) in [
      ("localhost:80", 200), ("LOCALHOST", 200), ("127.0.0.1:9464", 200), ("[::1]:9464", 200), ("", 200),
      ("example.org", 403), ("127.0.0.1.example.org:80", 403), ("localhost.example.org", 403),
    ] {
      let client = try client(listener)
      client.send("GET /echo HTTP/1.1\r\nHost: \(host)\r\n\r\n")
      #expect(Answer(client.rest()).status == status, "\(host)")
    }
    let others = try HTTPListener(try ListenAddress("0.0.0.0:0", allowsOthers: true)) { [server] in server.answer($0) }
    defer { others.close() }
    let client = try client(others)
    client.send("GET /echo HTTP/1.1\r\nHost: example.org\r\n\r\n")
    #expect(Answer(client.rest()).status == 200)
  }

  @Test func garbageAndLongHeadsEndOneConnectionOnly() throws {
    let listener = try listener(idleSeconds: 1)
    defer { listener.close() }
    let garbage = try client(listener)
    garbage.send("\u{0}\u{1}\u{2}\r\n\r\n")
    #expect(Answer(garbage.rest()).status != 200)
    let long = try client(listener).get("/echo?" + String(repeating: "x", count: 100_000))
    #expect(long.status != 200)
    #expect(try client(listener).get("/echo").status == 200)
  }

  @Test func answersThatWaitKeepNobodyWaiting() throws {
    let listener = try listener()
    defer { listener.close() }
    let waiting = try (0..<40).map { _ in try client(listener) }
    for client in waiting { client.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n") }
    let began = ContinuousClock.now
    for _ in 0..<20 { #expect(try client(listener).get("/echo").status == 200) }
    #expect(ContinuousClock.now - began < .seconds(5))
    server.gate.withLock { $0 = true }
    for client in waiting { #expect(Answer(client.rest()).body == "waited\n") }
  }

  @Test func connectionsAboveTheLimitAreClosedUntilIdleOnesAre() throws {
    let listener = try listener(idleSeconds: 1)
    defer { listener.close() }
    let idle = try (0..<HTTPListener.connections).map { _ in try client(listener) }
    #expect(try client(listener).get("/echo").status == nil)
    for client in idle { #expect(client.rest() == "") }
    // A place is free a little later than its connection is closed.
    let began = ContinuousClock.now
    while try client(listener).get("/echo").status != 200, ContinuousClock.now - began < .seconds(20) { usleep(5_000) }
    #expect(try client(listener).get("/echo").status == 200)
  }

  @Test func anAnswerMayTakeLongerThanAConnectionMayBeIdle() throws {
    let listener = try listener(idleSeconds: 1)
    defer { listener.close() }
    #expect(try client(listener).get("/sleep").body == "slept\n")
  }

  @Test func closingSendsTheAnswersThatAreBeingMade() throws {
    let listener = try listener()
    let waiting = try (0..<5).map { _ in try client(listener) }
    for client in waiting { client.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n") }
    while server.waiting.withLock({ $0 }) < 5 { usleep(1_000) }
    server.gate.withLock { $0 = true }
    listener.close()
    for client in waiting { #expect(Answer(client.rest()).body == "waited\n") }
    #expect(Client(port: try port(listener)) == nil)
  }

  @Test func closingDoesNotWaitForConnectionsThatSayNothing() throws {
    let listener = try listener()
    let silent = try client(listener)
    let half = try client(listener)
    half.send("GET /echo HTT")
    #expect(try client(listener).get("/echo").status == 200)
    let began = ContinuousClock.now
    listener.close()
    #expect(ContinuousClock.now - began < .seconds(2))
    #expect(silent.rest() == "" && half.rest() == "")
  }

  @Test func aPortThatIsTaken() throws {
    let first = try listener()
    defer { first.close() }
    let error = #expect(throws: ReplayError.self) { try listener(first.address) }
    #expect(error?.code == .cannotCreate)
    #expect(error?.summary.contains(first.address) == true && error?.next != nil)
    first.close()
    let second = try listener(first.address)
    second.close()
  }

  @Test func version6() throws {
    let listener = try listener("[::1]:0")
    defer { listener.close() }
    #expect(listener.address.hasPrefix("[::1]:") && listener.address != "[::1]:0")
    #expect(try #require(Client(port6: try port(listener))).get("/echo").status == 200)
  }
}
