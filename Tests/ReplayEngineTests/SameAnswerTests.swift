import ReplayCore
import ReplayEngine
import ReplayTesting
import RetailProjections
import Testing

/// Rule 6: the same rows for any number of lanes, any block size, any interruption.
struct SameAnswerTests {
  @Test(arguments: [1, 2, 3, 5, 8, 16], [1, 4])
  func anyNumberOfLanes(lanes: Int, partitions: Int) throws {
    let events = sales(3000, partitions: partitions, seed: 7)
    let (source, plan) = archive(events, segments: 6)
    for (blockBytes, commitEvents, holdAbove) in [
      (1024, UInt64(1), 0), (4096, 97, .max), (4096, 97, 0), (65_536, .max, 0),
    ] {
      let database = MemoryDatabase()
      let report = try TestRun(
        source: source, plan: plan, database: database, lanes: lanes, blockBytes: blockBytes,
        commitEvents: commitEvents, holdAboveBytes: holdAbove
      ).run()
      #expect(
        database.dump() == model(events),
        "lanes \(lanes), blocks \(blockBytes), commit every \(commitEvents), held back above \(holdAbove)")
      for function in report.functions { #expect(function.total.read == 3000 && function.total.balance) }
    }
  }

  /// Columns that depend on an order of the events, and lists, folded by any number of lanes into any number of commits.
  @Test(arguments: [1, 3, 8], [UInt64(1), 97, .max]) func orderedColumns(lanes: Int, commitEvents: UInt64) throws {
    let events = sales(1500, partitions: 3, seed: 13)
    let (source, plan) = archive(events, segments: 4)
    let database = MemoryDatabase()
    try TestRun(
      functions: [ShadeStories()], source: source, plan: plan, database: database, lanes: lanes, blockBytes: 1024,
      commitEvents: commitEvents
    ).run()
    let found = database.dump().map { line in
      let parts = line.split(separator: "|", omittingEmptySubsequences: false)
      return [1, 2, 4, 6, 8].map { String(parts[$0]) }.joined(separator: "|")
    }
    #expect(found == ShadeStories.model(events), "lanes \(lanes), commit every \(commitEvents), seed 13")
  }

  /// Keyed rows that are forgotten after each commit and loaded again.
  @Test(arguments: [1, 4]) func withoutMemoryForRows(partitions: Int) throws {
    let events = sales(2000, partitions: partitions, seed: 11)
    let (source, plan) = archive(events, segments: 5)
    let database = MemoryDatabase()
    try TestRun(
      source: source, plan: plan, database: database, blockBytes: 1024, commitEvents: 50, maxStateBytes: 1
    ).run()
    #expect(database.dump() == model(events))
  }

  /// Open changes above the limit make a commit due, however the keys are kept apart; what is cached is no change.
  @Test(arguments: [1, 3]) func memoryOfChangesMakesACommitDue(partitions: Int) throws {
    let events = sales(2000, partitions: partitions, seed: 12)
    let (source, plan) = archive(events, segments: 8)
    for (commitBytes, least, most) in [(1, UInt64(4), UInt64.max), (192 << 20, 1, 1)] {
      let database = MemoryDatabase()
      let report = try TestRun(
        functions: [RecentlyViewed()], source: source, plan: plan, database: database, lanes: 3, blockBytes: 1024,
        commitBytes: commitBytes, holdAboveBytes: .max
      ).run()
      #expect(report.epochs >= least && report.epochs <= most, "\(report.epochs) commits for \(commitBytes) bytes")
      #expect(database.dump() == model(events).filter { $0.hasPrefix("recently_viewed") })
    }
  }

  /// A run over a growing archive, each time with other lanes: what is settled is never read again.
  @Test func theArchiveGrowsBetweenRuns() throws {
    var chance = SplitMix64(seed: 5)
    let events = sales(3000, partitions: 3, seed: 5)
    let (source, plan) = archive(events, segments: 8)
    let database = MemoryDatabase()
    var read: UInt64 = 0
    for count in [2, 5, 5, 8] {
      var part = plan
      for index in part.partitions.indices { part.partitions[index].segments.removeLast(8 - count) }
      let lanes = chance.number(1...8)
      let report = try TestRun(source: source, plan: part, database: database, lanes: lanes, commitEvents: 200).run()
      read += report.functions[0].total.read
    }
    #expect(read == 3000)
    #expect(database.dump() == model(events), "seed 5")
  }

  /// Functions that were run apart to different places go on in one read.
  @Test func functionsWithDifferentPositions() throws {
    let events = sales(2000, partitions: 2, seed: 3)
    let (source, plan) = archive(events, segments: 4)
    let database = MemoryDatabase()
    var half = plan
    for index in half.partitions.indices { half.partitions[index].segments.removeLast(2) }
    try TestRun(functions: [EventCounts()], source: source, plan: half, database: database).run()
    try TestRun(source: source, plan: plan, database: database, lanes: 3).run()
    #expect(database.dump() == model(events))
  }
}

/// First, last and recent customers of each shade, by day, and all customers.
private struct ShadeStories: Projection {
  let name = "shade-stories"
  var reads = Reads()
  private var stories = MergedTable("stories", key: .text("shade"))
  private let shade: TextField, customer: TextField, time: TimeField
  private let first: FirstColumn, last: LastColumn, recent: RecentColumn, all: SetColumn

  init() {
    shade = reads.text("data.shade")
    customer = reads.text("partitionkey")
    time = reads.time()
    first = stories.first("first", .text)
    last = stories.last("last", .text)
    recent = stories.recent("recent", .text, limit: 4)
    all = stories.union("all_customers", .text)
  }

  var tables: [any Table] { [stories] }

  func apply(_ batch: Batch, _ changes: Changes) throws {
    let rows = changes[stories]
    for event in batch {
      let row = try rows[event[shade]]
      let (who, day) = (try event[customer], try event[time].day)
      try row.keep(who, in: first, by: day, of: event)
      try row.keep(who, in: last, by: day, of: event)
      try row.keep(who, in: recent, by: day, of: event)
      try row.insert(who, into: all)
    }
  }

  /// The same by sorting: by day, then partition, then place.
  static func model(_ events: [[Sale]]) -> [String] {
    Dictionary(grouping: events.flatMap { $0 }, by: \.shade).map { shade, _ in
      let own = events.enumerated().flatMap { partition, list in
        list.filter { $0.shade == shade }.map { (day: $0.day, partition: partition, sale: $0) }
      }.sorted { ($0.day, $0.partition, $0.sale.sequence) < ($1.day, $1.partition, $1.sale.sequence) }
      let who = own.map(\.sale.customer)
      let quoted = { (list: [String]) in "[" + list.map { "\"\($0)\"" }.joined(separator: ",") + "]" }
      let lists = [quoted(who.reversed().prefix(4).map { $0 }), quoted(Set(who).sorted())]
      return ([shade, who[0], who[who.count - 1]] + lists).joined(separator: "|")
    }.sorted()
  }
}
