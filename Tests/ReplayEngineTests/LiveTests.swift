import ReplayCore
import ReplayEngine
import ReplayTesting
import RetailProjections
import Synchronization
import Testing

/// The handoff and live, over a stream that is scripted: no hole, no double, nothing applied where it is refused.
struct LiveTests {
  /// All sales; those of the archive, a part of each partition.
  private func split(_ seed: UInt64, partitions: Int = 3, count: Int = 1_500) -> (all: [[Sale]], archived: [[Sale]]) {
    var chance = SplitMix64(seed: seed)
    let all = sales(count, partitions: partitions, seed: seed)
    return (all, all.map { Array($0.prefix(chance.number(1...$0.count))) })
  }

  private func button(_ all: [[Sale]], _ archived: [[Sale]], stream: ScriptedStream? = nil) -> TestButton {
    let (source, plan) = archive(archived, segments: 3)
    return TestButton(source: source, plan: plan, stream: stream ?? ScriptedStream(all), database: MemoryDatabase())
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>) func archiveThenStream(seed: UInt64) throws {
    let (all, archived) = split(seed)
    let button = button(all, archived)
    let results = try button.press()
    #expect(button.database.dump() == model(all), "seed \(seed)")
    for (result, own) in zip(results, archived) {
      #expect(result.start.firstNumber == WideNumber(low: UInt64(own.count)))
      #expect(result.compared == min(100, own.count))
    }
    // The same command again finds nothing to do, and changes nothing.
    try button.press()
    #expect(button.database.dump() == model(all))
  }

  /// A producer that is never still: events come before, in and after the switch. F13: no "head" is read anywhere.
  @Test(arguments: 1...10 as ClosedRange<UInt64>) func f13MovingHead(seed: UInt64) throws {
    let (all, archived) = split(seed)
    let stream = ScriptedStream(archived)
    let button = button(all, archived, stream: stream)
    var chance = SplitMix64(seed: seed &+ 77)
    for (index, own) in all.enumerated() {
      var at: UInt64 = 0
      for sale in own.dropFirst(archived[index].count) {
        at += UInt64(chance.number(0...3))
        stream.after(milliseconds: at) { $0.append(sale.json, to: $0.partition("\(index)")) }
      }
    }
    while button.database.dump() != model(all) {
      try button.press()
      stream.clock.sleep(50)
      try #require(stream.clock.milliseconds < 60_000, "seed \(seed): it hangs")
    }
  }

  /// F1: a switch came before all readers had finished, since those of an earlier phase still counted. Three phases: the
  /// archive as it was, what came into it meanwhile (into the largest partition only), the stream. The smallest partition
  /// is proved by the first event that is read back, the largest by thousands.
  @Test(arguments: [nil, 0, 1_700, 1_999] as [Int?]) func f1EveryPartitionsEndOfThisPhase(damaged: Int?) throws {
    let all = zip(sales(8_000, partitions: 4, seed: 31), [2_400, 300, 20, 3]).map { Array($0.prefix($1)) }
    let archived = zip(all, [2_000, 290, 18, 1]).map { Array($0.prefix($1)) }
    let earlier = [Array(archived[0].prefix(100))] + archived.dropFirst()
    let database = MemoryDatabase()
    let (source, plan) = archive(earlier, segments: 1)
    try TestRun(source: source, plan: plan, database: database).run()
    #expect(database.dump() == model(earlier))
    // An event that the stream has otherwise, in the partition that is proved last.
    var streamed = all
    if let damaged { streamed[0][damaged] = all[0][damaged + 1] }
    let (grown, grownPlan) = archive(archived, segments: 1, from: earlier.map(\.count))
    var button = TestButton(source: grown, plan: grownPlan, stream: ScriptedStream(streamed), database: database)
    button.overlap = 2_000
    guard damaged == nil else {
      let error = #expect(throws: ReplayError.self) { try button.press() }
      #expect(error?.code == .otherStream)
      #expect(database.dump() == model(archived), "the others were proved, and nothing of their stream was applied")
      return
    }
    let results = try button.press()
    #expect(results.map(\.start.firstNumber) == archived.map { WideNumber(low: UInt64($0.count)) })
    #expect(results.map(\.compared) == archived.map(\.count))
    #expect(database.dump() == model(all))
  }

