import ReplayCore
import ReplayDecode
import ReplayEngine
import ReplayTesting
import Testing

/// Rule 7: what a function cannot apply is left, and nothing else; later it is applied after all.
struct LeftEventsTests {
  private static let choices: [FailurePolicy.Choice] = [.park, .deadLetter]

  /// Any number of lanes, any block size, any interruption: the same rows and the same events left.
  @Test(arguments: PriceBook.Kind.allCases, choices)
  func everythingElseIsApplied(kind: PriceBook.Kind, choice: FailurePolicy.Choice) throws {
    for seed in UInt64(1)...4 {
      var chance = SplitMix64(seed: seed)
      let partitions = chance.one(of: [1, 3])
      let events = sales(700, partitions: partitions, seed: seed).poisoned(
        oneIn: chance.one(of: [2, 20, 100]), seed: seed)
      let (source, plan) = archive(events, segments: 5)
      let database = MemoryDatabase()
      var run = TestRun(
        functions: [PriceBook(kind)], source: source, plan: plan, database: database,
        onError: FailurePolicy(choice))
      var total = Books()
      var isDone = false
      // Some runs end after a commit or two, as if they were killed.
      for attempt in 0..<40 where !isDone {
        run.lanes = chance.number(1...8)
        run.blockBytes = chance.one(of: [1024, 4096, 65_536])
        run.commitEvents = chance.one(of: [1, 97, 400])
        run.maxStateBytes = chance.one(of: [1, 1 << 30])
        run.lastCommit = attempt < 20 ? chance.number(0...3) : .max
        do {
          total += try run.run().functions[0].total
          isDone = true
        } catch let error as ReplayError where error.code == .unavailable { continue }
      }
      let model = LeftModel(events, choice)
      let what: Comment = "\(kind), \(choice), seed \(seed)"
      #expect(isDone && total.balance, what)
      #expect(database.dump() == PriceBook.model(kind, model.applied), what)
      // Without parking, tables that all merge promise no order.
      let isOrdered = kind != .merged || choice == .park
      #expect(LeftModel.kept(database, isOrdered) == model.kept, what)
      #expect(try #require(database.checkpoint(of: "price-book")).kept.parkedKeys == model.parkedKeys, what)

      let again = try retry(PriceBook(kind), in: database)
      #expect(again.applied == 0 && again.failedAgain > 0, what)
      #expect(LeftModel.kept(database, isOrdered) == model.kept, what)
      try retry(PriceBook(kind, isHealed: true), in: database)
      if choice == .park || kind == .merged {
        #expect(database.dump() == PriceBook.model(kind, events.flatMap { $0 }), what)
      }
      #expect(database.kept(of: "price-book").isEmpty, what)
    }
  }

  /// Every event is settled once, as one of the five.
  @Test(arguments: choices, [1, 4]) func booksBalance(choice: FailurePolicy.Choice, partitions: Int) throws {
    let events = sales(2000, partitions: partitions, seed: 9).poisoned(oneIn: 50, seed: 9)
    let (source, plan) = archive(events, segments: 4)
    let database = MemoryDatabase()
    let report = try TestRun(
      functions: [PriceBook(.both), PriceBookTwin()], source: source, plan: plan, database: database, lanes: 3,
      commitEvents: 100, onError: FailurePolicy(choice)
    ).run()
    for (index, list) in events.enumerated() {
      let model = LeftModel([list], choice)
      let books = report.functions[0].books[index].books
      #expect(books.balance && books.read == UInt64(list.count))
      #expect(books.applied == UInt64(model.applied.count))
      let left = model.kept.values.flatMap { $0 }
      #expect(books.parked == UInt64(left.filter { $0.contains("parked") }.count))
      #expect(books.deadLettered == UInt64(left.filter { $0.contains("dead") }.count))
    }
    // A function beside it that can apply them all.
    #expect(report.functions[1].total.applied == 2000)
    #expect(report.functions[1].kept.isEmpty)
  }

