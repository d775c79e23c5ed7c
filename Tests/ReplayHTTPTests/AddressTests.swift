import Foundation
import ReplayCore
import ReplayHTTP
import Testing

@Suite struct AddressTests {
  @Test(arguments: ["127.0.0.1:0", "127.0.0.1:9464", "127.1.2.3:80", "[::1]:65535", "unix:/tmp/x"])
  func ofThisMachine(text: String) throws {
    #expect(try ListenAddress(text).text == text)
  }

  @Test(arguments: ["0.0.0.0:9464", "[::]:9464", "192.168.1.2:80", "[fe80::1]:80", "[::ffff:1.2.3.4]:1"])
  func ofOthers(text: String) throws {
    let error = #expect(throws: ReplayError.self) { try ListenAddress(text) }
    #expect(error?.code == .usage && error?.next?.contains("--listen-anywhere") == true)
    #expect(try ListenAddress(text, allowsOthers: true).text == text)
  }

  @Test(arguments: [
    "", ":", "9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1", "localhost:80",
    "::1:80", "[::1]", "[::1:80", "127.0.0.256:1", "unix:", "http://127.0.0.1:80",
  ])
  func none(text: String) {
    let error = #expect(throws: ReplayError.self) { try ListenAddress(text, allowsOthers: true) }
    #expect(error?.code == .usage && error?.next != nil)
  }

  @Test func aPathThatIsTooLong() {
    let error = #expect(throws: ReplayError.self) { try ListenAddress("unix:/" + String(repeating: "x", count: 200)) }
    #expect(error?.code == .usage)
  }
}

@Suite struct UnixSocketTests {
  private let home: URL

  init() throws {
    home = FileManager.default.temporaryDirectory.appending(path: "http-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
  }

  private var path: String { home.appending(path: "s").path }

  private func listener() throws -> HTTPListener {
    try HTTPListener(try ListenAddress("unix:\(path)")) { _ in .line(200, "here") }
  }

  private var mode: Int? {
    (try? FileManager.default.attributesOfItem(atPath: path))?[.posixPermissions] as? Int
  }

  @Test func onlyItsOwnerMayAskAndItIsRemovedAtTheEnd() throws {
    let listener = try listener()
    #expect(mode == 0o600)
    #expect(listener.address == "unix:\(path)")
    #expect(try #require(Client(path: path)).get("/").body == "here\n")
    listener.close()
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func aSocketThatIsInUseIsLeftAlone() throws {
    let first = try listener()
    defer { first.close() }
    let error = #expect(throws: ReplayError.self) { try listener() }
    #expect(error?.code == .cannotCreate)
    #expect(try #require(Client(path: path)).get("/").body == "here\n")
  }

  @Test func aSocketThatAKilledRunLeftIsReplaced() throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
    process.arguments = ["-c", "import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])", path]
    try process.run()
    process.waitUntilExit()
    #expect(FileManager.default.fileExists(atPath: path))
    let listener = try listener()
    defer { listener.close() }
    #expect(try #require(Client(path: path)).get("/").body == "here\n")
  }

  @Test func aFileIsNotRemoved() throws {
    try "mine".write(toFile: path, atomically: true, encoding: .utf8)
    let error = #expect(throws: ReplayError.self) { try listener() }
    #expect(error?.code == .usage)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "mine")
  }

  @Test func aSocketThatAnotherRunTookOverIsNotRemoved() throws {
    let first = try listener()
    try FileManager.default.removeItem(atPath: path)
    let second = try listener()
    defer { second.close() }
    first.close()
    #expect(try #require(Client(path: path)).get("/").body == "here\n")
  }

  @Test func noDirectory() {
    let error = #expect(throws: ReplayError.self) {
      try HTTPListener(try ListenAddress("unix:\(home.path)/no/s")) { _ in .line(200, "") }
    }
    #expect(error?.code == .cannotCreate)
  }
}
