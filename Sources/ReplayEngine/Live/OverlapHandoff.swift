import ReplayCore

/// The handoff of an archive that knows nothing of the stream's positions. The stream's last part is read, and each of its
/// events is looked for in the archive; live begins, in each partition, with the first that is not there, and those
/// behind it that are there are left out. So whatever is read is applied once.
///
/// What is before that part cannot be seen. That it is archived is concluded from the part's beginning, of which all must
/// be archived, however the archive is ordered; else it refuses. Times say only where that part begins.
///
/// An event in, an answer out; time, reading and storing are the caller's.
public struct OverlapHandoff: Sendable {
  /// One partition of the stream, as it is once the archive does not grow any more.
  public struct Stream: Sendable, Hashable {
    public let live: LivePartition
    /// What is read of it begins here.
    public let readFrom: Position
    /// What is before this is read to prove that it is archived.
    public let entry: Position

    public init(live: LivePartition, readFrom: Position, entry: Position) {
      self.live = live
      self.readFrom = readFrom
      self.entry = entry
    }

    /// Retention has passed events that would be read.
    var isCut: Bool { readFrom == live.start && live.start > .zero }
  }

  public enum Refusal: Error, Sendable, Equatable {
    /// The stream's event at `position` should be archived, and is not. `hasID`: its id is, with another payload.
    case notArchived(Partition, position: Position, hasID: Bool)
    /// The archived event at `archived` should be in the stream, and is not.
    case notInStream(archived: Position, time: Int64)
    /// The stream begins with an event that is not archived: those before it may have been in neither.
    case expired(Partition, start: Position)
    /// None of the events that the partition has, or had, was compared.
    case nothingCompared(Partition)
    /// The event has neither an id nor a time, and another one that says the same is archived.
    case nameless(Partition, position: Position)
  }

  /// What one partition's handoff came to.
  public struct Outcome: Sendable, Equatable {
    /// Where live begins.
    public let start: Position
    /// Events of the stream that are archived.
    public let compared: Int
    /// Those of them behind `start`, ascending: they must not be applied again.
    public let ahead: [Position]
    /// The last one before `start` or, where there is none, nil.
    public let last: PrintedEvent?
    /// Of what was compared, in the stream's order: it records it.
    public let digest: HandoffDigest
  }

  private struct Event {
    let position: Position
    let print: PayloadPrint
    let id: UInt64?
    let time: Int64?
  }

  private let comparison: EventSign.Comparison
  private let streams: [Stream]
  private var events: [Partition: [Event]] = [:]
  /// How many events of the stream say the same, and how many of the archive.
  private var copies: [UInt64: (stream: UInt32, archive: UInt32)] = [:]
  /// The ids of the stream's events; true: archived with another payload.
  private var ids: [UInt64: Bool] = [:]
  private var firstTimes: [Partition: Int64] = [:]
  /// Archived events that the stream should have, and does not.
  private var absent: [SignedEvent] = []

  public init(_ streams: [Stream], by comparison: EventSign.Comparison) {
    self.streams = streams
    self.comparison = comparison
  }

  /// Equal for events that are one. Events that say the same twice are as many events.
  private func key(_ print: PayloadPrint, _ id: UInt64?) -> UInt64 {
    comparison == .id ? id ?? print.tokens : print.tokens
  }

  /// How many events of the stream are held.
  public private(set) var count = 0

  /// The next event of a partition.
  public mutating func take(_ partition: Partition, _ position: Position, _ sign: EventSign) {
    let event = Event(position: position, print: sign.print, id: sign.id, time: sign.time)
    if let time = sign.time, events[partition] == nil { firstTimes[partition] = time }
    events[partition, default: []].append(event)
    copies[key(sign.print, sign.id), default: (0, 0)].stream += 1
    if let id = sign.id, comparison == .content { ids[id] = ids[id] ?? false }
    count += 1
  }

