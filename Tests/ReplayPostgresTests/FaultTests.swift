import ReplayCore
import ReplayPostgres
import ReplayTesting
import Testing

@Suite struct FaultTests {
  /// A function with one merged table: integer key, sum.
  struct Sums: Projection {
    let name = "sums"
    private(set) var table = MergedTable("sums", key: .integer("id"))
    private let total: SumColumn
    var views: [(name: String, select: String)] = []
    var reads: Reads { Reads() }
    var tables: [any Table] { [table] }

    init() { total = table.sum("total") }

    func apply(_ batch: Batch, _ changes: Changes) throws {}

    func epoch(_ ids: [Int64], add: Int128 = 1) throws -> EpochCommit {
      let rows = MergedRows(table.schema)
      for id in ids { try rows[id].add(FixedDecimal(unscaled: add, scale: 0), to: total) }
      return EpochCommit(functions: [
        .init(name: name, changes: [rows.sorted()], frontier: [:], settled: [], events: UInt64(ids.count))
      ])
    }
  }

  private let sums = Sums()

  private func opened() throws -> (Scratch, PostgresStore) {
    let server = try #require(Server.shared)
    let scratch = try server.scratch()
    let store = PostgresStore(try scratch.server.address(scratch.schema, more: "&application_name=\(scratch.schema)"))
    _ = try store.open([FunctionIdentity(sums)], range: .all, refresh: false)
    return (scratch, store)
  }

