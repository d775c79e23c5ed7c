import ReplayCore
import ReplayDecode
import Synchronization

/// What an untimed pass over the whole archive finds: how many events there are and the time that they span. It also
/// brings the files into the system's cache, for all runs alike.
struct ArchiveSurvey {
  var events: UInt64 = 0
  /// Events whose time could be read.
  var timed: UInt64 = 0
  var first: Timestamp?
  var last: Timestamp?
  var frames = 0
  var framesWithoutChecksum = 0

  /// Seconds between the least and the greatest event time; nil where fewer than two moments are known.
  var span: Double? {
    guard let first, let last, first < last else { return nil }
    return Double(last.microseconds - first.microseconds) / 1e6
  }

  init() {}

  /// Reads every segment, on so many threads. The least and the greatest time need not be in the first and the last
  /// record: partitions are filled side by side, and writers send late events.
  init(_ archive: OpenedArchive, _ options: ArchiveOptions, _ chain: ChainOptions, threads: Int) throws {
    var reads = Reads()
    _ = reads.time()
    let decoder = try archive.decoder([reads], needsKey: false, options, chain)
    let column = decoder.extraction.functions[0].columns[0]
    let source = archive.source
    let gathered = Mutex(ArchiveSurvey())
    try BenchThreads.each(archive.segmentsBySize, on: threads) { next in
      var own = ArchiveSurvey()
      var kept: RecordBlock?
      while let segment = next() {
        let reading = try decoder.open(segment, in: source, range: SegmentRange(from: [0]))
        let block = kept ?? decoder.makeBlock(for: segment)
        kept = block
        while try reading.next(block) {
          own.add(block, column)
          try BenchThreads.checkStop()
        }
        own.frames += reading.summary.frames
        own.framesWithoutChecksum += reading.summary.framesWithoutChecksum
      }
      let found = own
      gathered.withLock { $0.merge(found) }
    }
    self = gathered.withLock { $0 }
  }

  private mutating func add(_ block: RecordBlock, _ column: Int) {
    events += UInt64(block.scanned)
    for record in 0..<block.count {
      let slice = block.fields[record * block.fieldCount + column]
      guard slice.kind == .string, let time = ValueParsing.timestamp(block.text(slice)) else { continue }
      add(time)
    }
  }

  mutating func add(_ time: Timestamp) {
    timed += 1
    if first.map({ time < $0 }) ?? true { first = time }
    if last.map({ time > $0 }) ?? true { last = time }
  }

  /// Takes in what another thread saw.
  mutating func merge(_ other: ArchiveSurvey) {
    events += other.events
    timed += other.timed
    first = [first, other.first].compactMap { $0 }.min()
    last = [last, other.last].compactMap { $0 }.max()
    frames += other.frames
    framesWithoutChecksum += other.framesWithoutChecksum
  }
}

extension OpenedArchive {
  /// The largest first, so that threads end together.
  var segmentsBySize: [Segment] { plan.partitions.flatMap(\.segments).sorted { $0.entry.size > $1.entry.size } }
}
