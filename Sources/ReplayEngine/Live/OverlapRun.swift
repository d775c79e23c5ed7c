import ReplayCore

/// Proves the handoff of an archive that knows nothing of the stream's positions. Applies nothing.
public struct OverlapRun {
  private let source: any LiveSource
  private let archived: [SignedEvent]
  private let window: OverlapHandoff.Window
  private let rule: Handoff.Rule
  private let signs: EventSigns
  private let streams: [LivePartition]
  private var stream: PatientStream

  /// To be made once the archive does not grow any more: what comes into the stream later is not compared.
  ///
  /// - Parameter signs: with the time of each event, and its id.
  public init(
    _ archived: [SignedEvent], _ window: OverlapHandoff.Window, by rule: Handoff.Rule, of source: any LiveSource,
    silenceMilliseconds: Int64 = PatientStream.silenceMilliseconds, stop: StopRequest, now: @escaping () -> Int64,
    signs: @escaping EventSigns
  ) throws {
    self.archived = archived
    self.window = window
    self.rule = rule
    self.source = source
    self.signs = signs
    streams = try source.partitions()
    stream = PatientStream(source, silenceMilliseconds: silenceMilliseconds, stop: stop, now: now)
  }

  /// The results in the order of the partitions; nil where it was asked to stop. Throws `ReplayError`: then nothing live
  /// may be applied.
  public mutating func run() throws -> [HandoffResult]? {
    guard let (entries, before) = try entries() else { return nil }
    let ways = streams.map { ($0, entries[$0.partition] ?? $0.start) }
    var handoff = OverlapHandoff(archived, window, by: rule.comparison, streams: ways)
    for (partition, time) in before { handoff.passed(partition, time: time) }
    let signs = signs
    do {
      let isWhole = try read(ways.filter { $1 < $0.end }) { messages, end in
        for (message, sign) in zip(messages.messages, try signs(messages)) where message.position < end {
          try handoff.take(messages.partition, message.position, sign)
        }
        return false
      }
      guard isWhole else { return nil }
      let outcomes = try handoff.finish(mayBeUnproved: rule.mayBeUnproved)
      return streams.compactMap { stream in outcomes[stream.partition].map { result(stream, $0) } }
    } catch let refusal as OverlapHandoff.Refusal {
      throw OverlapRun.error(refusal, of: source)
    }
  }

  /// Where each partition is read from, and when the event before that happened; nil where it was asked to stop. A stream may have no answer for a time, or a wrong
  /// one: if the event before the position that it names is not before the window, it is read from its start.
  private mutating func entries() throws -> (from: [Partition: Position], before: [Partition: Int64])? {
    guard let known = try source.positions(at: window.from) else { return ([:], [:]) }
    var times: [Partition: Int64] = [:]
    var entries: [Partition: Position] = [:]
    var before: [(LivePartition, Position)] = []
    for part in streams {
      let entry = min(max(known[part.partition] ?? part.start, part.start), part.end)
      entries[part.partition] = entry
      if entry > part.start, let last = entry.number.predecessor { before.append((part, Position(number: last))) }
    }
    let (signs, from) = (signs, window.from)
    let isWhole = try read(before) { messages, _ in
      let partition = messages.partition
      guard let entry = entries[partition], let event = messages.messages.first, event.position < entry else {
        return true
      }
      if let time = try signs(messages).first?.time, time < from {
        times[partition] = time
      } else {
        entries[partition] = .zero
      }
      return true
    }
    guard isWhole else { return nil }
    for part in streams { entries[part.partition] = max(entries[part.partition] ?? .zero, part.start) }
    return (entries, times)
  }

