import Foundation
import ReplayCore
import ReplayTesting
import Synchronization
import Testing

@testable import ReplayPostgres

/// Rows that go into the database slice by slice.
@Suite struct SliceTests {
  /// Rows of a slice, what it took in microseconds, rows of the next one: 5 ms are aimed at, by at most a factor of two.
  @Test(arguments: [
    (500, 5_000, 500), (500, 10_000, 250), (500, 100_000, 250), (500, 2_500, 1_000), (500, 1, 1_000), (500, 0, 1_000),
    (30, 100_000, 20), (20, 1_000_000, 20), (15_000, 100, 20_000), (20_000, 100, 20_000),
  ]) func theNextSliceTakesFiveMilliseconds(rows: Int, took: Int64, next: Int) {
    var slice = SliceSize(rows: rows)
    slice.took(took, for: rows)
    #expect(slice.rows == next)
  }

  @Test func theLastRowsOfATableSayNothing() {
    var slice = SliceSize(rows: 500)
    slice.took(1, for: 499)
    #expect(slice.rows == 500)
  }

  private let sums = FaultTests.Sums()

  private func opened(_ rows: Int, pace: Double = .infinity) throws -> (Scratch, PostgresStore) {
    let scratch = try #require(Server.shared).scratch()
    var options = PostgresStore.Options(gate: WorkGate(pace: pace, now: { 0 }))
    options.sliceRows = rows
    let store = try scratch.store(options)
    _ = try store.open([FunctionIdentity(sums)], range: .all, refresh: false)
    return (scratch, store)
  }

  @Test(arguments: [1, 7, 100, 1_000]) func theSumsAreThoseOfOneSlice(rows: Int) throws {
    let (scratch, store) = try opened(rows)
    #expect(try store.commit(try sums.epoch(Array(0..<100))) == .committed(rows: 100))
    #expect(try store.commit(try sums.epoch(Array(50..<150), add: 4)) == .committed(rows: 100))
    let expected = (0..<150).map { "sums|\($0)|\(($0 < 100 ? 1 : 0) + ($0 < 50 ? 0 : 4))" }
    #expect(try scratch.dump().sorted() == expected.sorted())
    try store.close()
  }

  /// Slices before it are written and taken back; after it comes another one.
  @Test func theRowWhoseSumIsTooLargeIsNamedWhateverItsSlice() throws {
    let (scratch, store) = try opened(20)
    _ = try store.commit(try sums.epoch([50], add: Int128(Int64.max)))
    let error = #expect(throws: ReplayError.self) { try store.commit(try sums.epoch(Array(0..<100))) }
    #expect("\(error as Any)".contains("id 50"), "\(error as Any)")
    #expect(try scratch.dump() == ["sums|50|\(Int64.max)"])
    #expect(try store.commit(try sums.epoch([1])) == .committed(rows: 1))
    try store.close()
  }

  /// A reader of a table that has no key yet would wait for the whole epoch.
  @Test func aTableHasItsKeyBeforeItsFirstRows() throws {
    let (scratch, store) = try opened(20)
    try scratch.sql("ALTER TABLE sums ADD CHECK (id <> 13)")
    #expect(throws: ReplayError.self) { try store.commit(try sums.epoch([12, 13])) }
    #expect(
      try scratch.sql("SELECT contype FROM pg_constraint WHERE conrelid = 'sums'::regclass AND contype = 'p'") == ["p"])
    #expect(try scratch.dump() == [])
    #expect(try store.commit(try sums.epoch([12])) == .committed(rows: 1))
    try store.close()
  }

  /// Who was overtaken makes no key.
  @Test func aRunThatWasTakenOverChangesNothing() throws {
    let (scratch, store) = try opened(20)
    let other = try scratch.store()
    _ = try other.open([FunctionIdentity(sums)], range: .all, refresh: false)
    guard case .fenced = try store.commit(try sums.epoch([1])) else {
      Issue.record("the older run committed")
      return
    }
    #expect(try other.commit(try sums.epoch([2])) == .committed(rows: 1))
    #expect(try scratch.dump() == ["sums|2|1"])
    for one in [store, other] { try one.close() }
  }

  /// Between two slices everybody rests: the gate's clock is turned by hand, so that nothing else is measured.
  @Test func slicesGoThroughTheGate() throws {
    let scratch = try #require(Server.shared).scratch()
    let clock = Atomic<Int64>(0)
    // Each question moves it by a millisecond: a slice asks four times.
    var options = PostgresStore.Options(
      gate: WorkGate(pace: 0.5, now: { clock.wrappingAdd(1_000, ordering: .relaxed).newValue }))
    options.sliceRows = 25
    let store = try scratch.store(options)
    _ = try store.open([FunctionIdentity(sums)], range: .all, refresh: false)
    _ = try store.commit(try sums.epoch(Array(0..<100)))
    #expect(options.gate.map(\.restedMicroseconds) ?? 0 > 0)
    try store.close()
  }
}

