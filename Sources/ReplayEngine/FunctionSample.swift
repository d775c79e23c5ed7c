import ReplayCore

/// A small part of an archive, read and applied in one thread into changes that are thrown away: how fast it goes.
public struct FunctionSample: Sendable {
  public private(set) var events: UInt64 = 0
  public private(set) var milliseconds: Int64 = 0
  public private(set) var segments = 0
  /// What stopped the sample: damage, or an event that a function could not apply.
  public private(set) var failure: ReplayError?
  /// Events and the compressed bytes they were in, as far as both are known of the same part.
  private var measuredEvents: UInt64 = 0
  private var measuredBytes: UInt64 = 0

  public var eventsPerSecond: Double { Double(events) * 1000 / Double(max(1, milliseconds)) }
  public var eventsPerByte: Double { measuredBytes == 0 ? 0 : Double(measuredEvents) / Double(measuredBytes) }

  public struct Limits: Sendable {
    public var segments = 8
    public var decompressedBytes = 64 << 20
    public var milliseconds: Int64 = 1_000
    /// What one block holds decompressed, about.
    public var blockBytes = 256 << 10
    public init() {}
  }

  /// Reads from the beginnings of segments that lie evenly in `segments`. No projections: decodes only. Writes nothing;
  /// an error ends the sample and is kept in `failure`.
  public init(
    _ projections: [any Projection], _ extraction: Extraction, decoder: any Decoder, in source: any SegmentSource,
    of segments: [Segment], filter: EventFilter = EventFilter(), limits: Limits = Limits(), now: () -> Int64
  ) {
    guard !segments.isEmpty else { return }
    let lane: Lane
    do {
      lane = try Lane(
        projections, extraction, store: NoStore(), partitions: [], isFresh: projections.map { _ in true },
        holdAbove: .max)
    } catch {
      failure = error as? ReplayError ?? ReplayError(.unexpected, "\(error)")
      return
    }
    defer { lane.abandon() }
    let count = min(limits.segments, segments.count)
    let began = now()
    for turn in 0..<count {
      let segment = segments[turn * segments.count / count]
      let until = began + limits.milliseconds * Int64(turn + 1) / Int64(count)
      let part = Part(
        blocks: max(1, limits.decompressedBytes / limits.blockBytes / count), until: until,
        filter: BlockFilter(filter, extraction))
      do { try read(segment, part, lane, extraction, decoder, source, now) } catch {
        failure = error as? ReplayError ?? ReplayError(.unexpected, "\(error)")
        break
      }
      self.segments += 1
    }
    milliseconds = now() - began
  }

  private struct Part {
    let blocks: Int
    let until: Int64
    let filter: BlockFilter?
  }

  private mutating func read(
    _ segment: Segment, _ part: Part, _ lane: Lane, _ extraction: Extraction, _ decoder: any Decoder,
    _ source: any SegmentSource, _ now: () -> Int64
  ) throws {
    let range = SegmentRange(from: Array(repeating: 0, count: extraction.functions.count))
    let opened = try decoder.open(segment, in: source, range: range)
    let block = decoder.makeBlock(for: segment)
    // Compressed bytes are counted when a reader takes them in, so they are known where it takes in the next.
    var (blocks, seen, bytes) = (0, UInt64(0), UInt64(0))
    var known: (events: UInt64, bytes: UInt64)?
    defer {
      measuredEvents += known?.events ?? seen
      measuredBytes += known?.bytes ?? bytes
    }
    while try opened.next(block) {
      if block.compressedBytes > bytes, bytes > 0 { known = (seen, bytes) }
      bytes = block.compressedBytes
      try part.filter?.apply(to: block)
      try lane.apply(block)
      seen += UInt64(block.scanned)
      events += UInt64(block.scanned)
      blocks += 1
      let late = now() - part.until
      if late > 1_000 || (known != nil && (blocks >= part.blocks || late > 0)) { return }
    }
    known = (seen, segment.entry.size)
  }
}

/// The store of a sample: has nothing and takes nothing.
private final class NoStore: Store {
  let name = "nothing"
  let capability = StoreCapability.atomicEpoch

  func open(_ functions: [FunctionIdentity], range: KeyRange, refresh: Bool) throws -> [Checkpoint] {
    functions.map { _ in Checkpoint() }
  }
  func commit(_ epoch: EpochCommit) throws -> CommitOutcome { .committed(rows: 0) }
  func takenOver() throws -> Takeover? { nil }
  func kept(of function: String, _ filter: KeptFilter, after number: Int64, limit: Int) throws -> [KeptEvent] { [] }
  func load(_ table: TableSchema, keys: [Text], into rows: KeyedRows) throws {}
  func close() throws {}
}
