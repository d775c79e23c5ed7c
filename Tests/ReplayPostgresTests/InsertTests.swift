import ReplayCore
import ReplayPostgres
import ReplayTesting
import Testing

/// Rows of keys that the store does not have go into the table without a merge.
@Suite struct InsertTests {
  /// One row a customer, replaced whole.
  struct Profiles: Projection {
    let name = "profiles"
    private(set) var table = KeyedTable("profiles", key: "customer", then: .integer("line"))
    private let score: ValueColumn
    var reads: Reads { Reads() }
    var tables: [any Table] { [table] }

    init() { score = table.column("score", .integer) }

    func apply(_ batch: Batch, _ changes: Changes) throws {}

    func set(_ customers: [String], to score: Int64, in rows: KeyedRows) throws {
      for customer in customers {
        try Array(customer.utf8).withUnsafeBytes { bytes in
          try rows.rows(of: Text(bytes), in: 0).upsert(1).set(self.score, to: score)
        }
      }
    }

    func epoch(_ sets: [RowSet]) -> EpochCommit {
      EpochCommit(functions: [.init(name: name, changes: sets, frontier: [:], settled: [], events: 1)])
    }
  }

  private let profiles = Profiles()

  private func opened() throws -> (Scratch, PostgresStore) {
    let scratch = try #require(Server.shared).scratch()
    let store = try scratch.store()
    _ = try store.open([FunctionIdentity(profiles)], range: .all, refresh: false)
    return (scratch, store)
  }

  @Test func onlyKeysThatWereNeverWrittenAreNew() throws {
    let rows = KeyedRows(profiles.table.schema)
    try profiles.set(["ann", "bob"], to: 1, in: rows)
    #expect(rows.snapshot().isNew)
    try profiles.set(["cai"], to: 1, in: rows)
    #expect(rows.snapshot().isNew)
    try profiles.set(["bob", "dee"], to: 2, in: rows)
    #expect(!rows.snapshot().isNew)
    #expect(rows.snapshot().isNew, "nothing was changed")
  }

  @Test func newKeysJoinTheOthers() throws {
    let (scratch, store) = try opened()
    let (one, two) = (KeyedRows(profiles.table.schema), KeyedRows(profiles.table.schema))
    try profiles.set(["ann", "eve"], to: 1, in: one)
    #expect(try store.commit(profiles.epoch([one.snapshot()])) == .committed(rows: 2))
    try profiles.set(["bob", "zoe"], to: 2, in: one)
    try profiles.set(["cai"], to: 2, in: two)
    #expect(try store.commit(profiles.epoch([one.snapshot(), two.snapshot()])) == .committed(rows: 3))
    // One of two lanes has an old key: all are merged.
    try profiles.set(["ann"], to: 3, in: one)
    try profiles.set(["dee"], to: 3, in: two)
    #expect(try store.commit(profiles.epoch([one.snapshot(), two.snapshot()])) == .committed(rows: 2))
    let expected = ["ann|1|3", "bob|1|2", "cai|1|2", "dee|1|3", "eve|1|1", "zoe|1|2"].map { "profiles|" + $0 }
    #expect(try scratch.dump().sorted() == expected)
    try store.close()
  }

  /// They are replaced, as by any other commit.
  @Test func rowsThatSomebodyElseMadeOfANewKeyAreNoError() throws {
    let (scratch, store) = try opened()
    let rows = KeyedRows(profiles.table.schema)
    try profiles.set(["ann"], to: 1, in: rows)
    _ = try store.commit(profiles.epoch([rows.snapshot()]))
    try scratch.sql("INSERT INTO profiles VALUES ('cai', 1, 99), ('mine', 1, 7)")
    try profiles.set(["bob", "cai", "dee"], to: 2, in: rows)
    #expect(try store.commit(profiles.epoch([rows.snapshot()])) == .committed(rows: 3))
    let expected = ["ann|1|1", "bob|1|2", "cai|1|2", "dee|1|2", "mine|1|7"].map { "profiles|" + $0 }
    #expect(try scratch.dump().sorted() == expected)
    try store.close()
  }
}
