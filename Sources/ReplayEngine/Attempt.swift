import ReplayCore

/// One pass over what is left of the archive: workers read, lanes apply, the coordinator cuts. Ends when all is
/// committed, when asked to stop, or with the first error; then nothing of the open epoch is kept.
final class Attempt: @unchecked Sendable {
  // `@unchecked Sendable`: shared state is in the monitor; a lane is touched by the worker that holds its task, or by
  // the coordinator while all stand.

  let setup: RunSetup
  let floor: Monitor<Floor>
  let committer: Committer
  let lanes: [Lane]
  let router: Router?
  let workers: Int
  let frontiers: [[Partition: Position]]
  private let filter: BlockFilter?
  /// For each function, the names of the segments that earlier runs read in part.
  private let halfRead: [Set<String>]

  init(
    _ setup: RunSetup, committer: Committer, done: [Int], ends: [Position?], gapEnds: [Position?],
    frontiers: [[Partition: Position]],
    halfRead: [Set<String>], isFresh: [Bool], bounds: [Int: ReadBound], holdsBack: Bool,
    deliveries: [DeliveryLog], badEvents: [BadEvents]
  ) throws {
    self.setup = setup
    self.committer = committer
    self.frontiers = frontiers
    self.halfRead = halfRead
    filter = BlockFilter(setup.filter, setup.extraction)
    workers = max(1, setup.options.lanes)
    var ownWorkers = setup.projections.contains(where: \.hasSessions) ? setup.options.workers : nil
    // A window has all events of its partition, whatever their keys.
    if setup.projections.contains(where: { $0.windowSeconds != nil }) { ownWorkers = 1 }
    let laneCount = setup.mode.lanes(
      lanes: ownWorkers ?? setup.options.lanes, partitions: setup.plan.partitions.count)
    let (parkedKeys, windows) = (committer.kept.map(\.parkedKeys), committer.windows)
    lanes = try (0..<laneCount).map { number in
      try Lane(
        setup.projections, setup.extraction, number: number, of: laneCount, store: setup.store,
        partitions: setup.plan.partitions.map(\.partition), isFresh: isFresh, deliveries: deliveries,
        holdAbove: holdsBack ? setup.options.holdAboveBytes : .max, onError: setup.options.onError,
        parkedKeys: parkedKeys, badEvents: badEvents, windows: windows)
    }
    let order: ReadSchedule.Order = setup.mode == .byPartition || setup.rule.needsSequence ? .byPartition : .free
    let schedule = ReadSchedule(
      setup.plan.partitions, done: done, ends: ends, gapEnds: gapEnds, order: order, workers: workers, bounds: bounds)
    // Readers of a routed run may be more than its lanes, and each has a place for what it holds.
    floor = Monitor(
      Floor(schedule, functions: setup.projections.count, workers: workers, lanes: max(laneCount, workers)))
    router =
      setup.mode == .routed
      ? try Router(
        lanes, partitions: setup.plan.partitions.count, keyColumn: setup.extraction.keyColumn,
        // What is queued has to be worked through before each cut, and who works elsewhere may be slow.
        maxBlocksPerTicket: lanes.contains(where: \.hasSessions) ? 1 : 8, gate: setup.options.gate) : nil
  }

  /// True: all is committed. False: asked to stop.
  func run() throws -> Bool {
    var threads: [NamedThread] = []
    let watch = SessionWatch()
    defer {
      watch.end()
      floor.change { $0.abandoned = true }
      if setup.stop.isStopped { for lane in lanes { lane.cancel() } }
      router?.close()
      for thread in threads { thread.join() }
      for lane in lanes { lane.abandon() }
    }
    for worker in 0..<workers {
      threads.append(try NamedThread("replay-read-\(worker)") { [self] in work(worker) })
    }
    if lanes.contains(where: \.hasSessions) {
      threads.append(
        try NamedThread("replay-stop") { [self] in
          watch.run(setup.stop, after: setup.options.stopMilliseconds, now: setup.options.now) {
            for lane in lanes { lane.cancel() }
          }
        })
    }
    do { return try coordinate() } catch {
      // What a stop cut short is dropped, and read again by the next run.
      if watch.hasGivenUp { return false }
      throw error
    }
  }

