import ReplayCore
import ReplayEngine
import ReplayTesting
import Synchronization
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// A millisecond later with each look.
private final class TickingClock: Sendable {
  private let value = Atomic<Int64>(0)
  func next() -> Int64 { value.wrappingAdd(1, ordering: .relaxed).newValue }
}

/// Live with several lanes: each key in order, a slow one in nobody's way, and what is committed is a cut through all.
struct LiveLanesTests {
  /// Events of which the first of each partition are archived.
  private func button(
    _ events: [[Sale]], archived: Int = 20, workers: Int, kind: PriceBook.Kind = .both,
    visit: @escaping @Sendable (LatePriceBook.Visit) -> Void = { _ in }
  ) -> TestButton {
    let (source, plan) = archive(events.map { Array($0.prefix(archived)) }, segments: 2)
    var button = TestButton(
      functions: [LatePriceBook(kind, visit: visit)], source: source, plan: plan, stream: ScriptedStream(events),
      database: MemoryDatabase())
    (button.lanes, button.commitMilliseconds) = (workers, 1)
    // The stream's clock stands while it has something to say. This one makes a commit due whenever it is asked.
    let time = TickingClock()
    button.now = { time.next() }
    return button
  }

  /// The events below what is committed of the stream.
  private func settled(_ events: [[Sale]], _ database: MemoryDatabase) -> [Sale] {
    let frontier = database.checkpoint(of: "price-book")?.frontier ?? [:]
    return events.enumerated().flatMap { index, own in
      let next = frontier[Partition(log: "retail", side: .live, id: "\(index)")]?.firstNumber.low ?? 0
      return own.prefix(Int(next))
    }
  }

  /// Takes some microseconds, not always the same.
  @Sendable private static func dawdle(_ visit: LatePriceBook.Visit) {
    var chance = SplitMix64(seed: visit.position.number.low &* 31 &+ UInt64(visit.lane))
    usleep(UInt32(chance.number(0...150)))
  }

  private static func lane(of customer: String, among count: Int) -> Int {
    let hash = Array(customer.utf8).withUnsafeBytes { Text($0).keyHash }
    return (0..<count).first {
      (KeyRange(lane: $0, of: count).first...KeyRange(lane: $0, of: count).last).contains(hash)
    } ?? 0
  }

  @Test(arguments: 1...8, [FailurePolicy.Choice.park, .deadLetter])
  func everyKeyInOrder(workers: Int, choice: FailurePolicy.Choice) throws {
    let seed = UInt64(workers) &+ 50
    let events = sales(500, partitions: 3, seed: seed).poisoned(oneIn: 60, seed: seed)
    var button = button(events, workers: workers, kind: .keyed, visit: LiveLanesTests.dawdle)
    button.onError = FailurePolicy(choice)
    try button.press()
    let model = LeftModel(events, choice)
    #expect(button.database.dump() == PriceBook.model(.keyed, model.applied), "seed \(seed)")
    #expect(LeftModel.kept(button.database) == model.kept, "seed \(seed)")
  }

  /// The slow key's call ends only when all events of other lanes were applied: if it were in their way, it would never.
  @Test(arguments: [2, 4, 8]) func aSlowKeyIsInNobodysWay(workers: Int) throws {
    let events = sales(900, partitions: 3, seed: 5)
    let slow = events[0][20].customer
    let slowLane = LiveLanesTests.lane(of: slow, among: workers)
    let others = events.flatMap { $0.dropFirst(20) }.filter {
      LiveLanesTests.lane(of: $0.customer, among: workers) != slowLane
    }
    let seen = Monitor((others: 0, isPatient: true))
    var button = button(events, workers: workers) { visit in
      guard visit.position.number.low >= 20 else { return }
      if visit.lane != slowLane { return seen.change { $0.others += 1 } }
      guard visit.customer == slow else { return }
      let isFree = seen.wait(milliseconds: 10_000) { $0.others == others.count || !$0.isPatient ? true : nil }
      if isFree == nil { seen.change { $0.isPatient = false } }
    }
    let database = button.database
    let found = Mutex<[String]>([])
    button.liveStore = { store in
      EndingStore(store) {
        let isCut = database.dump() == PriceBook.model(.both, settled(events, database))
        if !isCut { found.withLock { $0.append("\(database.checkpoint(of: "price-book")?.frontier ?? [:])") } }
      }
    }
    try button.press()
    let (count, isPatient) = seen.quietly { $0 }
    #expect(isPatient, "\(count) of \(others.count) events of other lanes were applied while one took its time")
    #expect(found.withLock { $0 } == [], "commits whose rows are not those of their positions")
    #expect(button.database.dump() == PriceBook.model(.both, events.flatMap { $0 }))
  }