  private func endConnections(_ scratch: Scratch) throws -> Int {
    try scratch.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '\(scratch.schema)'"
    )
    .count
  }

  @Test func aConnectionThatWasLostBetweenCommitsIsMadeAgain() throws {
    let (scratch, store) = try opened()
    for round in 1...3 {
      #expect(try endConnections(scratch) == 1)
      #expect(try store.commit(try sums.epoch([1, 2])) == .committed(rows: 2))
      #expect(try scratch.dump().sorted() == ["sums|1|\(round)", "sums|2|\(round)"])
    }
    #expect(try endConnections(scratch) == 1)
    #expect(try store.takenOver() == nil)
    try store.close()
  }

  /// A crash with `synchronous_commit = off`, or a standby that was behind: what this run would write is made on top of what
  /// is no longer there.
  @Test func commitsThatTheServerLostEndTheRun() throws {
    let (scratch, store) = try opened()
    for _ in 1...2 { _ = try store.commit(try sums.epoch([1])) }
    try scratch.sql("UPDATE _replay_functions SET epochs = 1; UPDATE sums SET total = 1")
    let error = #expect(throws: ReplayError.self) { _ = try store.commit(try sums.epoch([1])) }
    #expect(error?.code == .temporary)
    #expect(error?.details.first == "sums has 1 commits there, 2 were done")
    #expect(try scratch.dump() == ["sums|1|1"])
    // The next run goes on from there.
    try store.close()
    _ = try store.open([FunctionIdentity(sums)], range: .all, refresh: false)
    #expect(try store.commit(try sums.epoch([1])) == .committed(rows: 1))
    #expect(try scratch.dump() == ["sums|1|2"])
    try store.close()
  }

  /// The server ends the connection while it works on COMMIT; the first time only, or every time.
  @Test(arguments: [1, 3]) func aCommitThatWasNotDoneIsDoneAgain(times: Int) throws {
    let (scratch, store) = try opened()
    _ = try store.commit(try sums.epoch([7]))
    try scratch.sql(
      """
      CREATE SEQUENCE tries; CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
        IF nextval('\(scratch.schema).tries') <= \(times) THEN
          PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1);
        END IF; RETURN NULL; END$$;
      CREATE CONSTRAINT TRIGGER failing AFTER UPDATE ON _replay_functions DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION fail()
      """)
    #expect(try store.commit(try sums.epoch([7, 8])) == .committed(rows: 2))
    #expect(try scratch.dump().sorted() == ["sums|7|2", "sums|8|1"])
    #expect(try scratch.sql("SELECT epochs, events FROM _replay_functions") == ["2|3"])
    #expect(try scratch.sql("SELECT last_value FROM tries") == ["\(times + 1)"])
    try store.close()
  }

  /// A role of its own, whose connections can be forbidden: as if the server were away.
  private func openedByRole() throws -> (Scratch, PostgresStore, setAway: (Bool) throws -> Void) {
    let server = try #require(Server.shared)
    let scratch = try server.scratch()
    let role = "r\(scratch.schema)"
    try scratch.sql("CREATE ROLE \(role) LOGIN; GRANT CREATE, USAGE ON SCHEMA \(scratch.schema) TO \(role)")
    let address = try PostgresAddress(
      "postgresql:///postgres?host=\(server.directory)&user=\(role)&schema=\(scratch.schema)"
        + "&application_name=\(scratch.schema)")
    let store = PostgresStore(address, options: PostgresStore.Options(patienceMilliseconds: 300, sleep: { _ in }))
    _ = try store.open([FunctionIdentity(sums)], range: .all, refresh: false)
    _ = try store.commit(try sums.epoch([1]))
    return (scratch, store, { try scratch.sql("ALTER ROLE \(role) CONNECTION LIMIT \($0 ? 0 : -1)") })
  }

  @Test func whereTheServerStaysAwayACommitIsAnErrorAndNothingIsThere() throws {
    let (scratch, store, setAway) = try openedByRole()
    try setAway(true)
    #expect(try endConnections(scratch) == 1)
    let error = #expect(throws: ReplayError.self) { try store.commit(try sums.epoch([1])) }
    #expect(error?.code == .unavailable)
    try setAway(false)
    #expect(try store.commit(try sums.epoch([1])) == .committed(rows: 1))
    #expect(try scratch.dump() == ["sums|1|2"])
    try store.close()
  }

  @Test func whereNobodySaysWhatBecameOfACommitItIsUnknown() async throws {
    let (scratch, store, setAway) = try openedByRole()
    try scratch.sql(
      """
      CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
        PERFORM pg_sleep(2); PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NULL; END$$;
      CREATE CONSTRAINT TRIGGER failing AFTER UPDATE ON _replay_functions DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION fail()
      """)
    let epoch = try sums.epoch([1])
    let committing = Task.detached { try store.commit(epoch) }
    let atCommit = """
      SELECT 1 FROM pg_stat_activity WHERE application_name = '\(scratch.schema)' AND query = 'COMMIT' AND state = 'active'
      """
    while try scratch.sql(atCommit).isEmpty { try await Task.sleep(for: .milliseconds(20)) }
    try setAway(true)
    #expect(try await committing.value == .unknown)
    try setAway(false)
    #expect(try scratch.dump() == ["sums|1|1"])
    try store.close()
  }

  /// The message has the row, though the server's does not.
  @Test func theRowWhoseSumIsTooLargeIsNamedAmongMany() throws {
    let (scratch, store) = try opened()
    _ = try store.commit(try sums.epoch([4711], add: Int128(Int64.max)))
    let error = #expect(throws: ReplayError.self) { try store.commit(try sums.epoch(Array(4000...6000))) }
    #expect("\(error as Any)".contains("id 4711"), "\(error as Any)")
    #expect(error?.code == .data)
    #expect(try store.commit(try sums.epoch([1])) == .committed(rows: 1))
    #expect(try scratch.dump().count == 2)
    try store.close()
  }

  /// Of another program; found where the table was thought to be empty, too.
  @Test func aConstraintThatRefusesARowEndsTheCommitWithTheRow() throws {
    let (scratch, store) = try opened()
    try scratch.sql("ALTER TABLE sums ADD CHECK (id <> 13)")
    for _ in 0..<2 {
      let error = #expect(throws: ReplayError.self) { try store.commit(try sums.epoch([12, 13, 14])) }
      #expect(error?.code == .data)
      #expect("\(error as Any)".contains("table sums"), "\(error as Any)")
      #expect(try scratch.dump().isEmpty)
    }
    #expect(try store.commit(try sums.epoch([12])) == .committed(rows: 1))
    try store.close()
  }

  @Test func rowsThatAnotherProgramPutIntoAnEmptyTableAreMerged() throws {
    let (scratch, store) = try opened()
    try scratch.sql("INSERT INTO sums VALUES (1, 100)")
    #expect(try store.commit(try sums.epoch([1, 2])) == .committed(rows: 2))
    #expect(try scratch.dump().sorted() == ["sums|1|101", "sums|2|1"])
    try store.close()
  }

  @Test func aViewIsMadeAnewWhereItsSelectChanged() throws {
    let server = try #require(Server.shared)
    let scratch = try server.scratch()
    var sums = Sums()
    for (select, rows) in [
      ("SELECT id FROM sums", ["1"]), ("SELECT total, 'it''s ?' AS x FROM sums", ["1|it's ?"]),
      ("SELECT id FROM sums", ["1"]),
    ] {
      sums.views = [("seen", select)]
      let store = try scratch.store()
      let checkpoint = try store.open([FunctionIdentity(sums)], range: .all, refresh: false)[0]
      if checkpoint.isFresh { _ = try store.commit(try sums.epoch([1])) }
      #expect(try scratch.sql("SELECT * FROM seen") == rows)
      try store.close()
    }
    sums.views = [("seen", "SELECT nothing FROM sums")]
    let error = #expect(throws: ReplayError.self) {
      try scratch.store().open([FunctionIdentity(sums)], range: .all, refresh: false)
    }
    #expect(error?.code == .usage)
    #expect("\(error as Any)".contains("PostgreSQL can run"))
    #expect(try scratch.sql("SELECT * FROM seen") == ["1"])
  }
}
