import ReplayCore
import ReplayDecode
import ReplayEngine
import ReplayTesting
import Testing

/// Parked across the handoff, and faults that come late.
struct LeftLiveTests {
  /// Keys that the archive parks stay parked live; after a retry their events come in order again.
  @Test(arguments: PriceBook.Kind.allCases, [FailurePolicy.Choice.park, .deadLetter])
  func acrossTheHandoff(kind: PriceBook.Kind, choice: FailurePolicy.Choice) throws {
    for seed in UInt64(1)...4 {
      let events = sales(900, partitions: 2, seed: seed).poisoned(oneIn: 40, seed: seed)
      let (source, plan) = archive(events.map { Array($0[..<($0.count / 2)]) }, segments: 3)
      let stream = ScriptedStream(events.map { Array($0[..<($0.count * 3 / 4)]) })
      let database = MemoryDatabase()
      var button = TestButton(
        functions: [PriceBook(kind)], source: source, plan: plan, stream: stream, database: database)
      button.onError = FailurePolicy(choice)
      try button.press()
      let seen = events.map { Array($0[..<($0.count * 3 / 4)]) }
      let model = LeftModel(seen, choice)
      #expect(database.dump() == PriceBook.model(kind, model.applied), "\(kind), \(choice), seed \(seed)")
      let isOrdered = kind != .merged || choice == .park
      #expect(LeftModel.kept(database, isOrdered) == model.kept, "\(kind), \(choice), seed \(seed)")

      try retry(PriceBook(kind, isHealed: true), in: database)
      #expect(database.kept(of: "price-book").isEmpty)
      for (index, own) in events.enumerated() {
        let partition = Partition(log: "retail", side: .live, id: "\(index)")
        for sale in own[(own.count * 3 / 4)...] { stream.append(sale.json, to: partition) }
      }
      var healed = TestButton(
        functions: [PriceBook(kind, isHealed: true)], source: source, plan: plan, stream: stream, database: database)
      healed.onError = FailurePolicy(choice)
      try healed.press()
      if choice == .park || kind == .merged {
        #expect(database.dump() == PriceBook.model(kind, events.flatMap { $0 }), "\(kind), seed \(seed)")
      }
    }
  }

  /// A live run that may fail stops where it did before.
  @Test func failStopsLive() throws {
    var events = sales(300, partitions: 1, seed: 3)
    events[0][200].isPoisoned = true
    let (source, plan) = archive([Array(events[0][..<100])], segments: 2)
    let database = MemoryDatabase()
    let button = TestButton(
      functions: [PriceBook(.both)], source: source, plan: plan, stream: ScriptedStream(events), database: database)
    let error = #expect(throws: ReplayError.self) { try button.press() }
    #expect(error?.code == .data)
    #expect(database.dump() == PriceBook.model(.both, Array(events[0][..<200])))
  }

  /// A function whose faults come to light when all is applied: the run is made again without those events.
  @Test(arguments: [FailurePolicy.Choice.park, .deadLetter, .fail], [1, 3])
  func lateFaults(choice: FailurePolicy.Choice, partitions: Int) throws {
    let events = sales(800, partitions: partitions, seed: 8).poisoned(oneIn: 60, seed: 8)
    let (source, plan) = archive(events, segments: 4)
    let database = MemoryDatabase()
    let run = TestRun(
      functions: [LatePriceBook()], source: source, plan: plan, database: database, lanes: 3, blockBytes: 1024,
      commitEvents: 150, onError: FailurePolicy(choice))
    guard choice != .fail else {
      let error = #expect(throws: ReplayError.self) { try run.run() }
      #expect(error?.fault?.function == "price-book")
      return
    }
    let report = try run.run()
    let model = LeftModel(events, choice)
    #expect(report.functions[0].total.balance)
    #expect(database.dump() == PriceBook.model(.keyed, model.applied))
    #expect(LeftModel.kept(database) == model.kept)
    try retry(PriceBook(.keyed, isHealed: true), in: database)
    #expect(database.kept(of: "price-book").isEmpty)
  }

  /// The same live.
  @Test(arguments: [FailurePolicy.Choice.park, .deadLetter]) func lateFaultsLive(choice: FailurePolicy.Choice) throws {
    let events = sales(400, partitions: 2, seed: 8).poisoned(oneIn: 30, seed: 8)
    let (source, plan) = archive(events.map { Array($0[..<50]) }, segments: 2)
    let database = MemoryDatabase()
    var button = TestButton(
      functions: [LatePriceBook()], source: source, plan: plan, stream: ScriptedStream(events), database: database)
    button.onError = FailurePolicy(choice)
    try button.press()
    let model = LeftModel(events, choice)
    #expect(database.dump() == PriceBook.model(.keyed, model.applied))
    #expect(LeftModel.kept(database) == model.kept)
  }
}