  /// Gives `take` what comes of these partitions from their positions on, with each one's end, until it has enough of a
  /// partition or that is read to its end. False where it was asked to stop.
  private mutating func read(
    _ parts: [(partition: LivePartition, from: Position)], _ take: (LiveMessages, Position) throws -> Bool
  ) throws -> Bool {
    var open = Dictionary(uniqueKeysWithValues: parts.map { ($0.partition.partition, $0.partition.end) })
    if open.isEmpty { return true }
    try source.seek(Dictionary(uniqueKeysWithValues: parts.map { ($0.partition.partition, $0.from) }))
    stream.asked()
    while !open.isEmpty {
      switch try stream.next("\(open.count) partitions are not read to their end yet") {
      case .messages(let messages):
        guard let end = open[messages.partition] else { break }
        let isEnough = try take(messages, end)
        if isEnough || messages.next.firstNumber >= end.firstNumber { open[messages.partition] = nil }
      case .caughtUp(let partition, let next):
        if let end = open[partition], next.firstNumber >= end.firstNumber { open[partition] = nil }
      case .closed(let partition): open[partition] = nil
      case .opened: break
      case nil: return false
      }
    }
    return true
  }

  private func result(_ stream: LivePartition, _ outcome: OverlapHandoff.Outcome) -> HandoffResult {
    HandoffResult(
      archive: nil, live: stream.partition, kind: .overlap, archiveEnd: nil, start: outcome.start,
      compared: outcome.compared, last: outcome.last, digest: outcome.digest, ahead: outcome.ahead)
  }
}

extension OverlapRun {
  static func error(_ refusal: OverlapHandoff.Refusal, of source: any LiveSource) -> ReplayError {
    let effect = "the archive is replayed and committed; nothing live was applied"
    let time = { (milliseconds: Int64) in "\(Timestamp(microseconds: milliseconds &* 1000))" }
    switch refusal {
    case .notArchived(let partition, let position, let at):
      return ReplayError(
        .otherStream, "the stream has an event that the archive should have, and has not: \(source.name)",
        details: [
          "partition \(partition), position \(position): of \(time(at))",
          "expected in the archive, which goes on for more than half of --overlap-time behind it",
        ], effect: effect,
        next: "look for a file that is missing; if the archive's writer may be that late, a longer --overlap-time")
    case .notInStream(let archived, let at):
      return ReplayError(
        .otherStream, "the stream lacks an event that was archived: \(source.name)",
        details: ["archived as \(archived), of \(time(at))", "found: none like it, in any partition"], effect: effect,
        next:
          "look at it (`replay cat --from`), and whether this is the stream that was archived; if its writer set the JSON "
          + "anew, say --compare id")
    case .differs(let partition, let position, let archived):
      return ReplayError(
        .otherStream, "the stream has another event of the same id: \(source.name)",
        details: [
          "partition \(partition), position \(position): its payload is not that of the event archived as \(archived)"
        ],
        effect: effect,
        next: "if only its form differs (numbers, escapes, members in another order), say --compare id")
    case .expired(let partition, let start):
      return ReplayError(
        .expired, "events may have passed the stream's retention: \(source.name)",
        details: [
          "partition \(partition): expected the stream to begin with an event that is archived",
          "found: it begins at position \(start) with one that is not",
        ], effect: effect,
        next: "let the archive take in what is missing and run the same command, or lengthen the stream's retention")
    case .nothingCompared(let partition?, let last):
      return ReplayError(
        .unproved, "nothing proves that the stream goes on where the archive ends: \(source.name)",
        details: [
          "partition \(partition): none of its events within --overlap-time of the archive's end is archived",
          "its last one before that: \(last.map { "of \(time($0))" } ?? "not in the stream any more")",
        ], effect: effect,
        next:
          "say an --overlap-time that reaches back to it; or look at both ends, and say --unproved-handoff if they belong "
          + "together")
    case .nothingCompared(nil, _):
      return ReplayError(
        .unproved, "nothing proves that the stream goes on where the archive ends: \(source.name)",
        details: ["none of its events in the overlap is archived"], effect: effect,
        next: "try a longer --overlap-time, or look at both ends and say --unproved-handoff if they belong together")
    }
  }
}
