/// When a partition's changes are written before the others are read.
///
/// Where partitions separate the keys, the rows of one that was read to its end will not change any more. Written while
/// the others are read, they cost no time of their own, and they are written once all the same. It is a consistent cut:
/// the frontier moves in that partition only, and what the others changed since their last cut stays in memory. A cut in
/// the middle of a partition would have its rows written again in the next one, so nobody makes one early.
package enum EarlyCut {
  package struct Partition {
    /// Read to its end, and examined.
    package let isDrained: Bool
    /// Something of it is in no commit.
    package let hasWork: Bool
    package let changedBytes: Int

    package init(isDrained: Bool, hasWork: Bool, changedBytes: Int) {
      self.isDrained = isDrained
      self.hasWork = hasWork
      self.changedBytes = changedBytes
    }
  }

  /// The partitions to hand over now: none where they are not worth a commit, or where no other one is left to read, so
  /// that the cut through all comes at once.
  package static func partitions(_ all: [Partition], worth bytes: Int) -> [Int] {
    let drained = all.indices.filter { all[$0].isDrained && all[$0].hasWork }
    let changed = drained.reduce(0) { $0 + all[$1].changedBytes }
    return changed >= bytes && !all.allSatisfy(\.isDrained) ? drained : []
  }
}

/// Which partition a worker goes on with, where each is read by one worker at a time: the one with the fewest bytes left,
/// so that partitions are drained one after another and the first can be written while the last are read; but the one
/// with the most as soon as it needs a worker all the time from now on, so as not to be the only one left in the end.
package enum PartitionTurn {
  /// `bytesLeft`: of every partition, what nobody has begun. `underway`: what was begun and is not done. `idle`:
  /// partitions that nobody reads and that have something left. Nil where there are none.
  package static func next(bytesLeft: [UInt64], underway: UInt64, idle: [Int], workers: Int) -> Int? {
    guard let most = idle.max(by: { bytesLeft[$0] < bytesLeft[$1] }) else { return nil }
    if bytesLeft[most] >= bytesLeft.reduce(underway, +) / UInt64(max(1, workers)) { return most }
    return idle.min { bytesLeft[$0] < bytesLeft[$1] }
  }
}
