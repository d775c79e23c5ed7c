import ReplayCore
import ReplayDecode
import ReplayEngine
import ReplayTesting
import RetailProjections
import Synchronization

/// One retail event, and what an independent model makes of many.
struct Sale {
  let sequence: Int
  let type: String
  let customer: String
  let sku: String
  let shade: String
  let cents: Int
  let quantity: Int
  let day: Int
  /// Its price is no number.
  var isPoisoned = false

  var time: String { "2026-01-\(day < 10 ? "0" : "")\(day)T00:00:00.\(sequence % 1000 + 1000)Z".replacing(".1", ".") }

  var json: String {
    let price =
      isPoisoned ? #""none""# : "\(cents / 100).\(cents % 100 < 10 ? "0" : "")\(cents % 100)"
    return #"{"type":"\#(type)","time":"\#(time)","partitionkey":"\#(customer)","sequence":\#(sequence),"#
      + #""data":{"sku":"\#(sku)","category":"cosmetics","shade":"\#(shade)","price":\#(price),"quantity":\#(quantity)}}"#
  }
}

extension String {
  /// The text with the first occurrence of `old` replaced.
  fileprivate func replacing(_ old: String, _ new: String) -> String {
    guard let range = firstRange(of: old) else { return self }
    return String(self[..<range.lowerBound]) + new + String(self[range.upperBound...])
  }
}

/// Random sales of a seed, each customer in one partition.
func sales(_ count: Int, partitions: Int, seed: UInt64) -> [[Sale]] {
  var chance = SplitMix64(seed: seed)
  var found = Array(repeating: [Sale](), count: partitions)
  for _ in 0..<count {
    let customer = chance.number(0...30)
    let partition = customer % partitions
    found[partition].append(
      Sale(
        sequence: found[partition].count, type: chance.one(of: ["retail.item.sold", "retail.product.viewed", "other"]),
        customer: "c-\(customer)-of-some-length", sku: "sku-\(chance.number(0...15))",
        shade: chance.one(of: ["rose", "amber", "a shade with a long name"]), cents: chance.number(0...9999),
        quantity: chance.number(1...5), day: chance.number(1...28)))
  }
  return found
}

/// The rows that the three bundled functions must write, by plain dictionaries: `table|column|…`, sorted.
func model(_ sales: [[Sale]]) -> [String] {
  var shades: [String: (units: Int, cents: Int, first: Int, last: Int)] = [:]
  var counts: [String: Int] = [:]
  var viewed: [String: [(sku: String, at: String)]] = [:]
  for sale in sales.flatMap({ $0 }) {
    counts["\(sale.type)|\(sale.time.prefix(10))", default: 0] += 1
    if sale.type == "retail.item.sold" {
      let old = shades[sale.shade] ?? (0, 0, 99, 0)
      shades[sale.shade] = (
        old.units + sale.quantity, old.cents + sale.cents * sale.quantity, min(old.first, sale.day),
        max(old.last, sale.day)
      )
    } else if sale.type == "retail.product.viewed" {
      viewed[sale.customer, default: []].removeAll { $0.sku == sale.sku }
      viewed[sale.customer, default: []].insert((sale.sku, sale.time), at: 0)
      viewed[sale.customer] = Array(viewed[sale.customer, default: []].prefix(10))
    }
  }
  func date(_ day: Int) -> String { "2026-01-\(day < 10 ? "0" : "")\(day)" }
  var lines = shades.map { "shade_velocity|\($0)|\($1.units)|\($1.cents)|\(date($1.first))|\(date($1.last))" }
  lines += counts.map { "event_counts|\($0)|\($1)" }
  for (customer, list) in viewed {
    lines += list.enumerated().map { "recently_viewed|\(customer)|\($0 + 1)|\($1.sku)|\($1.at)" }
  }
  return lines.sorted()
}

/// Sales as an archive: each partition in `segments` files, gzip or zstd in turn, numbered by place in the partition; with
/// `from`, one more file in front with so many events.
func archive(_ sales: [[Sale]], segments: Int, from firsts: [Int]? = nil) -> (MemoryArchive, ArchivePlan) {
  var source = MemoryArchive()
  var partitions: [PartitionPlan] = []
  for (index, own) in sales.enumerated() {
    let partition = Partition(log: "retail", id: "\(index)")
    var list: [Segment] = []
    let first = firsts?[index] ?? 0
    let rest = own.count - first
    var ranges = (0..<segments).map { first + rest * $0 / segments..<first + rest * ($0 + 1) / segments }
    if first > 0 { ranges.insert(0..<first, at: 0) }
    for (number, range) in ranges.enumerated() where firsts == nil || !range.isEmpty {
      let text = own[range].map(\.json).joined(separator: "\n") + "\n"
      let name = "p\(index)-\(range.lowerBound)"
      source.files[name] = number % 2 == 0 ? Gzip.member(text) : Zstd.frame(text)
      guard let entry = source.entry(name) else { continue }
      list.append(
        Segment(
          entry: entry, partition: partition, numbering: .counted(from: WideNumber(low: UInt64(range.lowerBound)))))
    }
    partitions.append(PartitionPlan(partition: partition, segments: list))
  }
  let plan = ArchivePlan(partitions: partitions, anatomy: Anatomy(), partitionsSeparateKeys: true)
  return (source, plan)
}

