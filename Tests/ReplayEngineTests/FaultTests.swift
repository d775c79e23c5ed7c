import ReplayCore
import ReplayEngine
import ReplayTesting
import RetailProjections
import Testing

/// Keeps each customer's last sequence number, and refuses one that goes back.
struct OrderProbe: Projection {
  let name = "order-probe"
  var reads = Reads()
  var seen = KeyedTable("seen", key: "customer")
  let sequence: IntegerField
  let last: ValueColumn
  /// The sequence number at which the function fails.
  var failsAt: Int64 = -1

  struct WentBack: Error {}
  struct Refused: Error {}

  init(failsAt: Int64 = -1) {
    sequence = reads.integer("sequence")
    last = seen.column("last", .integer)
    self.failsAt = failsAt
  }

  var tables: [any Table] { [seen] }

  func apply(_ batch: Batch, _ changes: Changes) throws {
    let rows = changes[seen]
    for event in batch {
      let number = try event[sequence]
      if number == failsAt { throw Refused() }
      let own = try rows[event]
      if let before = try own.find(), before.integer(last) >= number { throw WentBack() }
      try own.upsert().set(last, to: number)
    }
  }
}

/// Rules 1, 3 and 4: order per key, and nothing behind a fault.
struct FaultTests {
  @Test(arguments: [1, 2, 7, 16]) func noKeyEverGoesBack(lanes: Int) throws {
    let (source, plan) = archive(sales(4000, partitions: 1, seed: 1), segments: 12)
    for _ in 0..<5 {
      try TestRun(
        functions: [OrderProbe()], source: source, plan: plan, database: MemoryDatabase(), lanes: lanes,
        blockBytes: 1024, commitEvents: 300
      ).run()
    }
  }

  @Test(arguments: [0, 1, 499, 500, 777, 1999], [0, Int.max])
  func beforeTheEventThatFailsAllIsCommitted(place: Int, holdAbove: Int) throws {
    let events = sales(2000, partitions: 1, seed: 2)
    let (source, plan) = archive(events, segments: 4)
    let database = MemoryDatabase()
    var run = TestRun(
      functions: [OrderProbe(failsAt: Int64(place))], source: source, plan: plan, database: database, lanes: 3,
      blockBytes: 1024, commitEvents: 100, holdAboveBytes: holdAbove)
    let error = #expect(throws: ReplayError.self) { try run.run() }
    #expect(error?.code == .data)
    #expect(error?.details.last?.hasPrefix("event: {") == true)
    #expect(error?.place?.ordinal == UInt64(place % 500))
    var last: [String: Int] = [:]
    for sale in events[0].prefix(place) { last[sale.customer] = sale.sequence }
    #expect(database.dump() == last.map { "seen|\($0)|\($1)" }.sorted())
    run.functions = [OrderProbe()]
    try run.run()
    for sale in events[0] { last[sale.customer] = sale.sequence }
    #expect(database.dump() == last.map { "seen|\($0)|\($1)" }.sorted())
  }

  /// A flipped bit in the third of four segments: its frame is not in the rows, what is before it is.
  @Test func aDamagedFrameIsLeftOutWhole() throws {
    let events = sales(2000, partitions: 1, seed: 4)
    var (source, plan) = archive(events, segments: 4)
    let good = source.files["p0-1000"] ?? []
    source.files["p0-1000"]?[good.count / 2] ^= 8
    plan.partitions[0].segments = plan.partitions[0].segments.map { segment in
      Segment(
        entry: source.entry(segment.name) ?? segment.entry, partition: segment.partition, numbering: segment.numbering)
    }
    let database = MemoryDatabase()
    let error = #expect(throws: ReplayError.self) {
      try TestRun(source: source, plan: plan, database: database, blockBytes: 1024, commitEvents: 100).run()
    }
    #expect(error?.code == .data)
    #expect(error?.place?.segment == "p0-1000")
    #expect(database.dump() == model([Array(events[0].prefix(1000))]))
  }

  /// Whether the partitions are taken to separate the keys (one topic) or not (two topics, or `--key`).
  @Test(arguments: [true, false], [1, 2, 8]) func aKeyInTwoPartitionsIsRefused(separate: Bool, lanes: Int) throws {
    let events = sales(1000, partitions: 1, seed: 6)
    var (source, plan) = archive([events[0], events[0]], segments: 2)
    plan.partitionsSeparateKeys = separate
    let error = #expect(throws: ReplayError.self) {
      try TestRun(source: source, plan: plan, database: MemoryDatabase(), lanes: lanes).run()
    }
    #expect(error?.code == .data && error?.summary.contains("two partitions") == true)
  }

  @Test func aRuleThatRefusesASegmentStopsBeforeIt() throws {
    struct RefusesSecond: ChainRule {
      let needsSequence = false
      let acceptsGaps = false
      func begin(_ segment: Segment, firstNumber: UInt64?, previousEnd: Position?) throws {
        if segment.name == "p0-500" { throw ReplayError(.data, "refused") }
      }
      func examine(_ segment: Segment, _ summary: SegmentSummary, previousEnd: Position?) throws -> [ChainFinding] {
        if segment.name == "p0-500" { throw ReplayError(.data, "refused") }
        return []
      }
    }
    let events = sales(2000, partitions: 1, seed: 8)
    let (source, plan) = archive(events, segments: 4)
    for lanes in [1, 4] {
      let database = MemoryDatabase()
      #expect(throws: ReplayError.self) {
        try TestRun(source: source, plan: plan, database: database, lanes: lanes, rule: RefusesSecond()).run()
      }
      #expect(database.dump() == model([Array(events[0].prefix(500))]))
    }
  }

  @Test func aRequestToStopEndsTheRunAndTheNextGoesOn() throws {
    let events = sales(2000, partitions: 2, seed: 9)
    let (source, plan) = archive(events, segments: 4)
    let database = MemoryDatabase()
    var run = TestRun(source: source, plan: plan, database: database)
    run.stop.stop()
    _ = try run.run()
    run.stop = StopRequest()
    try run.run()
    #expect(database.dump() == model(events))
  }

  /// A run that ends after any of its commits, and one that goes on: the rows, and no segment is said to be half read
  /// that was read whole, though the first run stood at its very end.
  @Test(arguments: 1...24) func afterAnyCommit(last: Int) throws {
    let events = sales(1200, partitions: 3, seed: 10)
    let (source, plan) = archive(events, segments: 4)
    let database = MemoryDatabase()
    var run = TestRun(source: source, plan: plan, database: database, commitEvents: 50, lastCommit: last)
    _ = try? run.run()
    run.lastCommit = .max
    try run.run()
    #expect(database.dump() == model(events))
    for function in run.functions { #expect(database.checkpoint(of: function.name)?.halfRead == []) }
  }
}