/// What stands for a reader.
@Suite struct ProbeTests {
  private let sums = FaultTests.Sums()

  private func ask(_ probe: PostgresProbe) throws {
    try probe.connect()
    try probe.ask()
    for _ in 0..<100 where try probe.hasAnswered(within: 100) { return }
    Issue.record("no answer in ten seconds")
  }

  @Test func itReadsRowsByTheirKeys() throws {
    let scratch = try #require(Server.shared).scratch()
    let store = try scratch.store()
    let probe = PostgresProbe(try scratch.address, tables: sums.tables.map(\.schema))
    // The table is not there.
    for _ in 0..<60 { try ask(probe) }
    _ = try store.open([FunctionIdentity(sums)], range: .all, refresh: false)
    _ = try store.commit(try sums.epoch(Array(0..<500)))
    try scratch.sql("SELECT pg_stat_reset()")
    for _ in 0..<120 { try ask(probe) }
    // Statistics come when the session ends.
    probe.hangUp()
    var reads = 0
    for _ in 0..<100 where reads < 40 {
      reads =
        Int(
          try scratch.sql(
            "SELECT idx_scan FROM pg_stat_user_tables WHERE relname = 'sums' AND schemaname = '\(scratch.schema)'")[0])
        ?? 0
      usleep(50_000)
    }
    #expect(reads >= 40)
    try store.close()
  }

  /// An answer that waits for a lock comes when the lock is gone, and is said not to be there until then.
  @Test func aQuestionBehindALockIsNotAnswered() throws {
    let scratch = try #require(Server.shared).scratch()
    let store = try scratch.store()
    _ = try store.open([FunctionIdentity(sums)], range: .all, refresh: false)
    _ = try store.commit(try sums.epoch(Array(0..<10)))
    let probe = PostgresProbe(try scratch.address, tables: sums.tables.map(\.schema))
    try ask(probe)
    let other = try Client(scratch.address)
    try other.sql("BEGIN; LOCK TABLE \(scratch.schema).sums IN ACCESS EXCLUSIVE MODE")
    try probe.ask()
    #expect(try !probe.hasAnswered(within: 100))
    #expect(try !probe.hasAnswered(within: 1))
    try other.sql("COMMIT")
    for _ in 0..<100 where try probe.hasAnswered(within: 100) { return try store.close() }
    Issue.record("no answer though the lock is gone")
  }

  @Test func aServerThatIsNotThereIsAnError() throws {
    let probe = PostgresProbe(try PostgresAddress("postgres://nobody@127.0.0.1:1/nothing"), tables: [])
    let error = #expect(throws: ReplayError.self) { try probe.connect() }
    #expect(error?.code == .unavailable)
  }

  /// A session that somebody ended is made again.
  @Test func aLostSessionIsMadeAgain() throws {
    let scratch = try #require(Server.shared).scratch()
    let probe = PostgresProbe(
      try scratch.server.address(scratch.schema, more: "&application_name=\(scratch.schema)"), tables: [])
    try ask(probe)
    try scratch.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '\(scratch.schema)'")
    var failures = 0
    for _ in 0..<5 { do { try ask(probe) } catch is ReplayError { failures += 1 } }
    #expect(failures <= 1)
    try ask(probe)
  }
}
