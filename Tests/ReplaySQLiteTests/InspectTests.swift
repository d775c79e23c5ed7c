import ReplayCore
import ReplaySQLite
import Testing

@Suite struct InspectTests {
  private static let noon = Timestamp(microseconds: 1_769_860_800_000_000)
  private static let options = SQLiteStore.Options(now: { noon })

  @Test func missingFile() throws {
    let scratch = try Scratch()
    let error = #expect(throws: ReplayError.self) { try SQLiteInspector(scratch.path).inspect() }
    #expect(error?.code == .missing)
    #expect(scratch.names == [])
  }

  @Test func emptyFileAndForeignDatabase() throws {
    let scratch = try Scratch()
    scratch.write("")
    #expect(try SQLiteInspector(scratch.path).inspect().isEmpty)
    try scratch.sql("CREATE TABLE mine (x)")
    #expect(try SQLiteInspector(scratch.path).inspect().isEmpty)
    #expect(scratch.names == ["store.db"])
  }

  @Test func whatARunLeft() throws {
    let scratch = try Scratch()
    let store = try run(scratch)
    try check(scratch, "beside a running writer")
    try store.close()
    #expect(scratch.names == ["store.db"], "close leaves one file")
    try check(scratch, "after the run")
    #expect(scratch.names == ["store.db"], "inspecting makes no file")
  }

  @Test func positionsAlone() throws {
    let scratch = try Scratch()
    #expect(throws: ReplayError.self) { try SQLiteInspector(scratch.path).positions() }
    #expect(scratch.names == [])
    let store = try run(scratch)
    let beside = try SQLiteInspector(scratch.path).positions()
    try store.close()
    for found in [beside, try SQLiteInspector(scratch.path).positions()] {
      #expect(found.map(\.name) == ["daily", "other"])
      #expect(found.map(\.next) == [[partition("10"): Position(5), partition("2"): Position(7)], [:]])
      #expect(found.map(\.phase) == [.archive, .archive])
    }
    #expect(scratch.names == ["store.db"], "asking makes no file")
  }

  /// Each commit is seen by the next question, however fast they follow each other: a file's time moves in ticks.
  @Test func aWatchMissesNoCommit() throws {
    let scratch = try Scratch()
    var watch = PositionsWatch(scratch.path)
    #expect(throws: ReplayError.self) { try watch.positions() }
    let function = Function.sums()
    let store = scratch.store()
    try store.open(function)
    for number in 1...300 {
      _ = try store.commit(function.epoch([], at: [partition("2"): Position(UInt64(number))]))
      #expect(try watch.positions().first?.next[partition("2")] == Position(UInt64(number)))
    }
    try store.close()
    #expect(try watch.positions().first?.next[partition("2")] == Position(300))
    #expect(scratch.names == ["store.db"], "watching makes no file, and leaves none behind")
    let again = scratch.store()
    try again.open(function)
    _ = try again.commit(function.epoch([], at: [partition("2"): Position(301)]))
    #expect(try watch.positions().first?.next[partition("2")] == Position(301))
    try again.close()
  }

  /// What `status` offers is a command that came to something.
  @Test func theCommandIsThatOfTheLastCommit() throws {
    let scratch = try Scratch()
    let function = Function.sums()
    func run(_ command: String, commits: Bool, refresh: Bool = false) throws {
      let store = scratch.store(SQLiteStore.Options(command: command))
      try store.open(function, refresh: refresh)
      if commits { _ = try store.commit(function.epoch([(1, 1)])) }
      try store.close()
    }
    for (command, commits, refresh, kept) in [
      ("first, which fails", false, false, "first, which fails"), ("second", false, false, "second"),
      ("third", true, false, "third"), ("fourth, which fails", false, false, "third"), ("fifth", true, false, "fifth"),
      ("anew, which fails", false, true, "fifth"), ("anew", true, true, "anew"),
    ] {
      try run(command, commits: commits, refresh: refresh)
      #expect(try SQLiteInspector(scratch.path).inspect().first?.command == kept, "\(command)")
    }
  }

  private func run(_ scratch: Scratch) throws -> SQLiteStore {
    let function = Function.sums()
    let store = scratch.store(Self.options)
    try store.open(function, .sums("other", table: "other_sums"))
    var epoch = function.epoch([(1, 1), (2, 2)], at: [partition("10"): Position(5), partition("2"): Position(7)])
    let entry = SegmentEntry(name: "orders/2/0.gz", size: 9, version: "")
    epoch.functions[0].settled = [
      SettledSegment(partition: partition("2"), entry: entry, digest: 1, records: 7, end: Position(7))
    ]
    _ = try store.commit(epoch)
    return store
  }

  private func partition(_ id: String) -> Partition { Partition(log: "orders", id: id) }

  private func check(_ scratch: Scratch, _ when: Comment) throws {
    let found = try SQLiteInspector(scratch.path).inspect()
    #expect(found.map(\.name) == ["daily", "other"], when)
    let daily = try #require(found.first)
    #expect([daily.events, daily.epochs] == [2, 1], when)
    #expect(daily.version == 1 && daily.phase == .archive && daily.range == .all, when)
    #expect(daily.updatedAt == Self.noon, when)
    #expect(daily.owner.hasSuffix("since 2026-01-31T12:00:00.000Z"), when)
    #expect(daily.positions.map(\.partition) == [partition("2"), partition("10")], when)
    #expect(daily.positions.map(\.next) == [Position(7), Position(5)], when)
    #expect(daily.checkpoint.settled.count == 1, when)
    #expect(daily.tables.map(\.name) == ["sums"] && daily.tables.map(\.rows) == [2], when)
    #expect(found[1].events == 0 && found[1].positions.isEmpty, when)
  }

  @Test func namesThatAnAddressWouldMisread() throws {
    let scratch = try Scratch()
    for name in ["a?b=c.db", "a#b.db", "a%41.db", "ä b.db"] {
      let path = scratch.directory + "/" + name
      let store = SQLiteStore(path: path, options: Self.options)
      try store.open(.sums())
      try store.close()
      #expect(try SQLiteInspector(path).inspect().map(\.name) == ["daily"])
    }
    #expect(scratch.names.count == 4)
  }
}
