/// Live payloads to records and columns, by the same extraction as the archive's. Used by one thread.
public protocol PayloadDecoder: AnyObject {
  /// Fills `block` with messages of `places`, from the first on, as many as a block holds and at least one; answers how
  /// many.
  /// `settled`: for each function, the first position that it has not settled.
  ///
  /// Throws `ReplayError` with the position of a payload that is not one JSON object, or null; the ordinal of its `place`
  /// counts from the first, as do the block's.
  func decode(_ messages: LiveMessages, _ places: Range<Int>, settled: [Position], into block: RecordBlock) throws
    -> Int
}

extension Segment {
  /// What stands for the stream where a block says which segment it is of: its records carry the stream's own numbers.
  public init(live partition: Partition, of stream: String) {
    self.init(entry: SegmentEntry(name: stream, size: 0, version: ""), partition: partition, numbering: .explicit)
  }
}
