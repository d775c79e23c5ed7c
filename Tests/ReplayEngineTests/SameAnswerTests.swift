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
    for (blockBytes, commitEvents) in [(1024, UInt64(1)), (4096, 97), (65_536, .max)] {
      let database = MemoryDatabase()
      let report = try TestRun(
        source: source, plan: plan, database: database, lanes: lanes, blockBytes: blockBytes,
        commitEvents: commitEvents
      ).run()
      #expect(database.dump() == model(events), "lanes \(lanes), blocks \(blockBytes), commit every \(commitEvents)")
      for function in report.functions { #expect(function.total.read == 3000 && function.total.balance) }
    }
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
