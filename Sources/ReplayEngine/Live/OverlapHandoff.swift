import ReplayCore

/// The handoff of an archive that knows nothing of the stream's positions. The stream is read from some time before the
/// archive's end on, and each of its events is looked for among the archived ones; live begins, in each partition, with
/// the first that is not there, and those behind it that are there are left out.
///
/// It rests on one assumption, which `Window` puts in numbers: the archive is not out of the stream's order by more than
/// half of the window. Where what is read contradicts that, it refuses.
///
/// An event in, an answer out; time, reading and storing are the caller's.
public struct OverlapHandoff: Sendable {
  /// Times of events, in milliseconds since 1970.
  public struct Window: Sendable, Hashable {
    /// The stream's events before it are taken to be archived.
    public let from: Int64
    /// The stream's events before it must be archived, and the archive's from it on must be in the stream.
    public let middle: Int64
    /// An event that says it is from later than this has a wrong clock; it proves nothing.
    public let latest: Int64

    /// `milliseconds`: from its beginning to the archive's end.
    public init(end: Int64, milliseconds: Int64) {
      from = end - milliseconds
      middle = end - milliseconds / 2
      latest = end + milliseconds
    }
  }

  public enum Refusal: Error, Sendable, Equatable {
    /// The stream's event at `position`, of `time`, should be archived, and is not.
    case notArchived(Partition, position: Position, time: Int64)
    /// The archived event at `archived`, of `time`, should be in the stream, and is not.
    case notInStream(archived: Position, time: Int64)
    /// The stream's event at `position` has the id of the archived one at `archived`, and another payload.
    case differs(Partition, position: Position, archived: Position)
    /// The stream begins with an event that is not archived: those before it may have been in neither.
    case expired(Partition, start: Position)
    /// None of the events that the partition has, or had, was compared; the last one that was seen is of `last`. Nil: none
    /// of any partition.
    case nothingCompared(Partition?, last: Int64?)
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
    /// Of what was compared.
    public let digest: HandoffDigest
  }

  /// Archived events that are one to us.
  private struct Archived {
    /// The place of the first of them.
    let place: UInt32
    var count: UInt32 = 0
    var found: UInt32 = 0
  }

  private struct Part {
    let end: Position
    /// Retention passed the window's beginning, or may have: the stream's first event is to be an archived one.
    let isCut: Bool
    var firstTime: Int64?
    /// The greatest time so far: an event was not written before the ones ahead of it happened.
    var latest: Int64?
    var start: Position?
    var compared = 0
    var ahead: [Position] = []
    var last: PrintedEvent?
    var digest = HandoffDigest()
  }

  private let window: Window
  private let comparison: EventSign.Comparison
  private let events: [SignedEvent]
  private var archived: [UInt64: Archived] = [:]
  /// Places, by the id.
  private var ids: [UInt64: UInt32] = [:]
  private var parts: [Partition: Part] = [:]

  /// `archived`: every archived event that the window may hold. `streams`: the partitions as they are once the archive
  /// does not grow any more, and where each is read from.
  public init(
    _ archived: [SignedEvent], _ window: Window, by comparison: EventSign.Comparison,
    streams: [(partition: LivePartition, readFrom: Position)]
  ) {
    self.window = window
    self.comparison = comparison
    events = archived
    for (place, event) in archived.enumerated() {
      let place = UInt32(place)
      self.archived[key(event.sign), default: Archived(place: place)].count += 1
      if comparison == .content, let id = event.sign.id { ids[id] = place }
    }
    for (stream, position) in streams {
      let isCut = position.number == stream.start.number && stream.start.number > WideNumber(low: 0)
      parts[stream.partition] = Part(end: stream.end, isCut: isCut && stream.start < stream.end)
    }
  }

  /// Equal for events that are one. Events that say the same twice are as many events.
  private func key(_ sign: EventSign) -> UInt64 {
    comparison == .id ? sign.id ?? sign.print.tokens : sign.print.tokens
  }

  /// An event ahead of where the partition is read from, which is not compared.
  public mutating func passed(_ partition: Partition, time: Int64?) { parts[partition]?.latest = time }

  /// The next event of a partition, before its end. Throws `Refusal`.
  public mutating func take(_ partition: Partition, _ position: Position, _ sign: EventSign) throws(Refusal) {
    guard var part = parts[partition] else { return }
    let isFirst = part.firstTime == nil
    if let time = sign.time { part.latest = max(part.latest ?? time, time) }
    if isFirst { part.firstTime = part.latest }
    if let archived = find(sign) {
      part.compared += 1
      part.digest.add(archived: key(archived.sign), live: key(sign), at: position)
      if part.start == nil {
        part.last = PrintedEvent(position: position, print: sign.print)
      } else {
        part.ahead.append(position)
      }
    } else if part.start == nil {
      if archived[key(sign)] == nil, let id = sign.id, let place = ids[id] {
        throw .differs(partition, position: position, archived: events[Int(place)].position)
      }
      let time = part.latest ?? .max
      if part.isCut, isFirst, time >= window.from { throw .expired(partition, start: position) }
      if time >= window.middle {
        part.start = position
      } else if time >= window.from {
        throw .notArchived(partition, position: position, time: time)
      }
    }
    parts[partition] = part
  }

  private mutating func find(_ sign: EventSign) -> SignedEvent? {
    guard let known = archived[key(sign)], known.found < known.count else { return nil }
    archived[key(sign)]?.found += 1
    return events[Int(known.place)]
  }

  /// Everything of the stream before its ends was taken. Throws `Refusal`.
  public func finish(mayBeUnproved: Bool) throws(Refusal) -> [Partition: Outcome] {
    // What retention took cannot be found again.
    let gone = parts.values.filter(\.isCut).compactMap(\.firstTime).max()
    let missing = archived.values.lazy.filter { $0.found == 0 }.map { events[Int($0.place)] }.filter { event in
      guard let time = event.sign.time else { return false }
      return time >= window.middle && time <= window.latest && time > gone ?? .min
    }.min { $0.position < $1.position }
    if let missing {
      throw .notInStream(archived: missing.position, time: missing.sign.time ?? window.middle)
    }
    if !mayBeUnproved {
      // Who never had an event before the place where live begins has none to lose.
      let unproved = parts.filter { $0.value.compared == 0 && $0.value.start ?? $0.value.end > .zero }
      if let part = unproved.min(by: { $0.key < $1.key }) { throw .nothingCompared(part.key, last: part.value.latest) }
      if parts.values.allSatisfy({ $0.compared == 0 }) { throw .nothingCompared(nil, last: nil) }
    }
    return parts.mapValues { part in
      Outcome(
        start: part.start ?? part.end, compared: part.compared, ahead: part.ahead, last: part.last,
        digest: part.digest)
    }
  }
}
