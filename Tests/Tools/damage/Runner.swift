import ReplayArchive
import ReplayCore
import ReplayDecode
import ReplayEngine
import ReplayTesting

/// One run over an archive in memory, put together as the verb `run` does it.
struct Runner {
  let layout: Layout
  let database = MemoryDatabase()
  let isKeyed: Bool
  let lanes: Int
  let blockBytes: Int
  let commitEvents: UInt64
  let reads: MemoryArchive.ReadSizes

  /// Whatever of this the result must not depend on is left to chance.
  init(_ layout: Layout, random: inout SplitMix64) {
    self.layout = layout
    isKeyed = random.once(in: 2)
    lanes = random.number(1...2)
    blockBytes = random.one(of: [256, 1024, 256 << 10])
    commitEvents = random.one(of: [.max, .max, 1, 4])
    reads = random.one(of: [.whole, .fixed(1), .fixed(7), .random(seed: random.next(), limit: 90)])
  }

  enum Outcome {
    case finished(RunReport)
    case refused(ReplayError)
    case broken(any Error)
  }

  func run(_ files: [String: [UInt8]]) -> Outcome {
    do { return .finished(try replay(MemoryArchive(files, reads: reads))) } catch let error as ReplayError {
      return .refused(error)
    } catch { return .broken(error) }
  }

  private func replay(_ source: MemoryArchive) throws -> RunReport {
    var limits = DecodeLimits()
    limits.blockBytes = blockBytes
    let options = LayoutOptions(pattern: try layout.pattern.map { try NamePattern($0) })
    let entries = try source.list()
    let found = try LayoutDetector.detect(entries: entries, options: options) { entry in
      try FirstRecord.read(entry, in: source, limits: limits).map {
        RecordSample(
          members: $0.members, nested: $0.nested, isObject: $0.isObject, framing: $0.framing, beginning: $0.beginning)
      }
    }
    let function = Sentinel(isKeyed: isKeyed)
    var plan = try ArchivePlanner.plan(entries, layout: found)
    let store = MemoryStore(database)
    let checkpoints = try store.open(
      [FunctionIdentity(function, anatomy: plan.anatomy)], range: .all, refresh: false)
    let checkpoint = checkpoints[0]
    plan =
      try ArchiveContinuity.verify(
        plan: plan, settled: checkpoint.settled, halfRead: checkpoint.halfRead, frontier: checkpoint.frontier,
        digest: { segment, count in try Digest(first: count, of: source.open(segment.entry)).value }, allowLate: false
      ).plan
    let extraction = Extraction(
      [function.reads], anatomy: plan.anatomy, needsKey: isKeyed || found.usesKeysFiles)
    try plan.checkHeaders(for: extraction)
    let decoder = ArchiveDecoder(extraction, limits: limits)
    let clock = ContinuousClock()
    let start = clock.now
    var run = RunOptions { Int64((clock.now - start) / .milliseconds(1)) }
    (run.lanes, run.commitEvents) = (lanes, commitEvents)
    let setup = RunSetup(
      projections: [function], plan: plan, extraction: decoder.extraction, source: source, decoder: decoder,
      store: store, rule: ArchiveChain(plan: plan, layout: found.layout), options: run, stop: StopRequest()
    ) { _ in }
    return try ReplayRun(setup, checkpoints: checkpoints).run()
  }

  /// What is applied now.
  var seen: Seen { Seen(database.dump(), isKeyed: isKeyed, isNumbered: layout.isNumbered) }
}
