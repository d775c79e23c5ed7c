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
