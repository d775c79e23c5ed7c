/// One partition of a live stream, as it is now.
public struct LivePartition: Sendable, Hashable {
  /// Its side is `live`.
  public let partition: Partition
  /// The first position that the stream still has: what is before it has passed retention.
  public let start: Position
  /// The position behind the last event that may be read; equal to `start` where there is none.
  public let end: Position

  public init(partition: Partition, start: Position, end: Position) {
    self.partition = partition
    self.start = start
    self.end = end
  }
}

/// What a live stream says when it is asked.
public enum LiveEvent {
  /// Events of one partition, in order, each once; at least one. Valid until the next call of `poll`.
  case messages(LiveMessages)
  /// Everything of the partition before `next` that is ever going to be there was delivered, and `next` is its end for
  /// now. Positions that nobody will fill (control records, aborted or compacted ones) lie before `next` without a word.
  case caughtUp(Partition, next: Position)
  /// A partition exists now that `partitions()` had not named; its events come after all of its parents' (a Kinesis
  /// child shard). None of them is delivered before `seek` names it.
  case opened(Partition, parents: [Partition])
  /// No more events will ever come from the partition.
  case closed(Partition)
}

/// The unbounded stream that is followed after the handoff. Used by one thread at a time.
///
/// Positions are the stream's own (a Kafka offset, a line number), ascending within a partition and not consecutive. A
/// source never chooses where to begin: it reads from where it is told, or fails.
public protocol LiveSource: AnyObject {
  /// As the user names it, without secrets.
  var name: String { get }
  /// The topic or stream: the `log` of its partitions.
  var log: String { get }
  /// Every partition there is now. Throws `ReplayError` (`.unavailable` where asking again may help).
  func partitions() throws -> [LivePartition]
  /// From now on `poll` delivers these partitions, each from the first event at or behind its position, and no others.
  func seek(_ positions: [Partition: Position]) throws
  /// Waits at most so long for something to say; nil where there is nothing. A short trouble (a broker that is down, a
  /// leader that moved) is waited out and not told.
  ///
  /// Throws `LiveError.expired` where the events to be delivered next have passed retention, `.beyondEnd` where the
  /// stream ends before them (it is another one, or was made anew); else `ReplayError`.
  func poll(milliseconds: Int) throws -> LiveEvent?
  /// A position at or before the first event that was written at `milliseconds` since 1970 or later, as near to it as the
  /// stream knows, for each partition; its end where there is no such event. Nil where the stream does not know when its
  /// events were written.
  func positions(at milliseconds: Int64) throws -> [Partition: Position]?
  /// The end of partitions that `seek` named, as far as it was heard: a later one may be there. Costs nothing to ask, and
  /// depends on no answer.
  func ends() -> [Partition: Position]
  /// That the stream has not been heard of for a while, though it waits on, and why, in a line without secrets; nil: it
  /// can be reached. Then the ends that it told are no longer known to be the ends. Costs nothing to ask.
  var outage: String? { get }
  func close()
}

/// Where a stream cannot go on: nothing is skipped.
public enum LiveError: Error, Sendable, Equatable {
  /// Wanted: the position asked for. The stream begins at `start`.
  case expired(Partition, wanted: Position, start: Position)
  /// Wanted: the position asked for. The stream ends at `end`.
  case beyondEnd(Partition, wanted: Position, end: Position)
}
