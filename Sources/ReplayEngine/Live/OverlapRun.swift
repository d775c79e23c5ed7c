import ReplayCore

/// Proves the handoff of an archive that knows nothing of the stream's positions. Applies nothing.
public struct OverlapRun {
  /// Gives the events of the archive, from its last file on backwards, until `OverlapHandoff` has no use for more;
  /// false where it was asked to stop.
  public typealias Search = (inout OverlapHandoff) throws -> Bool

  private let source: any LiveSource
  private let signs: EventSigns
  private let rule: Handoff.Rule
  private let proofEvents: UInt64
  private let maxEvents: Int
  private let streams: [LivePartition]
  private var stream: PatientStream

  /// To be made once the archive does not grow any more: what comes into the stream later is not compared.
  ///
  /// - Parameters:
  ///   - proofEvents: so many positions ahead of the time are read too, of which every event must be archived.
  ///   - maxEvents: of the stream, that are held.
  ///   - signs: with the time of each event, and its id.
  public init(
    of source: any LiveSource, by rule: Handoff.Rule, proofEvents: Int, maxEvents: Int,
    silenceMilliseconds: Int64 = PatientStream.silenceMilliseconds, stop: StopRequest, now: @escaping () -> Int64,
    signs: @escaping EventSigns
  ) throws {
    self.source = source
    self.rule = rule
    self.proofEvents = UInt64(max(1, proofEvents))
    self.maxEvents = maxEvents
    self.signs = signs
    streams = try source.partitions()
    stream = PatientStream(source, silenceMilliseconds: silenceMilliseconds, stop: stop, now: now)
  }

  /// The stream is read from what happened at `from` (milliseconds since 1970) on. The results are in the order of the
  /// partitions; nil where it was asked to stop. Throws `ReplayError`: then nothing live may be applied.
  public mutating func run(from: Int64, search: Search) throws -> [HandoffResult]? {
    guard let ways = try ways(from) else { return nil }
    var handoff = OverlapHandoff(ways, by: rule.comparison)
    let (signs, maxEvents, source) = (signs, maxEvents, source)
    let isWhole = try read(ways.filter { $0.readFrom < $0.live.end }.map { ($0.live, $0.readFrom) }) { messages, end in
      for (message, sign) in zip(messages.messages, try signs(messages)) where message.position < end {
        handoff.take(messages.partition, message.position, sign)
      }
      if handoff.count > maxEvents { throw OverlapRun.tooMany(maxEvents, source) }
      return false
    }
    guard isWhole else { return nil }
    guard try search(&handoff) else { return nil }
    do {
      let outcomes = try handoff.finish(mayBeUnproved: rule.mayBeUnproved)
      return streams.compactMap { stream in outcomes[stream.partition].map { result(stream, $0) } }
    } catch { throw OverlapRun.error(error, of: source) }
  }

  /// Where each partition is read from; nil where it was asked to stop. A stream may have no answer for a time, or a wrong
  /// one: if the event ahead of the position that it names is not from before that time, it is read from its start.
  private mutating func ways(_ from: Int64) throws -> [OverlapHandoff.Stream]? {
    var entries: [Partition: Position] = [:]
    if let known = try source.positions(at: from) {
      for part in streams {
        entries[part.partition] = min(max(known[part.partition] ?? part.start, part.start), part.end)
      }
      let before = streams.compactMap { part -> (LivePartition, Position)? in
        guard let entry = entries[part.partition], entry > part.start else { return nil }
        return entry.number.predecessor.map { (part, Position(number: $0)) }
      }
      let signs = signs
      let isWhole = try read(before) { messages, _ in
        guard let entry = entries[messages.partition], let event = messages.messages.first, event.position < entry,
          try signs(messages).first?.time ?? .max >= from
        else { return true }
        entries[messages.partition] = nil
        return true
      }
      guard isWhole else { return nil }
    }
    return streams.map { part in
      let entry = entries[part.partition] ?? part.start
      let ahead = entry.number.distance(from: part.start.number).map { min($0, proofEvents) } ?? proofEvents
      let readFrom = entry.number.reduced(by: ahead).map { max(Position(number: $0), part.start) } ?? part.start
      return OverlapHandoff.Stream(live: part, readFrom: readFrom, entry: entry)
    }
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
    switch refusal {
    case .notArchived(let partition, let position, let hasID):
      let anew = "an archived event has the same id and another payload: if only its form differs, say --compare id"
      return ReplayError(
        .otherStream, "the stream has an event that the archive should have, and has not: \(source.name)",
        details: [
          "partition \(partition), position \(position): older than --overlap-time before the archive's end, or among the "
            + "last before that",
          hasID ? anew : "found: none like it in the archive",
        ], effect: HandoffRun.effect,
        next: hasID
          ? "look at both (`replay cat`)"
          : "look whether a file is missing, or this is another stream; if the archive's writer may be that late, or an "
            + "event's clock wrong, say a longer --overlap-time")
    case .notInStream(let archived, let at):
      return ReplayError(
        .otherStream, "the stream lacks an event that was archived: \(source.name)",
        details: [
          "archived as \(archived), of \(Timestamp(microseconds: at &* 1000))",
          "found: none like it in what was read, of any partition",
        ], effect: HandoffRun.effect,
        next:
          "look at it (`replay cat --from`), and whether this is the stream that was archived; if its writer set the "
          + "JSON anew, say --compare id; if it is older than --overlap-time, a longer one")
    case .expired(let partition, let start):
      return ReplayError(
        .expired, "events may have passed the stream's retention: \(source.name)",
        details: [
          "partition \(partition): expected the stream to begin with an event that is archived",
          "found: it begins at position \(start) with one that is not",
        ], effect: HandoffRun.effect,
        next: "let the archive take in what is missing and run the same command, or lengthen the stream's retention")
    case .nothingCompared(let partition):
      return ReplayError(
        .unproved, "nothing proves that the stream goes on where the archive ends: \(source.name)",
        details: ["partition \(partition): none of its events, if any are left in the stream, is archived"],
        effect: HandoffRun.effect, next: "look at both ends, and say --unproved-handoff if they belong together")
    case .nameless(let partition, let position):
      return ReplayError(
        .unproved, "an event has neither an id nor a time, and one that says the same is archived: \(source.name)",
        details: ["partition \(partition), position \(position)"], effect: HandoffRun.effect,
        next:
          "say with --id or --time where they are; or --unproved-handoff: then events that say the same are one by one "
          + "taken to be the archived ones")
    }
  }

  private static func tooMany(_ count: Int, _ source: any LiveSource) -> ReplayError {
    ReplayError(
      .usage,
      "the stream has more events since --overlap-time before the archive's end than can be held: \(source.name)",
      details: ["at most \(count)"], effect: HandoffRun.effect,
      next: "say a shorter --overlap-time, or let the archive take in more first")
  }
}