  // MARK: Workers

  private enum Step {
    case read(ReadTask, ticket: Int)
    case leave
  }

  private func work(_ worker: Int) {
    var block: RecordBlock?
    do {
      while case .read(let task, let ticket) = nextStep() {
        guard try read(task, ticket, worker, &block) else { return }
      }
    } catch {
      floor.change { $0.fail(error) }
    }
  }

  /// The worker's next task. While there is none, it helps those who read, at a barrier too: they have to get to where
  /// they can stand.
  private func nextStep() -> Step {
    var pauseMilliseconds = 1
    while true {
      if let step = floor.quietly(step) { return step }
      if setup.options.gate == nil, setup.decoder.help() {
        pauseMilliseconds = 1
      } else {
        // Nobody tells when there is something to help with again: it is looked for less and less often.
        if let step = floor.wait(milliseconds: pauseMilliseconds, step) { return step }
        pauseMilliseconds = min(2 * pauseMilliseconds, 20)
      }
    }
  }

  private func step(_ floor: inout Floor) -> Step? {
    if floor.abandoned { return .leave }
    if floor.barrier { return nil }
    if let task = floor.schedule.take() {
      floor.reading += 1
      return .read(task, ticket: router?.openTicket(partition: task.partition) ?? 0)
    }
    return floor.schedule.isDrained ? .leave : nil
  }

  /// Reads one segment; false where the attempt ends meanwhile. `kept`: the worker's block, whose memory the next segment
  /// uses again.
  private func read(_ task: ReadTask, _ ticket: Int, _ worker: Int, _ kept: inout RecordBlock?) throws -> Bool {
    let segment = setup.plan.partitions[task.partition].segments[task.segment]
    let own = frontiers.map { $0[segment.partition].map { segment.mark(atOrAfter: $0) } ?? 0 }
    let range = range(of: segment, task, own)
    let decoder = try setup.decoder.open(segment, in: setup.source, range: range)
    var block = kept ?? setup.decoder.makeBlock(for: segment)
    defer { kept = block }
    let gate = setup.options.gate
    while try gate.working({ try decoder.next(block) }) {
      block.partitionIndex = UInt32(task.partition)
      let facts = try BlockFacts(
        block, own: own, functions: setup.projections.count, acceptsGaps: setup.rule.acceptsGaps, filter: filter)
      if let router {
        try router.send(block, ticket: ticket, partition: task.partition)
      } else {
        let lane = lane(task, worker)
        try gate.working(alone: !lane.hasSessions) { try lane.apply(block) }
      }
      guard account(facts, task, worker) else { return false }
      if router != nil {
        block = router?.block { setup.decoder.makeBlock(for: segment) } ?? block
      }
    }
    router?.closeTicket(ticket, partition: task.partition)
    if range.untilOrdinal == .max { try checkLength(segment, decoder.summary, own) }
    return floor.tell { floor in
      floor.reading -= 1
      floor.workerBytes[worker] = 0
      floor.finishedBytes += segment.entry.size
      // Fails under the same lock: nobody may see this segment read and not yet examined.
      do { try floor.finish(task, decoder.summary, by: setup.rule) } catch { floor.fail(error) }
      return (!floor.abandoned, floor.isNews)
    }
  }

  /// A segment that was half read may not end before the position that was reached in it.
  private func checkLength(_ segment: Segment, _ summary: SegmentSummary, _ own: [UInt64]) throws {
    let ours = own.indices.filter { halfRead[$0].contains(segment.name) }
    guard let reached = ours.map({ own[$0] }).max() else { return }
    let end: UInt64 =
      if case .explicit = segment.numbering { summary.lastNumber.map { $0 + 1 } ?? 0 } else { summary.records }
    guard end < reached else { return }
    throw ReplayError(
      .data, "a segment that was half read is shorter than it was: \(segment.name)",
      details: [
        "replayed up to position \(segment.position(mark: reached - 1).successor)",
        "it ends now after record \(summary.records)",
      ], next: "put the old file back, or start anew with --full-refresh"
    ).at(segment, ordinal: 0)
  }

