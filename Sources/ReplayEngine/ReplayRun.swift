import ReplayCore

/// Runs functions over an archive into a store. Rules that hold, each with its test:
///
/// 1. Order: events of one partition key reach a function in archive order, one at a time.
/// 2. A commit is one consistent cut: all changes below one frontier and that frontier, in one transaction.
/// 3. Nothing unproven is durable: a cut falls where every byte before it was verified.
/// 4. An error at a record drops the open epoch, reads again up to just before that record, commits that, and stops.
/// 5. The books balance, per function and partition, or the run fails.
/// 6. The same rows, to the digit, for any number of lanes, any block size, any interruption.
/// 7. An event that its function cannot apply stops the run like damage does, or is left: stored in the epoch's own
///    transaction, alone or with the later events of its key.
public struct ReplayRun {
  private let setup: RunSetup
  private let checkpoints: [Checkpoint]

  /// `checkpoints`: what `Store.open` answered, one for each projection.
  public init(_ setup: RunSetup, checkpoints: [Checkpoint]) {
    self.setup = setup
    self.checkpoints = checkpoints
  }

  /// Throws `ReplayError`; its effect says what is committed.
  public func run() throws -> RunReport {
    let began = setup.options.now()
    let empty = Ledger(functions: setup.projections.count, partitions: setup.plan.partitions.count)
    let committer = try Committer(
      setup.store, books: empty, frontiers: checkpoints.map(\.frontier),
      kept: checkpoints.map(\.kept), maxKeptBytes: setup.options.maxKeptBytes,
      windows: checkpoints.map(\.windows),
      keyOwners: setup.mode == .byPartition ? KeyOwners(setup.plan.partitions.map(\.partition)) : nil,
      now: setup.options.now, observe: setup.observe)
    defer { committer.close() }
    var settledEnds = SettledEnds(checkpoints)
    let settledBefore = settledEnds.count(in: setup.plan)
    var report = RunReport()
    report.segmentsSettledBefore = settledBefore
    var bounds = setup.plan.bound(afterRecords: setup.options.records).map { [$0.partition: $0] } ?? [:]
    var holdsBack = true
    let deliveries = DeliveryLog.all(setup.projections, checkpoints, in: setup.store)
    var first: ReplayError?
    var leaving = Leaving(setup.projections, setup.options.onError)
    while true {
      do {
        let attempt = try attempt(committer, settledEnds, bounds, holdsBack: holdsBack, deliveries, leaving)
        let finished = try attempt.run()
        try committer.settle()
        complete(&report, attempt, committer, began)
        if let first { throw told(first, committer) }
        report.outcome =
          !finished ? .stopped : report.records == 0 && report.segmentsRead == 0 ? .alreadyDone : .finished
        return report
      } catch let moved as BoundMoved {
        try committer.settle()
        settledEnds.add(committer.durableSettled)
        bounds[moved.to.partition] = moved.to
      } catch is HeldEventFault {
        try committer.settle()
        settledEnds.add(committer.durableSettled)
        holdsBack = false
      } catch let thrown where thrown is ReplayError || thrown is RefusedEvent {
        try? committer.settle()
        // What the store refused comes before what a lane has met meanwhile.
        guard let error = committer.takeRefused()?.error ?? thrown as? ReplayError else { throw thrown }
        if leaving.takes(committer.failure as? ReplayError ?? error), !setup.stop.isStopped {
          committer.forgive()
          settledEnds.add(committer.durableSettled)
          continue
        }
        if let failure = committer.failure { throw (failure as? ReplayError).map { told($0, committer) } ?? failure }
        settledEnds.add(committer.durableSettled)
        guard let bound = setup.plan.bound(for: error), bounds[bound.partition].map({ bound < $0 }) ?? true,
          !setup.stop.isStopped
        else { throw told(first ?? error, committer) }
        // Of two faults in one partition the earlier one is told: it is where the partition stands.
        if first.flatMap({ setup.plan.bound(for: $0)?.partition }) ?? bound.partition == bound.partition {
          first = error
        }
        bounds[bound.partition] = bound
      }
    }
  }

  private func attempt(
    _ committer: Committer, _ settled: SettledEnds, _ bounds: [Int: ReadBound], holdsBack: Bool,
    _ deliveries: [DeliveryLog], _ leaving: Leaving
  ) throws -> Attempt {
    let durable = committer.durable
    var done: [Int] = []
    var ends: [Position?] = []
    for partition in setup.plan.partitions {
      let count = partition.segments.prefix { settled.end(of: $0, in: setup.projections.count) != nil }.count
      done.append(count)
      ends.append(count == 0 ? nil : settled.end(of: partition.segments[count - 1], in: setup.projections.count))
    }
    let gapEnds = setup.plan.partitions.map { plan in
      (checkpoints.map(\.gapEnds) + [committer.durableGapEnds]).compactMap { $0[plan.partition] }.max()
    }
    let isFresh = checkpoints.map { $0.isFresh && durable.epochs == 0 }
    return try Attempt(
      setup, committer: committer, done: done, ends: ends, gapEnds: gapEnds, frontiers: durable.frontiers,
      halfRead: checkpoints.map { Set($0.halfRead.map(\.entry.name)) }, isFresh: isFresh, bounds: bounds,
      holdsBack: holdsBack, deliveries: deliveries, badEvents: leaving.badEvents)
  }

