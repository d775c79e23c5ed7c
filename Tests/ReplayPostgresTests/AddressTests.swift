import ReplayCore
import Testing

@testable import ReplayPostgres

@Suite struct AddressTests {
  private static let secret = "hunter2"

  @Test(arguments: [
    "postgres://u:hunter2@h/d", "postgresql://u:hunter2@h:5432/d?schema=s", "postgres://:hunter2@h/d",
    "postgres://u:hunter2@/d", "postgres://u:hun/ter2@h/d", "postgres://u:hunter2@h1,h2/d",
    "postgres://u@h/d?password=hunter2",
    "postgres://u@h/d?schema=s&password=hunter2", "postgres://u@h/d?pass%77ord=hunter2",
    "postgres:///d?sslpassword=hunter2",
  ]) func anAddressWithAPasswordIsRefusedAndNotShown(text: String) throws {
    let error = try #require(throws: ReplayError.self) { try PostgresAddress(text) }
    #expect(error.code == .usage)
    #expect("\(error)".contains("PGPASSFILE"))
    #expect(!"\(error)".contains("ter2"))
  }

  @Test(arguments: [
    ("postgres://u@h:5433/d?schema=retail", "retail", ["user": "u", "host": "h", "port": "5433", "dbname": "d"]),
    ("postgresql:///d?host=/run/pg&schema=my%20schema", "my schema", ["host": "/run/pg", "dbname": "d"]),
    ("postgres://h/d?sslmode=require", nil, ["host": "h", "dbname": "d", "sslmode": "require"]),
    ("postgres://[::1]:7/d?a_schema=x", nil, nil),
    ("postgres://", nil, [:]),
  ]) func whatIsOursIsTakenOutAndLibpqReadsTheRest(text: String, schema: String?, parameters: [String: String]?) throws
  {
    guard let parameters else {
      #expect(throws: ReplayError.self) { try PostgresAddress(text) }
      return
    }
    let address = try PostgresAddress(text)
    #expect(address.schema == schema)
    #expect(address.parameters == parameters)
    #expect(address.shown == text)
  }

  @Test(arguments: [
    ("/run/postgresql", true), ("", true), ("localhost", true), ("127.0.0.1", true), ("127.1.2.3", true),
    ("::1", true), ("@abstract", true), ("db.example.com", false), ("10.0.0.1", false), ("127.example.org", false),
    ("localhost.example.org", false), ("localhost,db.example.com", false), ("/run,localhost", true),
    ("128.0.0.1", false),
  ]) func aServerElsewhereProvesWhoItIs(host: String, isLocal: Bool) {
    #expect(Encryption.isLocal(host: host, address: "") == isLocal)
    let effective = ["host": host, "sslmode": "prefer"]
    #expect(Encryption.needed(effective: effective, given: [:], environment: nil) == (isLocal ? nil : "verify-full"))
    #expect(Encryption.needed(effective: effective, given: ["sslmode": "disable"], environment: nil) == nil)
    #expect(Encryption.needed(effective: effective, given: [:], environment: "require") == nil)
    // From a service file.
    #expect(Encryption.needed(effective: ["host": host, "sslmode": "require"], given: [:], environment: nil) == nil)
  }

  /// A name that is looked up elsewhere is no reason to trust the address.
  @Test func theAddressCountsWhereBothAreGiven() {
    #expect(!Encryption.isLocal(host: "localhost", address: "10.0.0.1"))
    #expect(Encryption.isLocal(host: "db.example.com", address: "127.0.0.1"))
  }

  @Test(arguments: [0, 1, 49, 50, 1_000, 10_000]) func aBackoffWaitsAsLongAsItsPatienceAndNoLonger(patience: Int) {
    var backoff = Backoff(patienceMilliseconds: patience)
    var waits: [Int] = []
    while let wait = backoff.wait() { waits.append(wait) }
    #expect(waits.reduce(0, +) == patience)
    #expect(waits.dropLast() == waits.dropLast().sorted()[...])
    #expect(waits.allSatisfy { (1...2_000).contains($0) })
  }
}
