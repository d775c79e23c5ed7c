import ReplayCore

/// One segment to read, given to one worker.
struct ReadTask: Hashable {
  let partition: Int
  let segment: Int
}

/// Who reads what next, and where a cut would stand: pure bookkeeping, an event in, an answer out.
///
/// The rule it keeps: at a cut, everything before one position of a partition was read and nothing after it. So a
/// worker may stop in the middle of a segment only where no later segment of that partition was begun.
struct ReadSchedule {
  enum Order {
    /// Any worker takes any segment: nothing depends on the order of events.
    case free
    /// One worker at a time reads a partition, segment after segment.
    case byPartition
  }

  struct PartitionState {
    let segments: [Segment]
    /// Segments before this one are read and examined.
    var done: Int
    /// The next segment nobody has begun.
    var next: Int
    /// Segments that are read, with what was found, until those before them are read too.
    var finished: [Int: SegmentSummary] = [:]
    /// Where the segment `done` stands, when its reader stopped in the middle.
    var partial: Stand?
    /// The segment whose beginning was examined while it is read.
    var begun: Int?
    /// The first number of the partition's first segment, once that was examined in this attempt.
    var beginning: WideNumber?
    /// Behind the last gap in what is read: only from here on an overlap's events are known to be doubled.
    var denseFrom: WideNumber?
    /// The next position after all that is read and examined.
    var end: Position?
    /// Segments from this one on are not read in this attempt.
    var limit: Int
    var running = 0
    /// Compressed bytes of the segments nobody has begun, and one for each.
    var bytesLeft: UInt64
    /// The same of the segments that are being read.
    var bytesUnderway: UInt64 = 0
    /// True once the bound of a bounded attempt was reached.
    var reachedBound = false
  }

  private(set) var partitions: [PartitionState]
  let order: Order
  private let workers: Int
  /// For each partition, where this attempt may not go on.
  let bounds: [Int: ReadBound]

  init(
    _ plan: [PartitionPlan], done: [Int], ends: [Position?], gapEnds: [Position?], order: Order, workers: Int,
    bounds: [Int: ReadBound]
  ) {
    self.order = order
    self.workers = workers
    self.bounds = bounds
    partitions = plan.indices.map { index in
      let limit = bounds[index].map { $0.segment + 1 } ?? plan[index].segments.count
      let left = done[index] < limit ? plan[index].segments[done[index]..<limit] : []
      var state = PartitionState(
        segments: plan[index].segments, done: done[index], next: done[index], end: ends[index], limit: limit,
        bytesLeft: left.reduce(0) { $0 + $1.entry.size + 1 })
      state.denseFrom = gapEnds[index]?.number
      return state
    }
  }

  /// The next segment for a worker; in any order that of the partition with most bytes left. Nil: nothing to begin now.
  mutating func take() -> ReadTask? {
    let idle = partitions.indices.filter {
      partitions[$0].next < partitions[$0].limit && (order == .free || partitions[$0].running == 0)
    }
    let bytesLeft = partitions.map(\.bytesLeft)
    let next =
      order == .byPartition
      ? PartitionTurn.next(
        bytesLeft: bytesLeft, underway: partitions.reduce(0) { $0 + $1.bytesUnderway }, idle: idle, workers: workers)
      : idle.max { bytesLeft[$0] < bytesLeft[$1] }
    guard let partition = next else { return nil }
    let task = ReadTask(partition: partition, segment: partitions[partition].next)
    let bytes = partitions[partition].segments[task.segment].entry.size + 1
    partitions[partition].bytesLeft -= bytes
    partitions[partition].bytesUnderway += bytes
    partitions[partition].next += 1
    partitions[partition].running += 1
    return task
  }

  /// True where no segment is left to begin and none is being read.
  var isDrained: Bool { partitions.indices.allSatisfy(isDrained) }

  func isDrained(_ partition: Int) -> Bool {
    partitions[partition].next >= partitions[partition].limit && partitions[partition].running == 0
  }

