/// Applies batches one at a time so that each can be taken back whole: a function may have changed half of what it
/// meant to when it throws, and what is folded into a row cannot be subtracted.
///
/// Merged rows are collected apart and folded in when the batch is kept; of keyed rows, those of the batch's keys are
/// remembered; gathered ones are counted.
public final class Trial {
  private let kept: Changes
  /// Where the function writes.
  public let changes: Changes
  /// Rows that were gathered before the batch.
  private var gathered = 0

  public init(_ changes: Changes) {
    kept = changes
    self.changes = Changes(trying: changes)
  }

  /// Before the function is given the batch, whose keys' rows are in memory.
  public func begin(_ batch: Batch) {
    for rows in kept.keyed { rows.remember(batch) }
    changes.gather(with: kept)
    gathered = kept.gathered?.count ?? 0
  }

  /// The batch's changes are the lane's from now on. Throws `MergedList.Full` and `OverflowError`, and then the lane's
  /// changes are no longer any batch's: the epoch is to be dropped.
  public func keep() throws {
    for (rows, tried) in zip(kept.merged, changes.merged) {
      try rows.absorb(tried)
      tried.removeAll()
    }
  }

  /// As if the batch had not been.
  public func drop() {
    for rows in kept.keyed { rows.revert() }
    for rows in changes.merged { rows.removeAll() }
    kept.gathered?.truncate(to: gathered)
  }
}