  /// F2: killed before, in and after the switch.
  @Test(arguments: 0...12) func f2KilledAnywhere(commits: Int) throws {
    let (all, archived) = split(5)
    var button = button(all, archived)
    button.lastCommit = commits
    _ = try? button.press()
    button.lastCommit = .max
    try button.press()
    #expect(button.database.dump() == model(all), "killed after \(commits) commits")
  }

  /// F4: the end is a control record; F5: very many aborted records in a row. Progress is the position.
  @Test(arguments: [1, 100_000] as [UInt64]) func f4f5ControlRecordsAtTheEnd(count: UInt64) throws {
    let (all, archived) = split(6)
    let button = button(all, archived)
    for index in all.indices { button.stream.skip(count, in: button.stream.partition("\(index)")) }
    try button.press()
    #expect(button.database.dump() == model(all))
    for index in all.indices {
      let next = button.database.checkpoint(of: "event-counts")?.frontier[button.stream.partition("\(index)")]
      #expect(next == Position(UInt64(all[index].count) + count), "the position moves past what nobody fills")
    }
  }

  /// F6: an open transaction hides the end for a while.
  @Test func f6OpenTransaction() throws {
    let (all, archived) = split(7)
    let button = button(all, archived)
    let partition = button.stream.partition("0")
    button.stream.begin(in: partition)
    let late = Sale(
      sequence: all[0].count, type: "retail.item.sold", customer: "c-0-of-some-length", sku: "sku-1", shade: "rose",
      cents: 100, quantity: 1, day: 3)
    button.stream.append(late.json, to: partition)
    button.stream.after(milliseconds: 500) { $0.commit(in: partition) }
    try button.press()
    #expect(button.database.dump() == model([all[0] + [late], all[1], all[2]]))
  }

  /// F8: retention has passed the archive's end. F3, F14: nothing is looked up by time, nothing jumps to an end.
  @Test func f8RetentionPassed() throws {
    let (all, archived) = split(8)
    let button = button(all, archived)
    let partition = button.stream.partition("1")
    button.stream.expire(before: UInt64(archived[1].count) + 1, in: partition)
    let error = #expect(throws: ReplayError.self) { try button.press() }
    #expect(error?.code == .expired)
    #expect(button.database.dump() == model(archived), "nothing live was applied")
  }

  /// Retention that leaves some of what would be compared is no trouble.
  @Test func retentionWithinTheOverlap() throws {
    let (all, archived) = split(9)
    let button = button(all, archived)
    for (index, own) in archived.enumerated() where own.count > 5 {
      button.stream.expire(before: UInt64(own.count) - 3, in: button.stream.partition("\(index)"))
    }
    let results = try button.press()
    #expect(results.allSatisfy { $0.compared <= 5 })
    #expect(button.database.dump() == model(all))
  }

  /// F9, F16: a topic that was made anew, or is another one, has other events at the same positions.
  @Test func f9f16AnotherStream() throws {
    let (all, archived) = split(10)
    let button = button(all, archived, stream: ScriptedStream(sales(3_000, partitions: 3, seed: 99)))
    let error = #expect(throws: ReplayError.self) { try button.press() }
    #expect(error?.code == .otherStream)
    #expect(button.database.dump() == model(archived))
  }

  @Test func shorterStream() throws {
    let (all, archived) = split(11)
    let short = archived.map { Array($0.dropLast()) }
    let error = #expect(throws: ReplayError.self) { try button(all, archived, stream: ScriptedStream(short)).press() }
    #expect(error?.code == .beyondEnd)
  }

  /// F10: a number that was reserved and is filled later; a stream that goes back is refused, not applied.
  @Test func f10GoingBack() throws {
    let (all, archived) = split(12)
    for fault in [LiveFault.duplicate, .reorder] {
      let button = button(all, archived, stream: ScriptedStream(archived))
      try button.press()
      for (index, own) in all.enumerated() {
        for sale in own.dropFirst(archived[index].count) {
          button.stream.append(sale.json, to: button.stream.partition("\(index)"))
        }
      }
      button.stream.violate(fault, at: UInt64(archived[0].count) + 3, in: button.stream.partition("0"))
      let error = #expect(throws: ReplayError.self) { try button.press() }
      #expect(error?.code == .unexpected)
      try button.press()
      #expect(button.database.dump() == model(all), "the same command goes on, nothing is doubled")
    }
  }