  private func lane(_ task: ReadTask, _ worker: Int) -> Lane {
    lanes[setup.mode == .byPartition ? task.partition : worker]
  }

  /// What each function has not settled; and where overlaps are allowed, nothing that the segment before held.
  private func range(of segment: Segment, _ task: ReadTask, _ own: [UInt64]) -> SegmentRange {
    let (bound, end) = floor.quietly { floor in
      (floor.schedule.bounds[task.partition], floor.schedule.partitions[task.partition].end)
    }
    let overlapped = setup.rule.needsSequence ? end.map { segment.mark(atOrAfter: $0) } ?? 0 : 0
    let from = own.map { max($0, overlapped) }
    return SegmentRange(from: from, untilOrdinal: bound?.segment == task.segment ? bound?.ordinal ?? .max : .max)
  }

  /// Enters the block into the books and stands where a barrier asks for it. False where the attempt ends.
  private func account(_ block: BlockFacts, _ task: ReadTask, _ worker: Int) -> Bool {
    let own = router == nil ? lane(task, worker).load : LaneLoad()
    let others = router?.load ?? LaneLoad()
    let laneIndex = setup.mode == .byPartition ? task.partition : worker
    let stood = floor.quietly { floor -> UInt64? in
      floor.open.enter(block, partition: task.partition)
      floor.records += block.scanned
      floor.workerBytes[worker] = block.compressedBytes
      floor.loads[laneIndex] = own
      let load = floor.loads.reduce(others, +)
      let isDue = load.changedBytes > setup.options.commitBytes || load.stateBytes > setup.options.maxStateBytes
      if isDue || floor.open.records >= setup.options.commitEvents { floor.barrier = true }
      guard floor.barrier, let stand = block.stand, floor.schedule.mayStop(task) else { return nil }
      do { try floor.schedule.begin(task, firstNumber: block.firstNumber, by: setup.rule) } catch {
        floor.fail(error)
        return nil
      }
      return floor.stand(task, at: stand)
    }
    guard let stood else { return floor.quietly { !$0.abandoned } }
    floor.change { _ in }  // Wakes the coordinator: one fewer is reading.
    return floor.wait { floor -> Bool? in
      if floor.abandoned { return false }
      return floor.cuts == stood ? nil : true
    }
  }

  // MARK: The coordinator

  private func coordinate() throws -> Bool {
    var epochBegan = setup.options.now()
    var stopAt: Int64?
    while true {
      let mayCutEarly = mayCutEarly
      let isStill = floor.wait(milliseconds: 50) { floor -> Bool? in
        if floor.failure != nil { return false }
        if floor.schedule.isDrained, !floor.barrier {
          floor.barrier = true
          floor.closing = true
        }
        if mayCutEarly, !early(floor).isEmpty { return false }
        return floor.isStill ? true : nil
      }
      if let failure = floor.quietly({ $0.failure }) ?? router?.failure ?? committer.failure { throw failure }
      let now = setup.options.now()
      tell()
      if isStill == true {
        if try cut() { return stopAt == nil }
        epochBegan = setup.options.now()
      } else if stopAt == nil, setup.stop.isStopped {
        stopAt = now + setup.options.stopMilliseconds
        floor.change { floor in
          floor.barrier = true
          floor.closing = true
        }
      } else if let stopAt, now > stopAt {
        return false
      } else if now - epochBegan > setup.options.commitMilliseconds {
        floor.change { $0.barrier = true }
      } else {
        try cutEarly()
      }
    }
  }

  private func tell() {
    let (bytes, events) = floor.quietly { ($0.readBytes, $0.records) }
    setup.observe(.progress(Progress(bytes: bytes, events: events)))
  }
}
