import ReplayCore

/// What became of the events that one function read: the six sum to what was read, or the run fails.
public struct Books: Sendable, Hashable {
  public var read: UInt64 = 0
  public var applied: UInt64 = 0
  /// Left out by the function's own conditions.
  public var ignored: UInt64 = 0
  /// Left out by the run's filter, which is asked after the function's conditions.
  public var filtered: UInt64 = 0
  public var duplicate: UInt64 = 0
  public var parked: UInt64 = 0
  public var deadLettered: UInt64 = 0

  public init() {}

  public var balance: Bool { read == applied + ignored + filtered + duplicate + parked + deadLettered }

  public static func += (a: inout Books, b: Books) {
    a.read += b.read
    a.applied += b.applied
    a.ignored += b.ignored
    a.filtered += b.filtered
    a.duplicate += b.duplicate
    a.parked += b.parked
    a.deadLettered += b.deadLettered
  }
}

/// What the books need of a block, taken before the block goes to the lanes, which may reuse it at once.
struct BlockFacts {
  let scanned: UInt64
  let below: [UInt64]
  let duplicates: [UInt64]
  /// For each function, how many records it is given.
  let wanted: [UInt64]
  /// For each function, how many the filter left out.
  let filtered: [UInt64]
  let compressedBytes: UInt64
  /// Where the segment stands behind this block, if a cut may be made there.
  let stand: Stand?
  let firstNumber: UInt64?

  /// `own`: for each function, the first mark it has not settled. Records between that and what the decoder was told
  /// to begin at repeat the segment before: they are duplicates, where that is allowed. `filter` takes records out of the
  /// block; throws `ReplayError` where it cannot decide.
  init(_ block: RecordBlock, own: [UInt64], functions: Int, acceptsGaps: Bool, filter: BlockFilter?) throws {
    let taken = try filter?.apply(to: block)
    scanned = UInt64(block.scanned)
    below = own.enumerated().map { function, mark in
      let dropped = block.below[function]
      if case .explicit = block.segment.numbering { return mark > 0 ? dropped : 0 }
      return min(dropped, mark > block.firstOrdinal ? mark - block.firstOrdinal : 0)
    }
    let below = below
    duplicates = below.indices.map { block.duplicates[$0] + block.below[$0] - below[$0] }
    let wanted = block.wanted(functions: functions)
    self.wanted = wanted
    let (scanned, duplicates) = (scanned, duplicates)
    filtered = (0..<functions).map { function in
      guard let filter, let taken else { return 0 }
      // What such a function is not given, the decoder has left out for the filter.
      return filter.isDecoded[function]
        ? scanned - below[function] - duplicates[function] - wanted[function] : taken[function]
    }
    compressedBytes = block.compressedBytes
    let mayStand = block.isProven && block.isRising && (acceptsGaps || !block.hasGaps) && block.nextMark > 0
    stand =
      mayStand
      ? Stand(
        position: block.segment.position(mark: block.nextMark - 1).successor, prefixBytes: block.prefixBytes,
        prefixDigest: block.prefixDigest) : nil
    firstNumber = block.firstNumber
  }
}

/// One entry for each function and partition.
struct Ledger {
  private(set) var entries: [[Books]]

  init(functions: Int, partitions: Int) {
    entries = Array(repeating: Array(repeating: Books(), count: partitions), count: functions)
  }

  /// Enters a block: what was scanned, what each function had settled before, what each was given.
  mutating func enter(_ block: BlockFacts, partition: Int) {
    for function in entries.indices {
      var books = Books()
      books.read = block.scanned - block.below[function]
      books.applied = block.wanted[function]
      books.duplicate = block.duplicates[function]
      books.filtered = block.filtered[function]
      books.ignored = books.read - books.applied - books.duplicate - books.filtered
      entries[function][partition] += books
    }
  }

  /// Events of these cuts that were left count as that and not as applied. One entry of `cuts` for each lane.
  mutating func enter(_ cuts: [[LaneCut]], partitions: [Partition]) {
    guard cuts.contains(where: { $0.contains { !$0.left.isEmpty } }) else { return }
    let places = Dictionary(partitions.enumerated().map { ($1, $0) }, uniquingKeysWith: { $1 })
    for (function, cut) in cuts.flatMap({ $0.enumerated() }) {
      for event in cut.left {
        guard let partition = places[event.place.partition] else { continue }
        entries[function][partition].applied -= 1
        switch event.state {
        case .parked: entries[function][partition].parked += 1
        case .dead: entries[function][partition].deadLettered += 1
        }
      }
    }
  }

  /// Moves out the entries of these partitions.
  mutating func take(_ partitions: [Int]) -> Ledger {
    var taken = Ledger(functions: entries.count, partitions: entries.first?.count ?? 0)
    for function in entries.indices {
      for partition in partitions { swap(&taken.entries[function][partition], &entries[function][partition]) }
    }
    return taken
  }

  static func += (a: inout Ledger, b: Ledger) {
    for function in a.entries.indices {
      for partition in a.entries[function].indices {
        a.entries[function][partition] += b.entries[function][partition]
      }
    }
  }

  func total(of function: Int) -> Books {
    entries[function].reduce(into: Books()) { $0 += $1 }
  }
}
