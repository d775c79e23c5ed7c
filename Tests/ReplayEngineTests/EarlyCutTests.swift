import ReplayCore
import ReplayEngine
import ReplayTesting
import RetailProjections
import Synchronization
import Testing

/// A partition that is read to its end is written while the others are read.
struct EarlyCutTests {
  /// All states of three partitions and several limits, against the rule in words.
  @Test func whichPartitionsAreHandedOver() {
    let states = [0, 5, 20].flatMap { bytes in
      [(true, true), (true, false), (false, true), (false, false)].map {
        EarlyCut.Partition(isDrained: $0.0, hasWork: $0.1, changedBytes: bytes)
      }
    }
    var wrong: [String] = []
    for a in states {
      for b in states {
        for c in states {
          for worth in [0, 1, 5, 6, 20, 25, 41] {
            let all = [a, b, c]
            let found = EarlyCut.partitions(all, worth: worth)
            let ready = [0, 1, 2].filter { all[$0].isDrained && all[$0].hasWork }
            let bytes = ready.map { all[$0].changedBytes }.reduce(0, +)
            let isLast = a.isDrained && b.isDrained && c.isDrained
            if found != (isLast || bytes < worth ? [] : ready) { wrong.append("\(all), worth \(worth)") }
          }
        }
      }
    }
    #expect(wrong.isEmpty)
  }

  /// Partitions in segments of 1 to 9 bytes, any number of workers: nobody is done later than by the best order, but for
  /// the last segments, which cannot be divided.
  @Test(arguments: 0..<200) func theOrderCostsNoTime(seed: Int) {
    var chance = SplitMix64(seed: UInt64(seed))
    let (workers, count) = (chance.number(1...4), chance.number(1...7))
    let partitions = (0..<count).map { _ in (0..<chance.number(0...60)).map { _ in chance.number(1...9) } }
    let sizes = partitions.map { $0.reduce(0, +) }
    let (end, _) = simulate(partitions, workers: workers)
    let best = max(sizes.max() ?? 0, (sizes.reduce(0, +) + workers - 1) / workers)
    #expect(end <= best + 9 * workers, "\(end) for \(best), seed \(seed), \(workers) workers, \(sizes)")
  }

  @Test func ofFourEqualPartitionsTwoAreDrainedAtHalfTime() {
    let (end, drained) = simulate(Array(repeating: Array(repeating: 1, count: 100), count: 4), workers: 2)
    #expect(end == 200)
    #expect(drained.sorted() == [100, 100, 200, 200])
  }

  /// When all is read, and when each partition is.
  private func simulate(_ partitions: [[Int]], workers: Int) -> (end: Int, drained: [Int]) {
    var next = partitions.map { _ in 0 }
    var busyUntil = partitions.map { _ in 0 }
    var current = partitions.map { _ in UInt64(0) }
    var free = Array(repeating: 0, count: workers)
    var now = 0
    while true {
      let left = partitions.indices.map { UInt64(partitions[$0][next[$0]...].reduce(0, +)) }
      if left.allSatisfy({ $0 == 0 }) { break }
      let idle = partitions.indices.filter { busyUntil[$0] <= now && left[$0] > 0 }
      let underway = partitions.indices.filter { busyUntil[$0] > now }.map { current[$0] }.reduce(0, +)
      if let worker = free.indices.first(where: { free[$0] <= now }),
        let chosen = PartitionTurn.next(bytesLeft: left, underway: underway, idle: idle, workers: workers)
      {
        busyUntil[chosen] = now + partitions[chosen][next[chosen]]
        current[chosen] = UInt64(partitions[chosen][next[chosen]])
        free[worker] = busyUntil[chosen]
        next[chosen] += 1
      } else {
        now += 1
      }
    }
    return (busyUntil.max() ?? 0, busyUntil)
  }

  /// After every commit the rows are what the events before its frontier make, whichever partitions it moved; and some
  /// commits move a drained partition only.
  @Test(arguments: [1, 2, 3], [UInt64(150), .max]) func everyCommitIsAConsistentCut(lanes: Int, commitEvents: UInt64)
    throws
  {
    var early = 0
    for seed in UInt64(1)...6 {
      let events = unequal(seed)
      let (source, plan) = archive(events, segments: 5)
      let database = MemoryDatabase()
      let seen = Mutex<[(frontier: [Int], isRight: Bool)]>([])
      var run = TestRun(
        source: source, plan: plan, database: database, lanes: lanes, blockBytes: 1024, commitEvents: commitEvents,
        earlyCommitBytes: 1)
      run.observe = { event in
        guard case .committed = event else { return }
        let cut = reached(database, plan, of: "recently-viewed")
        let isRight = database.dump() == model(zip(events, cut).map { Array($0.prefix($1)) })
        seen.withLock { $0.append((cut, isRight)) }
      }
      let report = try run.run()
      #expect(database.dump() == model(events), "seed \(seed)")
      for function in report.functions { #expect(function.total.read == 3000 && function.total.balance) }
      let found = seen.withLock { $0 }
      let wrong = found.filter { !$0.isRight }.map(\.frontier)
      #expect(wrong.isEmpty, "seed \(seed)")
      early +=
        zip([[0, 0, 0, 0]] + found.map(\.frontier), found.map(\.frontier)).filter { before, after in
          let moved = after.indices.filter { before[$0] != after[$0] }
          return moved.count < 4 && moved.allSatisfy { after[$0] == events[$0].count } && after != events.map(\.count)
        }.count
    }
    if commitEvents == .max { #expect(early > 0) }
  }

  /// A fault in a late partition, after others were written: what is before it is committed, and nothing twice.
  @Test(arguments: 0..<8) func aFaultBehindAnEarlyCut(seed: Int) throws {
    let events = unequal(UInt64(seed))
    let (source, plan) = archive(events, segments: 5)
    let database = MemoryDatabase()
    var run = TestRun(
      functions: [OrderProbe(failsAt: 1400)], source: source, plan: plan, database: database, blockBytes: 1024,
      earlyCommitBytes: 1)
    #expect(throws: ReplayError.self) { try run.run() }
    let cut = reached(database, plan, of: "order-probe")
    #expect(cut[3] == 1400)
    #expect(database.dump() == last(zip(events, cut).map { Array($0.prefix($1)) }), "\(cut), seed \(seed)")
    run.functions = [OrderProbe()]
    try run.run()
    #expect(database.dump() == last(events), "seed \(seed)")
  }

  /// 3000 sales in four partitions, half of them in the last.
  private func unequal(_ seed: UInt64) -> [[Sale]] {
    let all = sales(3000, partitions: 8, seed: seed)
    return [all[0], all[1], all[2], all[3...].flatMap { $0 }].enumerated().map { _, own in
      own.enumerated().map { place, sale in
        Sale(
          sequence: place, type: sale.type, customer: sale.customer, sku: sale.sku, shade: sale.shade,
          cents: sale.cents, quantity: sale.quantity, day: sale.day)
      }
    }
  }

  private func last(_ events: [[Sale]]) -> [String] {
    var last: [String: Int] = [:]
    for sale in events.flatMap({ $0 }) { last[sale.customer] = sale.sequence }
    return last.map { "seen|\($0)|\($1)" }.sorted()
  }
}

/// How many events of each partition are settled.
private func reached(_ database: MemoryDatabase, _ plan: ArchivePlan, of function: String) -> [Int] {
  let frontier = database.checkpoint(of: function)?.frontier ?? [:]
  return plan.partitions.map { partition in
    guard let next = frontier[partition.partition] else { return 0 }
    return Int(next.number.low) + Int(next.index)
  }
}