  /// F11: recovery lost what had been changed of a part that was finished, or did it twice. Killed at every commit of the
  /// replay while small partitions are done and a large one is not; then a partition is added on both sides, and another
  /// number of lanes goes on, is killed once more, and ends its work.
  @Test func f11KilledInTheReplayThenRescaled() throws {
    let all = zip(sales(4_000, partitions: 4, seed: 41), [900, 60, 12, 500]).map { Array($0.prefix($1)) }
    let archived = zip(all, [800, 50, 10, 400]).map { Array($0.prefix($1)) }
    var (finished, kills) = (0, 0)
    for commits in 0..<60 {
      let database = MemoryDatabase()
      let (source, plan) = archive(Array(archived.prefix(3)), segments: 16, from: [0, 0, 0])
      var run = TestRun(source: source, plan: plan, database: database)
      (run.lanes, run.blockBytes, run.commitEvents, run.lastCommit) = (3, 512, 40, commits)
      let isKilled = (try? run.run()) == nil
      kills += isKilled ? 1 : 0
      let reached = database.checkpoint(of: "event-counts")?.frontier ?? [:]
      let done = plan.partitions.map {
        reached[$0.partition]?.firstNumber == WideNumber(low: UInt64(archived[Int($0.partition.name) ?? 0].count))
      }
      finished += isKilled && done.contains(true) && done.contains(false) ? 1 : 0
      let (grown, grownPlan) = archive(archived, segments: 16, from: [0, 0, 0, 0])
      let stream = ScriptedStream(Array(all.prefix(3)))
      let added = stream.open("3")
      for sale in all[3] { stream.append(sale.json, to: added) }
      var button = TestButton(source: grown, plan: grownPlan, stream: stream, database: database)
      button.lanes = 1 + commits % 4
      button.lastCommit = commits % 5
      _ = try? button.press()
      button.lastCommit = .max
      try button.press()
      #expect(database.dump() == model(all), "killed after \(commits) commits, then \(button.lanes) lanes")
      if !isKilled { break }
    }
    #expect(kills >= 10 && finished >= 5, "\(kills) kills, \(finished) of them with a part that was finished")
  }

  /// F12: partitions without events are done at once.
  @Test func f12IdlePartitions() throws {
    let (all, archived) = split(13)
    let button = button(all, archived)
    for id in 3..<64 { _ = button.stream.open("\(id)") }
    let results = try button.press()
    #expect(results.count == 64)
    #expect(button.database.dump() == model(all))
  }

  /// F15: a leader moves, the stream stalls.
  @Test func f15Trouble() throws {
    let (all, archived) = split(14)
    let button = button(all, archived)
    button.stream.stall(milliseconds: 5_000)
    button.stream.fail(1)
    _ = try? button.press()
    try button.press()
    #expect(button.database.dump() == model(all))
  }

  /// A partition that is added while the stream is followed begins with its first event.
  @Test func partitionAdded() throws {
    let (all, archived) = split(15)
    let button = button(all, archived)
    let more = Sale(
      sequence: 0, type: "retail.item.sold", customer: "c-new-of-some-length", sku: "sku-1", shade: "rose", cents: 100,
      quantity: 1, day: 3)
    try button.press()
    let partition = button.stream.open("3")
    button.stream.append(more.json, to: partition)
    try button.press()
    #expect(button.database.dump() == model(all + [[more]]))
  }

  /// An event that a function cannot apply: everything before it is committed, nothing from it on.
  @Test(arguments: [0, 1, 17, 99]) func aFaultInTheStream(place: Int) throws {
    let events = sales(600, partitions: 1, seed: 21)
    let archived = [Array(events[0].prefix(300))]
    var button = button(events, archived)
    button.functions = [OrderProbe(failsAt: Int64(300 + place))]
    let error = #expect(throws: ReplayError.self) { try button.press() }
    #expect(error?.code == .data)
    var last: [String: Int] = [:]
    for sale in events[0].prefix(300 + place) { last[sale.customer] = sale.sequence }
    #expect(button.database.dump() == last.map { "seen|\($0)|\($1)" }.sorted())
    button.functions = [OrderProbe()]
    try button.press()
    for sale in events[0] { last[sale.customer] = sale.sequence }
    #expect(button.database.dump() == last.map { "seen|\($0)|\($1)" }.sorted())
  }
}