/// A rule that finds nothing wrong.
struct NoChain: ChainRule {
  let needsSequence = false
  let acceptsGaps = false
  func begin(_ segment: Segment, firstNumber: UInt64?, previousEnd: Position?) throws {}
  func examine(_ segment: Segment, _ summary: SegmentSummary, previousEnd: Position?) throws -> [ChainFinding] { [] }
}

/// One run of functions over an archive into a database in memory.
struct TestRun {
  var functions: [any Projection] = [ShadeVelocity(), EventCounts(), RecentlyViewed()]
  let source: MemoryArchive
  let plan: ArchivePlan
  let database: MemoryDatabase
  var lanes = 2
  var blockBytes = 4096
  var commitEvents: UInt64 = .max
  var maxStateBytes = 1 << 30
  var commitBytes = 192 << 20
  var earlyCommitBytes = 16 << 20
  /// Events are held back from the first one on; `.max`: never.
  var holdAboveBytes = 0
  var onError = FailurePolicy()
  var maxKeptBytes = 256 << 20
  var rule: any ChainRule = NoChain()
  var stop = StopRequest()
  var filter = EventFilter()
  /// The number of the commit that the store refuses, with all after it.
  var lastCommit = Int.max
  var observe: @Sendable (RunEvent) -> Void = { _ in }

  @discardableResult func run() throws -> RunReport {
    let store = EndingStore(MemoryStore(database), commits: lastCommit)
    let checkpoints = try store.open(functions.map { FunctionIdentity($0) }, range: .all, refresh: false)
    var limits = DecodeLimits()
    limits.blockBytes = blockBytes
    let hasParkedKeys = checkpoints.contains { !$0.kept.parkedKeys.isEmpty }
    let needsKey = functions.contains { !$0.isMergeOnly } || hasParkedKeys || onError.choice != .fail
    let decoder = ArchiveDecoder(
      Extraction(functions.map(\.reads), anatomy: plan.anatomy, needsKey: needsKey, filter: filter), limits: limits)
    let clock = ContinuousClock()
    let start = clock.now
    var options = RunOptions { Int64((clock.now - start) / .milliseconds(1)) }
    options.lanes = lanes
    options.commitEvents = commitEvents
    options.maxStateBytes = maxStateBytes
    options.commitBytes = commitBytes
    options.earlyCommitBytes = earlyCommitBytes
    options.holdAboveBytes = holdAboveBytes
    options.onError = onError
    options.maxKeptBytes = maxKeptBytes
    let setup = RunSetup(
      projections: functions, plan: plan, extraction: decoder.extraction, source: source, decoder: decoder,
      store: store, rule: rule, options: options, stop: stop, hasParkedKeys: hasParkedKeys,
      filter: filter, observe: observe)
    return try ReplayRun(setup, checkpoints: checkpoints).run()
  }
}

/// A store whose disk is gone after some commits, as if the process were killed then.
final class EndingStore: Store {
  private let store: MemoryStore
  private let left: Mutex<Int>
  private let committed: @Sendable () -> Void

  /// `committed`: after each commit.
  init(_ store: MemoryStore, commits: Int = .max, committed: @escaping @Sendable () -> Void = {}) {
    self.store = store
    self.committed = committed
    left = Mutex(commits)
  }

  var name: String { store.name }
  var capability: StoreCapability { store.capability }

  func open(_ functions: [FunctionIdentity], range: KeyRange, refresh: Bool) throws -> [Checkpoint] {
    try store.open(functions, range: range, refresh: refresh)
  }

  func commit(_ epoch: EpochCommit) throws -> CommitOutcome {
    let isLeft = left.withLock { left in
      left -= 1
      return left >= 0
    }
    if !isLeft { throw ReplayError(.unavailable, "the disk is gone") }
    defer { committed() }
    return try store.commit(epoch)
  }

  func keep(_ mark: DeliveryMark, of function: String) throws { try store.keep(mark, of: function) }

  func takenOver() throws -> Takeover? { try store.takenOver() }

  func kept(of function: String, _ filter: KeptFilter, after number: Int64, limit: Int) throws -> [KeptEvent] {
    try store.kept(of: function, filter, after: number, limit: limit)
  }

  func load(_ table: TableSchema, keys: [Text], into rows: KeyedRows) throws {
    try store.load(table, keys: keys, into: rows)
  }

  func close() throws { try store.close() }
}