  /// What is parked stays so in later runs, under every policy, until it is tried again.
  @Test(arguments: PriceBook.Kind.allCases, [FailurePolicy.Choice.fail, .park])
  func laterRunsQueue(kind: PriceBook.Kind, later: FailurePolicy.Choice) throws {
    let all = sales(1500, partitions: 2, seed: 4)
    var events = all
    for partition in events.indices {
      for place in events[partition].indices where place < 300 && place % 41 == 7 {
        events[partition][place].isPoisoned = true
      }
    }
    let (source, plan) = archive(events, segments: 6)
    let database = MemoryDatabase()
    var part = plan
    for index in part.partitions.indices { part.partitions[index].segments.removeLast(3) }
    try TestRun(
      functions: [PriceBook(kind)], source: source, plan: part, database: database, lanes: 3,
      onError: FailurePolicy(.park)
    ).run()
    var healed = database.checkpoint(of: "price-book")?.kept.parkedKeys ?? []
    #expect(healed.count > 5)
    // Half of the keys are tried again in between: their later events are applied at once.
    for key in healed where key.reduce(0, { $0 &+ $1 }) % 2 == 0 {
      try retry(PriceBook(kind, isHealed: true), in: database, KeptFilter(key: key))
      healed.remove(key)
    }
    try TestRun(
      functions: [PriceBook(kind)], source: source, plan: plan, database: database, lanes: 5, commitEvents: 50,
      onError: FailurePolicy(later)
    ).run()
    let known = try #require(database.checkpoint(of: "price-book")).kept
    #expect(known.parkedKeys == healed)
    try retry(PriceBook(kind, isHealed: true), in: database)
    #expect(database.dump() == PriceBook.model(kind, events.flatMap { $0 }), "\(kind)")
  }

  /// To fail is as it was: everything before the event is committed.
  @Test func failStops() throws {
    var events = sales(500, partitions: 1, seed: 2)
    events[0][333].isPoisoned = true
    let (source, plan) = archive(events, segments: 3)
    let database = MemoryDatabase()
    let error = #expect(throws: ReplayError.self) {
      try TestRun(functions: [PriceBook(.both)], source: source, plan: plan, database: database, lanes: 3).run()
    }
    #expect(error?.code == .data && error?.fault?.place.position == Position(333))
    #expect(database.dump() == PriceBook.model(.both, Array(events[0][..<333])))
    #expect(database.kept(of: "price-book").isEmpty)
  }

  /// Above the limit the run stops; what was committed before is whole.
  @Test func theLimit() throws {
    let events = sales(2000, partitions: 1, seed: 6).poisoned(oneIn: 10, seed: 6)
    let (source, plan) = archive(events, segments: 20)
    let database = MemoryDatabase()
    var run = TestRun(
      functions: [PriceBook(.both)], source: source, plan: plan, database: database, lanes: 2, blockBytes: 1024,
      commitEvents: 100, onError: FailurePolicy(.deadLetter), maxKeptBytes: 20_000)
    let error = #expect(throws: ReplayError.self) { try run.run() }
    #expect(error?.description.contains("--max-parked-bytes") == true)
    let kept = try #require(database.checkpoint(of: "price-book"))
    #expect(kept.kept.byteCount <= 20_000 && kept.kept.dead > 10)
    run.maxKeptBytes = 1 << 30
    try run.run()
    #expect(database.dump() == PriceBook.model(.both, LeftModel(events, .deadLetter).applied))
  }
}

/// The same events, all of them applied.
private struct PriceBookTwin: Projection {
  let name = "twin"
  private(set) var reads = Reads()
  private var counts = MergedTable("twin_counts", key: .text("sku"))
  private let sku: TextField, events: SumColumn

  init() {
    sku = reads.text("data.sku")
    events = counts.count("events")
  }

  var tables: [any Table] { [counts] }

  func apply(_ batch: Batch, _ changes: Changes) throws {
    for event in batch { try changes[counts][event[sku]].add(1, to: events) }
  }
}
