import ReplayCore

/// How the position at which live begins is known, for one partition.
public enum HandoffClass: String, Sendable, Hashable {
  /// The archive knows the number of its last event: live begins behind it.
  case exact
  /// The archive knows where its last segment begins and how many events it has: live is read from there, its events
  /// are matched in order, and live begins behind the last one.
  case lowerBound = "lower bound"
  /// The archive knows nothing of the stream's positions: what of the stream's last hours it has is found by comparing
  /// all of them (`OverlapHandoff`).
  case overlap
}

/// The handoff of one partition: `drained → comparing → proved`. The last archived events are read back from the stream;
/// when all that the stream still has of them are the same, the position behind the last is where live begins.
///
/// An event in, an action out; time, reading and storing are the caller's.
public struct Handoff: Sendable {
  public enum Action: Sendable, Equatable {
    /// Give it what comes next.
    case goOn
    /// Live begins at `start`.
    case proved(start: Position, compared: Int)
    case refused(Refusal)
  }

  public enum Refusal: Sendable, Equatable {
    /// The stream's event at `position` is not the archived one, which the archive counts at `archived`.
    case differs(position: Position, archived: Position)
    /// The stream has no event where the archive has the one at `archived`; the next one it has is at `found`.
    case missing(archived: Position, found: Position)
    /// The stream ends at `end`, before the archive does.
    case ends(at: Position, archived: Position)
    /// There was nothing to compare.
    case nothingCompared
  }

  public let kind: HandoffClass
  /// The next position after the archive's last event, as the archive counts.
  public let archiveEnd: Position
  /// Ascending; those that the stream may still have.
  private let tail: [SignedEvent]
  private var place = 0
  /// The stream's last event that was taken.
  private var lastTaken: Position?
  public private(set) var compared = 0
  /// The stream's last event that was the same.
  public private(set) var lastCompared: PrintedEvent?
  /// Of what was compared.
  public private(set) var digest = HandoffDigest()
  private let rule: Rule

  public struct Rule: Sendable {
    /// Live may begin though nothing was compared.
    public var mayBeUnproved = false
    /// The stream may have dropped single events that the archive still has (compaction).
    public var isSparse = false
    public var comparison = EventSign.Comparison.content

    public init() {}
  }

  /// `tail`: of an exact end, the last events; of a lower bound, all events of the last segment. Empty where the archive
  /// has none of the partition, or the stream has none of them any more.
  public init(_ kind: HandoffClass, archiveEnd: Position, tail: [SignedEvent], rule: Rule = Rule()) {
    self.kind = kind
    self.archiveEnd = archiveEnd
    self.tail = tail
    self.rule = rule
  }

  /// Where the stream is to be read from now; nil where nothing is to be read.
  public var readFrom: Position? { lastTaken?.successor ?? tail.first?.position }

  /// What to do before anything is read.
  public func begin() -> Action {
    guard tail.isEmpty else { return .goOn }
    return archiveEnd == .zero || rule.mayBeUnproved
      ? .proved(start: archiveEnd, compared: 0) : .refused(.nothingCompared)
  }

  /// The stream's next event from `readFrom` on.
  public mutating func take(_ position: Position, _ sign: EventSign) -> Action {
    lastTaken = position
    if kind == .exact, rule.isSparse {
      while place < tail.count, tail[place].position < position { place += 1 }
    }
    guard place < tail.count else { return ended() }
    let archived = tail[place]
    if kind == .exact, position > archived.position {
      return .refused(.missing(archived: archived.position, found: position))
    }
    if kind == .exact, position < archived.position {
      return .refused(.differs(position: position, archived: archived.position))
    }
    guard sign.isSame(as: archived.sign, by: rule.comparison) else {
      return .refused(.differs(position: position, archived: archived.position))
    }
    place += 1
    compared += 1
    let found = SignedEvent(position: position, sign: sign)
    digest.add(archived: archived, live: found, by: rule.comparison, withPositions: kind == .exact)
    lastCompared = PrintedEvent(position: position, print: sign.print)
    return place == tail.count ? .proved(start: end(behind: position), compared: compared) : .goOn
  }

  /// The stream has nothing more before `next`, its end for now.
  public func caughtUp(_ next: Position) -> Action {
    guard place < tail.count else { return ended() }
    // The last events may be those that compaction dropped.
    if kind == .exact, rule.isSparse, next >= archiveEnd { return ended() }
    return .refused(.ends(at: next, archived: tail[place].position))
  }

  /// All of the tail that the stream has was compared.
  private func ended() -> Action {
    compared > 0 || rule.mayBeUnproved
      ? .proved(start: archiveEnd, compared: compared) : .refused(.nothingCompared)
  }

  private func end(behind last: Position) -> Position { kind == .exact ? archiveEnd : last.successor }
}
