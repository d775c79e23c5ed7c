import ReplayCore
import ReplayDecode
import ReplayEngine
import ReplayTesting
import RetailProjections

/// Archive, handoff and stream in one, as the tool goes about it, with a stream that is scripted.
struct TestButton {
  var functions: [any Projection] = [ShadeVelocity(), EventCounts(), RecentlyViewed()]
  let source: MemoryArchive
  let plan: ArchivePlan
  let stream: ScriptedStream
  let database: MemoryDatabase
  var kind = HandoffClass.exact
  var rule = Handoff.Rule()
  var overlap = 100
  var lanes = 2
  var lastCommit = Int.max
  var untilCaughtUp = true
  /// Of the archive's events and of the stream's.
  var onError = FailurePolicy()
  var stop = StopRequest()
  var commitMilliseconds: Int64 = 1_000
  var maxAheadBytes = 64 << 20
  /// Of the live run; nil: the stream's clock.
  var now: (@Sendable () -> Int64)?
  /// What the live run takes for its store.
  var liveStore: (MemoryStore) -> any Store = { $0 }
  var observe: (LiveState) -> Void = { _ in }

  /// Archive first; then, unless the store says live, the handoff; then live until all is applied.
  @discardableResult func press() throws -> [HandoffResult] {
    var run = TestRun(functions: functions, source: source, plan: plan, database: database)
    (run.lastCommit, run.lanes, run.onError) = (lastCommit, lanes, onError)
    var checkpoints = try open().1
    if checkpoints.contains(where: { $0.phase == .archive }) { try run.run() }
    var results: [HandoffResult] = []
    var (store, opened) = try open()
    checkpoints = opened
    if checkpoints.contains(where: { $0.phase == .archive }) {
      results = try handOff(checkpoints[0])
      let frontier = Dictionary(uniqueKeysWithValues: results.map { ($0.live, $0.start) })
      let commits = functions.map { function in
        var commit = EpochCommit.Function(name: function.name, changes: [], frontier: frontier, settled: [], events: 0)
        commit.phase = .live
        return commit
      }
      _ = try store.commit(EpochCommit(functions: commits))
      (store, opened) = try open()
    }
    try follow(store, opened)
    return results
  }

  private func open() throws -> (MemoryStore, [Checkpoint]) {
    let store = MemoryStore(database)
    return (store, try store.open(functions.map { FunctionIdentity($0) }, range: .all, refresh: false))
  }

  private func handOff(_ checkpoint: Checkpoint) throws -> [HandoffResult] {
    let parts = try stream.partitions().map { live in
      let planned = plan.partitions.first { $0.partition.id == live.partition.id }
      var tail: [SignedEvent] = []
      for segment in planned?.segments ?? [] {
        try ArchiveTail.each(
          of: segment, in: source, anatomy: plan.anatomy, framing: nil, limits: DecodeLimits()
        ) { tail.append($0) }
      }
      let kept = tail.suffix(overlap).filter { $0.position.number >= live.start.number }
      let end = planned.flatMap { checkpoint.frontier[$0.partition] } ?? .zero
      return HandoffRun.Part(
        archive: planned?.partition, live: live,
        handoff: Handoff(kind, archiveEnd: end, tail: Array(kept), rule: rule))
    }
    let clock = stream.clock
    var run = HandoffRun(
      parts, of: stream, silenceMilliseconds: 60_000, stop: stop, now: { Int64(clock.milliseconds) },
      signs: { $0.signs(PayloadPrinter.print) })
    return try run.run() ?? []
  }

  private func follow(_ store: MemoryStore, _ checkpoints: [Checkpoint]) throws {
    let extraction = Extraction(
      functions.map(\.reads), anatomy: plan.anatomy,
      needsKey: functions.contains { !$0.isMergeOnly } || onError.choice != .fail)
    let clock = stream.clock
    var options = LiveOptions(now: now ?? { Int64(clock.milliseconds) })
    (options.workers, options.maxAheadBytes) = (lanes, maxAheadBytes)
    options.untilCaughtUp = untilCaughtUp
    options.onError = onError
    options.commitMilliseconds = commitMilliseconds
    let setup = LiveSetup(
      projections: functions, extraction: extraction, source: stream,
      decoder: LiveDecoder(extraction, of: stream.name, key: .asInArchive), store: liveStore(store), options: options,
      stop: stop,
      print: PayloadPrinter.print, observe: observe)
    _ = try LiveRun(setup, checkpoints).run()
  }
}

extension ScriptedStream {
  /// A stream of these sales, a partition each, from its first event on.
  convenience init(_ sales: [[Sale]]) {
    self.init(log: "retail")
    for (index, own) in sales.enumerated() {
      let partition = open("\(index)")
      for sale in own { append(sale.json, to: partition) }
    }
  }
}
