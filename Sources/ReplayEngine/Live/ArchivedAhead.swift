import ReplayCore

/// Events of the stream behind the place where live began that were applied from the archive: each function leaves its
/// own out.
struct ArchivedAhead: Sendable {
  struct Event: Sendable, Hashable {
    let position: Position
    /// A bit for each function that has it from the archive.
    var functions: UInt32
  }

  /// Ascending.
  private let events: [Partition: [Event]]

  /// One entry for each function, at most 32.
  init(_ ahead: [[Partition: [Position]]]) {
    var found: [Partition: [Position: UInt32]] = [:]
    for (function, own) in ahead.enumerated() {
      for (partition, positions) in own {
        for position in positions { found[partition, default: [:]][position, default: 0] |= 1 << UInt32(function) }
      }
    }
    events = found.mapValues { positions in
      positions.map { Event(position: $0.key, functions: $0.value) }.sorted { $0.position < $1.position }
    }
  }

  /// The first one at or behind `position`.
  func next(in partition: Partition, from position: Position) -> Event? {
    guard let own = events[partition] else { return nil }
    var (low, high) = (0, own.count)
    while low < high {
      let middle = (low + high) / 2
      if own[middle].position < position { low = middle + 1 } else { high = middle }
    }
    return low < own.count ? own[low] : nil
  }
}
