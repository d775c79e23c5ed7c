import ReplayCore

/// What was compared, as one number of each side. Each is made from that side's events alone, so two equal ones are the
/// proof: the same events in the same order; where the archive knows the stream's positions, at the same ones.
///
/// Definition, with `KeyHash`: 0 to begin with; for each event in order `combine(digest, print)`, `print` the hash of the
/// payload without white space between its tokens (by id: of the id); of an exact end `combine(digest, hash(position))`
/// before that. An overlap has no order of its own: its events come as the stream has them.
public struct HandoffDigest: Sendable, Hashable {
  public private(set) var archived: UInt64 = 0
  public private(set) var live: UInt64 = 0
  /// The stream's positions of the first and the last event that were compared.
  public private(set) var first: Position?
  public private(set) var last: Position?

  public init() {}

  /// `withPositions`: both sides count alike.
  mutating func add(
    archived event: SignedEvent, live found: SignedEvent, by comparison: EventSign.Comparison, withPositions: Bool
  ) {
    if withPositions {
      archived = KeyHash.combine(archived, KeyHash.hash(event.position.number.low))
      live = KeyHash.combine(live, KeyHash.hash(found.position.number.low))
    }
    add(
      archived: HandoffDigest.value(event.sign, found.sign, comparison),
      live: HandoffDigest.value(found.sign, event.sign, comparison), at: found.position)
  }

  /// What stands for one event on each side, where that is known; `position`: the stream's.
  mutating func add(archived event: UInt64, live found: UInt64, at position: Position) {
    archived = KeyHash.combine(archived, event)
    live = KeyHash.combine(live, found)
    first = first ?? position
    last = position
  }

  /// By id where both have one.
  private static func value(_ sign: EventSign, _ other: EventSign, _ comparison: EventSign.Comparison) -> UInt64 {
    comparison == .id && other.id != nil ? sign.id ?? sign.print.tokens : sign.print.tokens
  }
}
