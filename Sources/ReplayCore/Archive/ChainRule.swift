/// A difference between where a segment should begin and where it does, or a fault in its numbers.
public struct ChainFinding: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// A position that nobody filled: compaction, a transaction marker.
    case skip
    /// Missing data.
    case hole
    /// Doubled data across segments.
    case overlap
    /// A number twice in one segment.
    case duplicate
    /// A number lower than one before it.
    case inversion
    /// A segment without any record.
    case empty
  }

  /// True for what leaves events out or doubles them, or makes their order doubtful: it is asked for by a flag.
  public var isSerious: Bool {
    switch kind {
    case .hole, .overlap, .duplicate, .inversion: true
    case .skip, .empty: false
    }
  }

  public let kind: Kind
  public let partition: Partition
  /// The segment's name.
  public let segment: String
  /// How many positions or events it is about; 0 where that is unknown.
  public let count: UInt64
  /// One line for a person, with the numbers.
  public let detail: String

  public init(kind: Kind, partition: Partition, segment: String, count: UInt64, detail: String) {
    self.kind = kind
    self.partition = partition
    self.segment = segment
    self.count = count
    self.detail = detail
  }
}

/// Decides whether a segment, once read whole, follows the one before it. Pure: no I/O, no state.
public protocol ChainRule: Sendable {
  /// True where flags allow findings that depend on what was read before: the segments of a partition are then read
  /// one after another.
  var needsSequence: Bool { get }
  /// True where numbers that are left out need no examination: a run may then stop behind them in mid-segment.
  var acceptsGaps: Bool { get }
  /// Called before anything of a segment is committed that is not read to its end: throws where it does not begin where
  /// the one before it ended. `firstNumber`: the first record's own number, where records carry them.
  func begin(_ segment: Segment, firstNumber: UInt64?, previousEnd: Position?) throws
  /// Called for the segments of a partition in order. `previousEnd` is the next position after the segment before;
  /// nil at the archive's start. Returns what was found and is allowed; throws `ReplayError` for what is not.
  func examine(_ segment: Segment, _ summary: SegmentSummary, previousEnd: Position?) throws -> [ChainFinding]
}