  /// Killed after each commit in turn; what is there then are the rows of its positions, and other lanes go on from it.
  @Test(arguments: [1, 3, 8]) func everyCommitIsACutThroughAllLanes(workers: Int) throws {
    let events = sales(400, partitions: 3, seed: 12)
    var kills = 0
    for commits in 0..<40 {
      var button = button(events, workers: workers, visit: LiveLanesTests.dawdle)
      let database = button.database
      button.liveStore = { EndingStore($0, commits: commits) }
      let isKilled = (try? button.press()) == nil
      #expect(database.dump() == PriceBook.model(.both, settled(events, database)), "after \(commits) commits")
      kills += isKilled ? 1 : 0
      button.liveStore = { $0 }
      button.lanes = 1 + (workers + commits) % 8
      try button.press()
      #expect(database.dump() == PriceBook.model(.both, events.flatMap { $0 }), "then \(button.lanes) lanes")
      if !isKilled { break }
    }
    #expect(kills >= 3, "\(kills) kills")
  }

  /// A call that does not end is given up; what was committed before is whole, and the same command goes on.
  @Test func stoppedDuringASlowCall() throws {
    let events = sales(600, partitions: 2, seed: 9)
    let slow = events[1][25].customer
    let stop = StopRequest()
    var button = button(events, workers: 4) { visit in
      guard visit.customer == slow, visit.position.number.low >= 25 else { return }
      stop.stop()
      while !visit.isCancelled() { usleep(1_000) }
    }
    button.stop = stop
    let (clock, database) = (ContinuousClock(), button.database)
    let start = clock.now
    button.now = { Int64((clock.now - start) / .milliseconds(1)) }
    try button.press()
    #expect(clock.now - start < .seconds(8))
    #expect(settled(events, database).count < events.flatMap { $0 }.count)
    #expect(database.dump() == PriceBook.model(.both, settled(events, database)))
    var again = TestButton(
      functions: [LatePriceBook(.both)], source: button.source, plan: button.plan, stream: button.stream,
      database: database)
    again.lanes = 3
    try again.press()
    #expect(database.dump() == PriceBook.model(.both, events.flatMap { $0 }))
  }

  /// Each lane may meet a bad event of its own: the run ends at one, and everything before it is committed.
  @Test(arguments: 1...10 as ClosedRange<UInt64>) func badEventsOfSeveralLanes(seed: UInt64) throws {
    var events = sales(600, partitions: 3, seed: seed)
    var chance = SplitMix64(seed: seed)
    for partition in events.indices {
      for _ in 0..<3 { events[partition][chance.number(20...events[partition].count - 1)].isPoisoned = true }
    }
    let button = button(events, workers: 5, visit: LiveLanesTests.dawdle)
    let error = #expect(throws: ReplayError.self, "seed \(seed)") { try button.press() }
    let place = try #require(error?.fault?.place)
    let partition = try #require(Int(place.partition.name))
    let first = events[partition].firstIndex { $0.isPoisoned } ?? 0
    #expect(place.position == Position(UInt64(first)), "seed \(seed)")
    let frontier = try #require(button.database.checkpoint(of: "price-book")?.frontier[place.partition])
    #expect(frontier == place.position, "seed \(seed)")
    #expect(button.database.dump() == PriceBook.model(.both, settled(events, button.database)), "seed \(seed)")
  }

  /// What is read ahead of a lane that takes its time is bounded.
  @Test func readingAheadIsBounded() throws {
    let events = sales(4_000, partitions: 2, seed: 4)
    let slow = events[0][20].customer
    let total = events.reduce(0) { $0 + $1.count - 20 }
    let seen = Monitor((all: 0, whileSlow: 0))
    var button = button(events, workers: 4) { visit in
      seen.change { $0.all += 1 }
      guard visit.customer == slow, visit.position.number.low == 20 else { return }
      // Until the others have had nothing for a while.
      var before = -1
      while seen.quietly({ $0.all }) != before {
        before = seen.quietly { $0.all }
        usleep(200_000)
      }
      seen.change { $0.whileSlow = $0.all }
    }
    button.maxAheadBytes = 64 << 10
    try button.press()
    let count = seen.quietly { $0.whileSlow }
    #expect(count > 20 && count < total / 2, "\(count) of \(total)")
    #expect(button.database.dump() == PriceBook.model(.both, events.flatMap { $0 }))
  }
}
