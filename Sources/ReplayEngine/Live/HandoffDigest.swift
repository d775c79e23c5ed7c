import ReplayCore

/// What was compared, as one number of each side. Each is made from that side's events alone, so two equal ones are the
/// proof: the same events in the same order; where the archive knows the stream's positions, at the same ones.
///
/// Definition, with `KeyHash`: 0 to begin with; for each event in order `combine(digest, print)`, `print` the hash of the
/// payload without white space between its tokens; of an exact end `combine(digest, hash(position))` before that.
public struct HandoffDigest: Sendable, Hashable {
  public private(set) var archived: UInt64 = 0
  public private(set) var live: UInt64 = 0
  /// The stream's positions of the first and the last event that were compared.
  public private(set) var first: Position?
  public private(set) var last: Position?

  public init() {}

  /// `withPositions`: both sides count alike.
  mutating func add(archived event: SignedEvent, live found: PrintedEvent, withPositions: Bool) {
    if withPositions {
      archived = KeyHash.combine(archived, KeyHash.hash(event.position.number.low))
      live = KeyHash.combine(live, KeyHash.hash(found.position.number.low))
    }
    archived = KeyHash.combine(archived, event.sign.print.tokens)
    live = KeyHash.combine(live, found.print.tokens)
    first = first ?? found.position
    last = found.position
  }
}
