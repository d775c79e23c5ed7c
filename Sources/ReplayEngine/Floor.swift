import ReplayCore

/// What the workers and the coordinator of one attempt share, behind one lock.
struct Floor {
  var schedule: ReadSchedule
  /// Workers that are inside a segment and do not stand.
  var reading = 0
  /// Workers that stand in the middle of a segment.
  private var standing = 0
  /// Cuts made so far: who stands waits for the next one. Not for the barrier to fall, since it may be up again before
  /// they wake.
  private(set) var cuts: UInt64 = 0
  /// Up: everyone stands at the next place where a cut may be.
  var barrier = false
  /// The cut at the next barrier is the last one.
  var closing = false
  /// Nobody goes on; what is open is dropped.
  var abandoned = false
  var failure: (any Error)?

  var open: OpenEpoch
  /// What each lane holds, where workers apply what they read.
  var loads: [LaneLoad]

  // The attempt so far.
  var findings: [ChainFinding] = []
  var summaries = SegmentSummary()
  var segmentsRead = 0
  var records: UInt64 = 0
  var finishedBytes: UInt64 = 0
  /// Compressed bytes that each worker has read of its segment.
  var workerBytes: [UInt64]

  init(_ schedule: ReadSchedule, functions: Int, workers: Int, lanes: Int) {
    self.schedule = schedule
    open = OpenEpoch(functions: functions, partitions: schedule.partitions.count)
    loads = Array(repeating: LaneLoad(), count: lanes)
    workerBytes = Array(repeating: 0, count: workers)
  }

  var readBytes: UInt64 { finishedBytes + workerBytes.reduce(0, +) }

  /// Everyone stands and the cut may be made.
  var isStill: Bool { barrier && reading == 0 }

  /// True where somebody may wait for a segment's end. With many small segments, waking everyone at each cost a tenth of
  /// the time.
  var isNews: Bool { barrier || abandoned || schedule.order == .byPartition || schedule.isDrained }

  mutating func fail(_ error: any Error) {
    failure = failure ?? error
    abandoned = true
  }

  mutating func finish(_ task: ReadTask, _ summary: SegmentSummary, by rule: any ChainRule) throws {
    segmentsRead += 1
    summaries.frames += summary.frames
    summaries.framesWithoutChecksum += summary.framesWithoutChecksum
    summaries.decompressedBytes += summary.decompressedBytes
    schedule.finish(task, summary)
    let examined = try schedule.examine(task.partition, by: rule)
    findings += examined.findings
    open.enter(examined.settled, examined.findings, partition: task.partition)
    if schedule.partitions[task.partition].reachedBound {
      barrier = true
      closing = true
    }
  }

  /// A worker stands in the middle of its segment; answers the number of cuts before.
  mutating func stand(_ task: ReadTask, at stand: Stand) -> UInt64 {
    schedule.stand(task, at: stand)
    reading -= 1
    standing += 1
    return cuts
  }

  /// Begins a new epoch behind a cut. Who stands reads again from this moment, awake or not.
  mutating func begin() {
    reading += standing
    standing = 0
    cuts += 1
    barrier = false
  }

  /// What a cut is made of, besides the lanes' changes.
  struct CutFacts {
    let frontier: [Position?]
    let halfRead: [HalfReadSegment?]
    let gapEnds: [Position?]
    let open: OpenEpoch
  }

  /// Takes what is open of these partitions, which stand.
  mutating func take(_ partitions: [Int]) -> CutFacts {
    CutFacts(
      frontier: schedule.frontier, halfRead: schedule.halfRead, gapEnds: schedule.gapEnds, open: open.take(partitions))
  }

  /// Partitions whose changes are to be written while the others are read. Only where lane `n` holds what partition `n`
  /// changed, and nothing else.
  func early(worth bytes: Int) -> [Int] {
    if barrier || abandoned { return [] }
    return EarlyCut.partitions(
      schedule.partitions.indices.map {
        EarlyCut.Partition(
          isDrained: schedule.isDrained($0), hasWork: open.hasWork($0), changedBytes: loads[$0].changedBytes)
      }, worth: bytes)
  }
}
