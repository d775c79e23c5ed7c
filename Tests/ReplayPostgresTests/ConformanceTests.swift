import ReplayCore
import ReplayPostgres
import ReplayTesting
import Testing

@Suite struct ConformanceTests {
  /// Another one in each run of the tests; printed, so that a failure can be made again.
  static let seed: UInt64 = {
    let seed = UInt64.random(in: 0...9999)
    print("PostgreSQL store conformance seed: \(seed)")
    return seed
  }()

  @Test(arguments: StoreConformance.all) func postgres(_ one: StoreConformance.Case) throws {
    let server = try #require(Server.shared, "PostgreSQL 15 could not be started: `make deps` installs it")
    try one.run(try server.scratch().underTest, Self.seed)
  }

  /// The same in slices of two rows, as where readers are to have their turn between them.
  @Test(arguments: StoreConformance.all) func postgresInSlices(_ one: StoreConformance.Case) throws {
    let server = try #require(Server.shared, "PostgreSQL 15 could not be started: `make deps` installs it")
    let scratch = try server.scratch()
    var options = PostgresStore.Options(gate: WorkGate(pace: 0.9, now: { 0 }))
    options.sliceRows = 2
    let slow = options
    try one.run(
      StoreUnderTest(make: { try scratch.store(slow) }, holdsNUL: false, dump: { try scratch.dump() }), Self.seed)
  }
}
