import ReplayCore
import ReplayDecode
import ReplayEngine
import ReplayTesting
import RetailProjections
import Testing

/// A live run that has nothing to apply: what it still notices, and what it leaves behind.
struct LiveIdleTests {
  private func button(_ all: [[Sale]]) -> TestButton {
    let (source, plan) = archive(all, segments: 1)
    return TestButton(source: source, plan: plan, stream: ScriptedStream(all), database: MemoryDatabase())
  }

  /// Another run owns the function, and no event comes that would have to be committed.
  @Test func aRunThatWasDisplacedEndsThoughNothingComes() throws {
    var button = button(sales(200, partitions: 2, seed: 3))
    try button.press()
    let (database, clock, function) = (button.database, button.stream.clock, FunctionIdentity(EventCounts()))
    button.untilCaughtUp = false
    button.stream.after(milliseconds: 1_000) { _ in
      _ = try? MemoryStore(database).open([function], range: .all, refresh: false)
    }
    // Ends the test where nothing else does.
    let stop = button.stop
    button.stream.after(milliseconds: 60_000) { _ in stop.stop() }
    let error = #expect(throws: ReplayError.self) { try button.press() }
    #expect(error?.code == .fenced)
    #expect(error?.effect == "everything that this run applied is committed")
    #expect(clock.milliseconds <= 1_000 + 4_000)
  }

  /// What a stream that cannot be reached told of its ends is not known to be true any more.
  @Test func aStreamThatIsLostIsNotCaughtUp() throws {
    var button = button(sales(200, partitions: 2, seed: 4))
    button.untilCaughtUp = false
    let (stop, seen) = (button.stop, Monitor<[String?]>([]))
    button.observe = { state in
      seen.change { seen in
        #expect(state.outage == nil || !state.isCaughtUp)
        if seen.last != .some(state.outage) { seen.append(state.outage) }
      }
    }
    button.stream.after(milliseconds: 1_000) { $0.lose("gone") }
    button.stream.after(milliseconds: 2_000) { $0.lose(nil) }
    button.stream.after(milliseconds: 3_000) { _ in stop.stop() }
    try button.press()
    #expect(seen.quietly { $0 } == [nil, "gone", nil])
  }

  /// The thread that commits holds the store: where the stream refuses to be read, nothing may hold it any longer.
  @Test func aStreamThatRefusesLeavesNoThread() throws {
    var store: MemoryStore? = MemoryStore()
    weak let held = store
    let functions: [any Projection] = [EventCounts()]
    _ = try store?.open(functions.map { FunctionIdentity($0) }, range: .all, refresh: false)
    try expectRefusal(functions, try #require(store))
    store = nil
    #expect(held == nil)
  }

  private func expectRefusal(_ functions: [any Projection], _ store: MemoryStore) throws {
    let extraction = Extraction(functions.map(\.reads), anatomy: Anatomy(), needsKey: false)
    let source = RefusingStream()
    let setup = LiveSetup(
      projections: functions, extraction: extraction, source: source,
      decoder: LiveDecoder(extraction, of: source.name, key: .asInArchive), store: store, options: LiveOptions { 0 },
      stop: StopRequest(), print: PayloadPrinter.print, observe: { _ in })
    let error = #expect(throws: ReplayError.self) { try LiveRun(setup, [Checkpoint()]).run() }
    #expect(error?.summary == "not now")
  }
}

/// A stream that says what it has and lets nobody read it.
private final class RefusingStream: LiveSource {
  let name = "refusing"
  let log = "retail"
  let outage: String? = nil

  func partitions() throws -> [LivePartition] {
    [LivePartition(partition: Partition(log: log, side: .live, id: "0"), start: .zero, end: .zero)]
  }
  func seek(_ positions: [Partition: Position]) throws { throw ReplayError(.unavailable, "not now") }
  func poll(milliseconds: Int) throws -> LiveEvent? { nil }
  func positions(at milliseconds: Int64) throws -> [Partition: Position]? { nil }
  func ends() -> [Partition: Position] { [:] }
  func close() {}
}
