import ReplayArchive
import ReplayCore
import ReplayDecode
import ReplayEngine
import Synchronization

/// A command line that says how a handoff is to be made: of a run, or of a plan of one.
protocol HandoffCommand {
  var archive: ArchiveOptions { get }
  var chain: ChainOptions { get }
  var stream: StreamOptions { get }
}

extension Run: HandoffCommand {}
extension Plan: HandoffCommand {}

/// How the archive's partitions and the stream's belong together, and where each is to be entered.
struct HandoffPlan {
  private let command: any HandoffCommand
  let entry: StreamEntry
  let kind: HandoffClass
  private let liveLog: String
  private let streamName: String

  /// Throws `ReplayError` where the two cannot belong together, or the stream has already lost what comes next.
  init(_ archive: OpenedArchive, _ source: any LiveSource, _ command: any HandoffCommand) throws {
    try self.init(describing: archive, source, command)
    let parts = try source.partitions()
    for partition in archive.plan.partitions {
      if let refusal = refusal(of: partition, archive, parts, source) { throw refusal }
    }
  }

  /// Without a look at what the stream still has.
  init(describing archive: OpenedArchive, _ source: any LiveSource, _ command: any HandoffCommand) throws {
    self.command = command
    liveLog = source.log
    streamName = source.name
    switch archive.layout.endStrength {
    case .exact: kind = .exact
    case .lowerBound: kind = command.chain.positions == .dense ? .exact : .lowerBound
    case .none:
      throw ReplayError(
        .usage, "the archive has no positions of the stream, so its end cannot be found there",
        details: [archive.layout.endStrength.sentence], effect: "nothing was read or written",
        next: "say with --position or --segment-pattern where the numbers are, or replay without --live")
    }
    try HandoffPlan.check(command.stream, for: kind)
    entry = StreamEntry(kind: kind, options: command.archive)
    let logs = Set(archive.plan.partitions.map(\.partition.log)).sorted()
    guard logs.count <= 1 else {
      throw ReplayError(
        .usage, "the archive is of several topics, and a stream is one",
        details: ["topics: \(logs.prefix(5).joined(separator: ", "))"], effect: "nothing was read or written",
        next: "name one topic's directory with --archive")
    }
  }

  /// Why the stream cannot go on where this partition's archive ends, as far as it is known before anything is read.
  func refusal(
    of partition: PartitionPlan, _ archive: OpenedArchive, _ parts: [LivePartition], _ source: any LiveSource
  ) -> ReplayError? {
    guard let part = parts.first(where: { $0.partition.id == partition.partition.id }) else {
      return ReplayError(
        .otherStream, "the stream lacks a partition that was archived: \(source.name)",
        details: [
          "expected a partition \(partition.partition.name)",
          "found: \(parts.isEmpty ? "none" : parts.map(\.partition.name).joined(separator: ", "))",
        ], effect: "nothing was read or written", next: "look whether this is the stream that was archived")
    }
    guard let end = entry.position(of: partition, in: archive) else { return nil }
    var error: ReplayError?
    if part.start.number > end.firstNumber {
      let lost = HandoffRun.error(.expired(part.partition, wanted: end, start: part.start), of: source)
      error = kind == .exact ? lost : HandoffPlan.counted(lost)
    } else if part.end.number < end.firstNumber {
      error = HandoffRun.error(.beyondEnd(part.partition, wanted: end, end: part.end), of: source)
    }
    error?.effect = "nothing was read or written"
    return error
  }

  var lines: [String] {
    ["live      \(streamName): handoff by \(kind == .exact ? "an exact end" : "a lower bound, matched event by event")"]
      + HandoffPlan.notes(command.stream, for: kind)
  }

  /// Looks every few seconds, while the archive is read, whether the stream still has what comes behind it.
  func watch(_ address: StreamAddress, _ command: Run) throws -> RetentionWatch {
    let (archiveOptions, liveLog, entry) = (command.archive, liveLog, entry)
    let watch = RetentionWatch(
      interval: 5_000, now: Clock.milliseconds, stop: Signals.stop,
      ends: {
        let archive = try OpenedArchive(archiveOptions)
        var ends: [Partition: Position] = [:]
        for partition in archive.plan.partitions {
          let live = Partition(log: liveLog, side: .live, id: partition.partition.id)
          ends[live] = entry.position(of: partition, in: archive)
        }
        return ends
      }, arrival: { ProgressLine.arrivalMilliseconds })
    try watch.start { try address.open() }
    return watch
  }