  /// True where a reader of this task may stop in the middle of its segment.
  func mayStop(_ task: ReadTask) -> Bool {
    let state = partitions[task.partition]
    return task.segment == state.done && state.next == task.segment + 1
  }

  /// Examines that the segment begins where the one before it ended, once; only where `mayStop` is true.
  mutating func begin(_ task: ReadTask, firstNumber: UInt64?, by rule: any ChainRule) throws {
    guard partitions[task.partition].begun != task.segment else { return }
    let state = partitions[task.partition]
    let segment = state.segments[task.segment]
    do {
      try rule.begin(segment, firstNumber: firstNumber, previousEnd: state.end)
      try state.checkOverlap(segment, firstNumber: firstNumber)
    } catch var error as ReplayError {
      if task.segment > 0 { error.details.append("the segment before it: \(state.segments[task.segment - 1].name)") }
      throw error.at(segment, ordinal: 0)
    }
    partitions[task.partition].begun = task.segment
  }

  /// The reader of `task` stands in the middle of its segment.
  mutating func stand(_ task: ReadTask, at stand: Stand) {
    partitions[task.partition].partial = stand
  }

  /// The segment was read to its end, or to its bound. Returns the segments that are now read in unbroken order, for
  /// examination: each with its summary.
  mutating func finish(_ task: ReadTask, _ summary: SegmentSummary) {
    partitions[task.partition].running -= 1
    partitions[task.partition].bytesUnderway -= partitions[task.partition].segments[task.segment].entry.size + 1
    partitions[task.partition].partial = nil
    partitions[task.partition].finished[task.segment] = summary
  }

  /// Examines finished segments in order by the chain's rule, and moves the partition's end.
  mutating func examine(_ partition: Int, by rule: any ChainRule) throws -> (
    findings: [ChainFinding], settled: [SettledSegment]
  ) {
    var findings: [ChainFinding] = []
    var settled: [SettledSegment] = []
    while let summary = partitions[partition].finished[partitions[partition].done] {
      let index = partitions[partition].done
      let segment = partitions[partition].segments[index]
      partitions[partition].finished[index] = nil
      if let bound = bounds[partition], bound.segment == index {
        // Numbers that were left out may still come behind the bound, or be missing: the bound is no place to go on from.
        let isOpen = summary.inversions > 0 || (summary.missingNumbers > 0 && !rule.acceptsGaps)
        if isOpen, bound.ordinal > 0 { throw BoundMoved(to: bound.start) }
        partitions[partition].reachedBound = true
        partitions[partition].partial = bound.position(in: segment, summary).map {
          Stand(position: $0, prefixBytes: summary.prefixBytes, prefixDigest: summary.prefixDigest)
        }
        partitions[partition].limit = index
        return (findings, settled)
      }
      do {
        findings += try rule.examine(segment, summary, previousEnd: partitions[partition].end)
        try partitions[partition].checkOverlap(segment, firstNumber: summary.firstNumber)
      } catch var error as ReplayError where error.place == nil {
        if index > 0 {
          error.details.append("the segment before it: \(partitions[partition].segments[index - 1].name)")
        }
        throw error.at(segment, ordinal: 0)
      }
      if partitions[partition].end == nil {
        partitions[partition].beginning = partitions[partition].start(of: segment, summary.firstNumber)
      }
      let end = segment.end(summary, after: partitions[partition].end)
      partitions[partition].noteGap(segment, summary, end: end)
      partitions[partition].end = end
      partitions[partition].done = index + 1
      settled.append(
        SettledSegment(
          partition: segment.partition, entry: segment.kept, digest: summary.digest, records: summary.records,
          end: end ?? .zero))
    }
    return (findings, settled)
  }

  /// Per partition, the next position to read if the run stopped here. Nil: nothing was read of it, ever.
  var frontier: [Position?] { partitions.map { $0.partial?.position ?? $0.end } }

