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
  var foreign: ForeignOptions { get }
}

extension Run: HandoffCommand { var foreign: ForeignOptions { functions.foreign } }
extension Plan: HandoffCommand { var foreign: ForeignOptions { target.foreign } }

/// How the archive's partitions and the stream's belong together, and where each is to be entered.
struct HandoffPlan {
  private let command: any HandoffCommand
  let entry: StreamEntry
  private let tail: OverlapTail
  let kind: HandoffClass
  private let liveLog: String
  private let streamName: String

  /// Events of the stream that are held while they are looked for, at most; each takes about 170 bytes.
  private static let maxOverlapEvents = 10_000_000

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
    case .none: kind = .overlap
    }
    try HandoffPlan.check(command.stream, for: kind)
    guard kind != .overlap || command.foreign.tumblingWindow == nil else {
      throw ReplayError(
        .usage, "a tumbling window cannot be handed off by time",
        details: [
          "this archive knows no positions: which of its partitions goes on as which of the stream's is not known"
        ],
        effect: "nothing was read or written", next: "leave --live or --tumbling-window out")
    }
    tail = OverlapTail(command.archive, span: command.stream.overlapTime)
    entry = StreamEntry(kind: kind, options: command.archive, tail: tail)
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
    if kind == .overlap { return nil }
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

  /// The stream begins where the archive ends, or none of it is to be compared: a run would refuse, unless it may not.
  func unproved(archiveEnd end: Position, _ live: LivePartition, _ source: any LiveSource) -> ReplayError? {
    let isComparable = end.firstNumber > live.start.number && command.stream.overlapEvents > 0
    if isComparable || end == .zero || rule.mayBeUnproved { return nil }
    let part = HandoffRun.Part(
      archive: nil, live: live, handoff: Handoff(.exact, archiveEnd: end, tail: [], rule: rule))
    return HandoffRun.error(.nothingCompared, part, of: source)
  }

  var lines: [String] {
    let how =
      switch kind {
      case .exact: "an exact end"
      case .lowerBound: "a lower bound, matched event by event"
      case .overlap:
        "time and \(command.stream.compare.rawValue): the archive has no positions, so the stream is read from "
          + "\(command.stream.overlapTime) before its end on"
      }
    return ["live      \(streamName): handoff by \(how)"] + HandoffPlan.notes(command.stream, for: kind)
  }

  /// Looks every few seconds, while the archive is read, whether the stream still has what comes behind it.
  func watch(_ address: StreamAddress, _ command: Run) throws -> RetentionWatch {
    let (archiveOptions, liveLog, entry) = (command.archive, liveLog, entry)
    let watch = RetentionWatch(
      interval: 5_000, now: Clock.milliseconds, stop: Signals.stop,
      ends: { source in
        let archive = try OpenedArchive(archiveOptions)
        if let ends = try entry.ends(of: archive, in: source) { return ends }
        var ends: [Partition: Position] = [:]
        for partition in archive.plan.partitions {
          let live = Partition(log: liveLog, side: .live, id: partition.partition.id)
          ends[live] = entry.position(of: partition, in: archive)
        }
        return ends
      }, arrival: { ProgressLine.arrivalMilliseconds })
    // Whoever ends the run waits for its last question.
    try watch.start { try address.open(isPatient: false) }
    return watch
  }

  /// Proves that the stream goes on where the archive ends; nil where it was asked to stop. Throws `ReplayError`.
  func prove(
    _ archive: OpenedArchive, _ source: any LiveSource, _ checkpoint: Checkpoint, stop: StopRequest
  ) throws -> [HandoffResult]? {
    let byContent: EventSigns = { $0.signs(PayloadPrinter.print) }
    let signer = EventSigner(archive.plan.anatomy, of: source.name, log: source.log, limits: command.archive.limits)
    if kind == .overlap {
      var run = try OverlapRun(
        of: source, by: rule, proofEvents: command.stream.overlapEvents, maxEvents: HandoffPlan.maxOverlapEvents,
        stop: stop, now: Clock.milliseconds, signs: signer.signs)
      let isSparse = rule.isSparse
      return try run.run(from: try tail.from(archive)) {
        try tail.search(archive, into: &$0, isSparse: isSparse, stop: stop)
      }
    }
    var run = HandoffRun(
      try parts(archive, source, checkpoint), of: source, stop: stop, now: Clock.milliseconds,
      signs: command.stream.compare == .id ? signer.signs : byContent)
    return try run.run()
  }

  private var rule: Handoff.Rule {
    var rule = Handoff.Rule()
    rule.mayBeUnproved = command.stream.unprovedHandoff
    rule.isSparse = command.chain.positions == .sparse
    rule.comparison = command.stream.compare
    return rule
  }

  /// Every partition of the stream, with what of the archive is to be found in it again.
  private func parts(
    _ archive: OpenedArchive, _ source: any LiveSource, _ checkpoint: Checkpoint
  ) throws -> [HandoffRun.Part] {
    try source.partitions().map { live in
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
    -> [SignedEvent]
  {
    let wanted = command.stream.overlapEvents
    var tail: [SignedEvent] = []
    for segment in partition.segments.reversed() where tail.count < wanted {
      tail = try events(of: segment, archive, keep: wanted - tail.count) + tail
    }
    return tail.filter { $0.position.number >= start.number }
  }

  /// All events of the last segment that has some; the stream must have them all.
  private func lastSegment(
    _ partition: PartitionPlan, _ live: LivePartition, _ archive: OpenedArchive, _ source: any LiveSource
  ) throws -> [SignedEvent] {
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

  private func events(of segment: Segment, _ archive: OpenedArchive, keep: Int?) throws -> [SignedEvent] {
    var found: [SignedEvent] = []
    try ArchiveTail.each(
      of: segment, in: archive.source, anatomy: archive.plan.anatomy, framing: command.archive.format,
      limits: command.archive.limits
    ) { event in
      found.append(event)
      if let keep, found.count >= 2 * max(1, keep) { found.removeFirst(found.count - keep) }
    }
    return keep.map { Array(found.suffix($0)) } ?? found
  }
}

/// The position at which a partition of the stream has to be entered, as far as the archive shows it now: its end, where
/// that is exact; the beginning of its last segment, where that has to be found in the stream; the time of its end, where
/// there is nothing else.
final class StreamEntry: Sendable {
  private let kind: HandoffClass
  private let options: ArchiveOptions
  private let tail: OverlapTail
  /// By the last segment's name and size: it is read to its end once.
  private let known = Mutex<[SegmentEntry: Position?]>([:])

  init(kind: HandoffClass, options: ArchiveOptions, tail: OverlapTail) {
    self.kind = kind
    self.options = options
    self.tail = tail
  }

  /// Of an overlap, for every partition of the stream; nil of an end that has a position, or where none is known.
  func ends(of archive: OpenedArchive, in source: any LiveSource) throws -> [Partition: Position]? {
    guard kind == .overlap else { return nil }
    return try tail.latest(archive).flatMap { try source.positions(at: $0) }
  }

  /// Nil where it cannot be known without a run, or the segment cannot be read: then the run will say so.
  func position(of partition: PartitionPlan, in archive: OpenedArchive) -> Position? {
    guard kind != .overlap, let last = partition.segments.last else { return nil }
    if kind == .lowerBound, case .counted(let start) = last.numbering { return Position(number: start) }
    if let number = last.lastNumber { return Position(number: number).successor }
    if let known = known.withLock({ $0[last.entry] }) { return known }
    var end: Position?
    do {
      try ArchiveTail.each(
        of: last, in: archive.source, anatomy: archive.plan.anatomy, framing: options.format, limits: options.limits
      ) { end = max(end ?? .zero, $0.position.successor) }
    } catch { end = nil }
    let found = end
    known.withLock { $0[last.entry] = found }
    return found
  }
}
