/// What a live stream says about its partitions.
public enum LiveEvent: Sendable {
  /// A partition exists now; its events come after all of its parents' (a Kinesis child shard).
  case opened(Partition, parents: [Partition])
  /// Payloads of one partition, in order, with their positions; `next` is the position behind them.
  case records(Partition, positions: [Position], payloads: [[UInt8]], next: Position)
  /// No more events will ever come from the partition.
  case closed(Partition)
  /// Nothing has come for now; everything before `next` was delivered.
  case idle(Partition, next: Position)
}

/// The unbounded stream that is followed after the handoff. Implementations come with the handoff.
public protocol LiveSource: Sendable {
  /// The partitions and the first position that each still has.
  func partitions() throws -> [(partition: Partition, start: Position)]
  /// Delivers events from exactly these positions until `body` answers false.
  func follow(from positions: [Partition: Position], _ body: (LiveEvent) throws -> Bool) throws
}