  /// Every partition of the stream, with what of the archive is to be found in it again.
  func parts(
    _ archive: OpenedArchive, _ source: any LiveSource, _ checkpoint: Checkpoint
  ) throws -> [HandoffRun.Part] {
    var rule = Handoff.Rule()
    rule.mayBeUnproved = command.stream.unprovedHandoff
    rule.isSparse = command.chain.positions == .sparse
    return try source.partitions().map { live in
      let planned = archive.plan.partitions.first { $0.partition.id == live.partition.id }
      guard let planned, let end = checkpoint.frontier[planned.partition] else {
        // Nothing of it was archived: it begins with its first event.
        return HandoffRun.Part(
          archive: nil, live: live, handoff: Handoff(.exact, archiveEnd: .zero, tail: [], rule: rule))
      }
      let tail =
        try kind == .exact ? last(of: planned, from: live.start, archive) : lastSegment(planned, live, archive, source)
      return HandoffRun.Part(
        archive: planned.partition, live: live, handoff: Handoff(kind, archiveEnd: end, tail: tail, rule: rule))
    }
  }

  /// The last events that the stream still has.
  private func last(of partition: PartitionPlan, from start: Position, _ archive: OpenedArchive) throws
    -> [PrintedEvent]
  {
    let wanted = command.stream.overlapEvents
    var tail: [PrintedEvent] = []
    for segment in partition.segments.reversed() where tail.count < wanted {
      tail = try events(of: segment, archive, keep: wanted - tail.count) + tail
    }
    return tail.filter { $0.position.number >= start.number }
  }

  /// All events of the last segment that has some; the stream must have them all.
  private func lastSegment(
    _ partition: PartitionPlan, _ live: LivePartition, _ archive: OpenedArchive, _ source: any LiveSource
  ) throws -> [PrintedEvent] {
    for segment in partition.segments.reversed() {
      let found = try events(of: segment, archive, keep: nil)
      guard let first = found.first else { continue }
      if live.start.number > first.position.number {
        throw HandoffPlan.counted(
          HandoffRun.error(.expired(live.partition, wanted: first.position, start: live.start), of: source))
      }
      return found
    }
    return []
  }

  /// There need not be a hole: but the end can be found only where the last segment is.
  private static func counted(_ error: ReplayError) -> ReplayError {
    var error = error
    error.details.append("the archive counts its positions, so its last segment has to be found in the stream whole")
    error.next = "if every position of the stream was filled, say --positions dense: the end is exact then"
    return error
  }

  private func events(of segment: Segment, _ archive: OpenedArchive, keep: Int?) throws -> [PrintedEvent] {
    var found: [PrintedEvent] = []
    try ArchiveTail.eachPayload(
      of: segment, in: archive.source, anatomy: archive.plan.anatomy, framing: command.archive.format,
      limits: command.archive.limits
    ) { position, payload in
      found.append(PrintedEvent(position: position, print: PayloadPrinter.print(payload)))
      if let keep, found.count >= 2 * max(1, keep) { found.removeFirst(found.count - keep) }
    }
    return keep.map { Array(found.suffix($0)) } ?? found
  }
}

/// The position at which a partition of the stream has to be entered, as far as the archive shows it now: its end, where
/// that is exact; the beginning of its last segment, where that has to be found in the stream.
final class StreamEntry: Sendable {
  private let kind: HandoffClass
  private let options: ArchiveOptions
  /// By the last segment's name and size: it is read to its end once.
  private let known = Mutex<[SegmentEntry: Position?]>([:])

  init(kind: HandoffClass, options: ArchiveOptions) {
    self.kind = kind
    self.options = options
  }

  /// Nil where it cannot be known without a run, or the segment cannot be read: then the run will say so.
  func position(of partition: PartitionPlan, in archive: OpenedArchive) -> Position? {
    guard let last = partition.segments.last else { return nil }
    if kind == .lowerBound, case .counted(let start) = last.numbering { return Position(number: start) }
    if let number = last.lastNumber { return Position(number: number).successor }
    if let known = known.withLock({ $0[last.entry] }) { return known }
    var end: Position?
    do {
      try ArchiveTail.eachPayload(
        of: last, in: archive.source, anatomy: archive.plan.anatomy, framing: options.format, limits: options.limits
      ) { position, _ in end = max(end ?? .zero, position.successor) }
    } catch { end = nil }
    let found = end
    known.withLock { $0[last.entry] = found }
    return found
  }
}