  /// An archived event, in any order, once the stream's are taken. True where the stream has it.
  public mutating func look(at event: SignedEvent) -> Bool {
    let key = key(event.sign.print, event.sign.id)
    if copies[key] != nil {
      copies[key]?.archive += 1
      return true
    }
    if let id = event.sign.id, ids[id] != nil { ids[id] = true }
    return false
  }

  /// An archived event that the stream should have: it is among the archive's last ones.
  public mutating func expect(_ event: SignedEvent) {
    if copies[key(event.sign.print, event.sign.id)] == nil { absent.append(event) }
  }

  /// Whether the archive is to be searched further back: an event that has to be archived was not found yet. `latest`: of
  /// the times of the events that were searched last; what is open is from long after that, then it is not there.
  public func mustSearch(latest: Int64?, margin: Int64) -> Bool {
    streams.contains { stream in
      guard let open = firstOpen(of: stream) else { return false }
      guard let latest, let time = open.time else { return true }
      return latest >= time - margin
    }
  }

  private func firstOpen(of stream: Stream) -> Event? {
    let own = events[stream.live.partition] ?? []
    let must = own.prefix { $0.position < stream.entry }
    let proof = must.isEmpty && stream.isCut ? own.prefix(1) : must
    return proof.first { copies[key($0.print, $0.id)]?.archive == 0 }
  }

  /// The archive was searched, as far back as it may have what the stream has. Throws `Refusal`.
  public func finish(mayBeUnproved: Bool) throws(Refusal) -> [Partition: Outcome] {
    if !mayBeUnproved { try verify() }
    var left = copies.mapValues { min($0.stream, $0.archive) }
    var outcomes: [Partition: Outcome] = [:]
    for stream in streams {
      let outcome = outcome(of: stream, &left)
      // Who never had an event ahead of the place where live begins has none to lose.
      if !mayBeUnproved, outcome.compared == 0, outcome.start > .zero {
        throw .nothingCompared(stream.live.partition)
      }
      outcomes[stream.live.partition] = outcome
    }
    if !mayBeUnproved, outcomes.values.allSatisfy({ $0.compared == 0 }), let first = streams.first {
      throw .nothingCompared(first.live.partition)
    }
    return outcomes
  }

  private func verify() throws(Refusal) {
    for stream in streams {
      let partition = stream.live.partition
      if let open = firstOpen(of: stream) {
        if open.position >= stream.entry { throw .expired(partition, start: open.position) }
        let hasID = open.id.map { ids[$0] == true } ?? false
        throw .notArchived(partition, position: open.position, hasID: hasID)
      }
      let nameless = events[partition]?.first {
        $0.id == nil && $0.time == nil && copies[key($0.print, $0.id)]?.archive ?? 0 > 0
      }
      if let nameless { throw .nameless(partition, position: nameless.position) }
    }
    // What retention took cannot be found again.
    let gone = streams.filter(\.isCut).compactMap { firstTimes[$0.live.partition] }.max() ?? .min
    let missing = absent.filter { $0.sign.time ?? .min > gone }.min { $0.position < $1.position }
    if let missing, let time = missing.sign.time { throw .notInStream(archived: missing.position, time: time) }
  }

  private func outcome(of stream: Stream, _ left: inout [UInt64: UInt32]) -> Outcome {
    var (start, compared, ahead): (Position?, Int, [Position]) = (nil, 0, [])
    var last: PrintedEvent?
    var digest = HandoffDigest()
    for event in events[stream.live.partition] ?? [] {
      let key = key(event.print, event.id)
      guard let copies = left[key], copies > 0 else {
        start = start ?? event.position
        continue
      }
      left[key] = copies - 1
      compared += 1
      digest.add(archived: key, live: key, at: event.position)
      if start == nil {
        last = PrintedEvent(position: event.position, print: event.print)
      } else {
        ahead.append(event.position)
      }
    }
    return Outcome(
      start: start ?? stream.live.end, compared: compared, ahead: ahead, last: last, digest: digest)
  }
}
