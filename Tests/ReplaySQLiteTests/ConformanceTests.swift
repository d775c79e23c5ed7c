import ReplayCore
import ReplaySQLite
import ReplayTesting
import Testing

@Suite struct ConformanceTests {
  /// Another one in each run of the tests; printed, so that a failure can be made again.
  static let seed: UInt64 = {
    let seed = UInt64.random(in: 0...9999)
    print("store conformance seed: \(seed)")
    return seed
  }()

  @Test(arguments: StoreConformance.all) func sqlite(_ one: StoreConformance.Case) throws {
    for seed in [Self.seed, Self.seed + 1] { try one.run(Scratch().underTest, seed) }
  }

  @Test(arguments: StoreConformance.all) func memory(_ one: StoreConformance.Case) throws {
    for seed in [Self.seed, Self.seed + 1] {
      let database = MemoryDatabase()
      try one.run(StoreUnderTest(make: { MemoryStore(database) }, dump: { database.dump() }), seed)
    }
  }

  /// A store that does one thing wrong must fail at least one case.
  @Test(arguments: WrongStore.Fault.allCases) func findsWrongStores(_ fault: WrongStore.Fault) throws {
    let failed = StoreConformance.all.filter { one in
      let database = MemoryDatabase()
      let subject = StoreUnderTest(make: { WrongStore(fault, MemoryStore(database)) }, dump: { database.dump() })
      return (try? one.run(subject, Self.seed)) == nil
    }
    #expect(!failed.isEmpty, "no case notices a store with the fault \(fault)")
  }

  @Test func findsNothingWrongInTheRightStore() throws {
    for one in StoreConformance.all {
      let database = MemoryDatabase()
      let subject = StoreUnderTest(make: { WrongStore(nil, MemoryStore(database)) }, dump: { database.dump() })
      try one.run(subject, Self.seed)
    }
  }
}

/// Passes everything on to a right store, except for one fault.
final class WrongStore: Store {
  enum Fault: CaseIterable {
    case losesPositions, losesSegments, losesEvents, losesDeletes, losesFence, neverTakenOver, writesTwice,
      splitsCommits, loadsNothing
    case ignoresRefresh, losesPartitionsOfOneByte, losesLeftEvents, keepsWhatWasRetried, losesOrderOfLeftEvents,
      losesMarks
  }

  private let fault: Fault?
  private let store: MemoryStore

  init(_ fault: Fault?, _ store: MemoryStore) {
    self.fault = fault
    self.store = store
  }

  var name: String { store.name }
  var capability: StoreCapability { store.capability }

  func open(_ functions: [FunctionIdentity], range: KeyRange, refresh: Bool) throws -> [Checkpoint] {
    try store.open(functions, range: range, refresh: refresh && fault != .ignoresRefresh)
  }

  func keep(_ mark: DeliveryMark, of function: String) throws {
    if fault != .losesMarks { try store.keep(mark, of: function) }
  }

  func commit(_ epoch: EpochCommit) throws -> CommitOutcome {
    var epoch = epoch
    for place in epoch.functions.indices { change(&epoch.functions[place]) }
    switch fault {
    case .splitsCommits:
      let outcomes = try epoch.functions.map { try store.commit(EpochCommit(functions: [$0])) }
      return outcomes.last ?? .committed(rows: 0)
    case .writesTwice:
      _ = try store.commit(epoch)
      return try store.commit(epoch)
    case .losesFence:
      let outcome = try store.commit(epoch)
      if case .fenced = outcome { return .committed(rows: 0) }
      return outcome
    default: return try store.commit(epoch)
    }
  }

  func takenOver() throws -> Takeover? { fault == .neverTakenOver ? nil : try store.takenOver() }

  func kept(of function: String, _ filter: KeptFilter, after number: Int64, limit: Int) throws -> [KeptEvent] {
    try store.kept(of: function, filter, after: number, limit: limit)
  }

  private func change(_ function: inout EpochCommit.Function) {
    switch fault {
    case .losesPositions: function.frontier = [:]
    case .losesSegments: function.settled = []
    case .losesEvents: function.events = 0
    case .losesDeletes: for set in function.changes { set.deletes = [] }
    case .losesLeftEvents: function.left = []
    case .keepsWhatWasRetried: function.retried = []
    case .losesOrderOfLeftEvents: function.left.reverse()
    case .losesPartitionsOfOneByte: function.frontier = function.frontier.filter { $0.key.id.count != 1 }
    default: break
    }
  }

  func load(_ table: TableSchema, keys: [Text], into rows: KeyedRows) throws {
    if fault == .loadsNothing {
      for key in keys { rows.adopt(key, rows: []) }
    } else {
      try store.load(table, keys: keys, into: rows)
    }
  }

  func close() throws { try store.close() }
}