  private func complete(_ report: inout RunReport, _ attempt: Attempt, _ committer: Committer, _ began: Int64) {
    let durable = committer.durable
    attempt.floor.quietly { floor in
      report.segmentsRead = floor.segmentsRead
      report.compressedBytes = floor.readBytes
      report.decompressedBytes = floor.summaries.decompressedBytes
      report.frames = floor.summaries.frames
      report.framesWithoutChecksum = floor.summaries.framesWithoutChecksum
      report.records = floor.records
      report.findings = floor.findings
    }
    report.functions = setup.projections.enumerated().map { index, projection in
      RunReport.Function(
        name: projection.name, kept: committer.kept[index],
        books: setup.plan.partitions.indices.map {
          (setup.plan.partitions[$0].partition, durable.books.entries[index][$0])
        })
    }
    report.frontier = setup.plan.partitions.map { partition in
      let next = durable.frontiers.compactMap { $0[partition.partition] }.min()
      return (partition.partition, next, next.map(partition.text(through:)) ?? "nothing yet")
    }
    report.lateBeginnings = attempt.floor.quietly { floor in
      floor.schedule.partitions.enumerated().compactMap { index, state in
        // Where names say it, it was said before the run.
        guard let number = state.beginning, number > WideNumber(low: 0),
          case .explicit? = state.segments.first?.numbering,
          setup.filter.positions(of: setup.plan.partitions[index].partition).from == nil
        else { return nil }
        return (setup.plan.partitions[index].partition, number)
      }
    }
    report.rows = durable.rows
    report.epochs = durable.epochs
    report.commitMilliseconds = durable.milliseconds
    report.mode = setup.mode.rawValue
    report.milliseconds = setup.options.now() - began
  }

  /// The error with what was committed in spite of it.
  private func told(_ error: ReplayError, _ committer: Committer) -> ReplayError {
    guard error.effect == nil else { return error }
    var error = error
    let durable = committer.durable
    let events = (0..<setup.projections.count).map { durable.books.total(of: $0).read }.max() ?? 0
    let before = checkpoints.map(\.events).max() ?? 0
    if let bound = setup.plan.bound(for: error) {
      let plan = setup.plan.partitions[bound.partition]
      let reached = durable.frontiers.compactMap { $0[plan.partition] }.min()
      let extent =
        reached.map { "partition \(plan.partition) through \(plan.text(through: $0))" }
        ?? "nothing of partition \(plan.partition)"
      error.effect =
        "\(events) \(events == 1 ? "event" : "events") of this run \(events == 1 ? "is" : "are") committed, \(extent); \(before) were before"
    } else {
      error.effect = "\(events) events of this run are committed whole, \(before) were before; nothing else was written"
    }
    return error
  }
}

extension PartitionPlan {
  /// The last thing before the next position, as a person names it: `position 99`, `record 4 of a.json`.
  public func text(through next: Position) -> String {
    if case .place = segments.first?.numbering {
      let segment = segments.first { $0.numbering == .place(next.number) }
      return "record \(next.index) of \(segment?.name ?? "file \(next.number)")"
    }
    return next.index == 0 ? "what is before position \(next.number)" : "position \(next.number)"
  }
}

/// The end of each segment that is settled, for as many functions as have settled it.
struct SettledEnds {
  private var ends: [String: (functions: Int, end: Position)] = [:]

  init(_ checkpoints: [Checkpoint]) {
    for checkpoint in checkpoints { add(checkpoint.settled) }
  }

  mutating func add(_ segments: [SettledSegment]) {
    for segment in segments { ends[segment.entry.name, default: (0, segment.end)].functions += 1 }
  }

  /// Nil where some function has not settled it.
  func end(of segment: Segment, in functions: Int) -> Position? {
    guard let known = ends[segment.name], known.functions >= functions else { return nil }
    return known.end
  }

  func count(in plan: ArchivePlan) -> Int {
    plan.partitions.reduce(0) { $0 + $1.segments.filter { ends[$0.name] != nil }.count }
  }
}

extension ArchivePlan {
  /// The bound behind so many records of the last segment of the last partition; nil: none.
  func bound(afterRecords records: UInt64?) -> ReadBound? {
    guard let records, let segments = partitions.last?.segments, !segments.isEmpty else { return nil }
    return ReadBound(partition: partitions.count - 1, segment: segments.count - 1, ordinal: records)
  }

  /// The bound just before the record that the error is about; nil where it is not about a record of this plan.
  func bound(for error: ReplayError) -> ReadBound? {
    guard let place = error.place else { return nil }
    for (index, partition) in partitions.enumerated() {
      guard let segment = partition.segments.firstIndex(where: { $0.name == place.segment }) else { continue }
      return ReadBound(partition: index, segment: segment, ordinal: place.ordinal)
    }
    return nil
  }
}