  /// Per partition, the place behind the last gap in what is read.
  var gapEnds: [Position?] { partitions.map { $0.denseFrom.map { Position(number: $0) } } }

  /// Per partition, the segment that is read in part, if there is one.
  var halfRead: [HalfReadSegment?] {
    partitions.map { state in
      guard let stand = state.partial, state.segments.indices.contains(state.done) else { return nil }
      let segment = state.segments[state.done]
      return HalfReadSegment(
        partition: segment.partition, entry: segment.kept, prefixBytes: stand.prefixBytes,
        prefixDigest: stand.prefixDigest)
    }
  }
}

/// Where a reader stands in the middle of a segment.
struct Stand: Equatable {
  let position: Position
  /// As in `RecordBlock`.
  let prefixBytes: UInt64
  let prefixDigest: UInt64
}

/// The bound cannot stand where it was put, because the numbers before it go back: the attempt is made again with this one.
struct BoundMoved: Error {
  let to: ReadBound
}

extension ReadSchedule.PartitionState {
  /// Throws where a segment begins before a gap in what was read: its events may be doubled or not, nothing tells.
  func checkOverlap(_ segment: Segment, firstNumber: UInt64?) throws {
    guard let denseFrom, let start = start(of: segment, firstNumber), start < denseFrom else { return }
    throw ReplayError(
      .data, "the segment overlaps numbers that were left out before: \(segment.name)",
      details: [
        "it begins at \(start), and behind that, before \(denseFrom), numbers are missing in the segments before it",
        "which of its events are doubled and which are new cannot be told",
      ], next: "replay from an archive without the overlap")
  }

  mutating func noteGap(_ segment: Segment, _ summary: SegmentSummary, end: Position?) {
    let after = end.map { $0.index == 0 ? $0.number : $0.number.advanced(by: 1) }
    if summary.missingNumbers > 0 { denseFrom = after }
    guard let start = start(of: segment, summary.firstNumber), let before = self.end, summary.records > 0 else {
      return
    }
    let expected = before.index == 0 ? before.number : before.number.advanced(by: 1)
    if start > expected { denseFrom = summary.missingNumbers > 0 ? after : start }
  }

  func start(of segment: Segment, _ firstNumber: UInt64?) -> WideNumber? {
    switch segment.numbering {
    case .counted(let start): start
    case .explicit: firstNumber.map { WideNumber(low: $0) }
    case .place: nil
    }
  }
}

/// Where a bounded attempt stops: just before the record that could not be applied.
struct ReadBound: Equatable, Comparable {
  let partition: Int
  let segment: Int
  let ordinal: UInt64

  /// Just before the segment's first record.
  var start: ReadBound { ReadBound(partition: partition, segment: segment, ordinal: 0) }

  /// By place in the partition.
  static func < (a: ReadBound, b: ReadBound) -> Bool {
    a.segment != b.segment ? a.segment < b.segment : a.ordinal < b.ordinal
  }

  /// The position of the bound, as far as the segment's own numbers tell.
  func position(in segment: Segment, _ summary: SegmentSummary) -> Position? {
    if ordinal == 0 { return nil }
    switch segment.numbering {
    case .counted, .place: return segment.position(mark: ordinal - 1).successor
    case .explicit: return summary.lastNumber.map { Position($0).successor }
    }
  }
}

extension Segment {
  /// The next position after the segment; where it is empty, the one before it stands, or else its own beginning.
  func end(_ summary: SegmentSummary, after previous: Position?) -> Position? {
    switch numbering {
    case .counted(let start) where summary.records == 0: return previous ?? Position(number: start)
    case .counted, .place:
      guard summary.records > 0 else { return previous }
      let end = position(mark: summary.records - 1).successor
      return max(end, previous ?? end)
    case .explicit:
      guard let last = summary.lastNumber.map({ Position($0).successor }) else { return previous }
      return max(last, previous ?? last)
    }
  }
}
