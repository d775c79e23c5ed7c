import ReplayCore

/// Reads one segment for verbs that look at records themselves (`check`, `cat`): with the byte that each begins at, and
/// with the good records before a malformed one.
public final class RecordReader {
  public let block: RecordBlock
  private let decoder: any SegmentDecoder
  /// Where records before a fault may be handed out: their fields are then complete.
  private let keepsGoodPart: Bool
  private var failure: (any Error)?

  /// Opens the segment. Throws as `Decoder.open` does.
  public init(_ segment: Segment, in source: any SegmentSource, decoder: ArchiveDecoder, range: SegmentRange) throws {
    self.decoder = try decoder.open(segment, in: source, range: range)
    block = decoder.makeBlock(for: segment)
    keepsGoodPart = (self.decoder as? SegmentBlocks)?.beside.isEmpty ?? false
  }

  /// Fills `block`; false at the segment's end. A malformed record's error comes after the records before it.
  public func next() throws -> Bool {
    if let failure { throw failure }
    block.count = 0
    do { return try decoder.next(block) } catch {
      guard block.count > 0, keepsGoodPart else { throw error }
      failure = error
      return true
    }
  }

  /// Complete once `next` has answered false.
  public var summary: SegmentSummary { decoder.summary }

  /// The decompressed byte that a record of the block begins at; nil where the payload was in another encoding.
  public func byteOffset(of record: Int) -> UInt64? {
    (decoder as? SegmentBlocks).map { $0.blockStart + UInt64(block.records[record].offset) }
  }

  /// The record's place in its segment, from 0.
  public func ordinal(of record: Int) -> UInt64 { block.firstOrdinal + UInt64(block.ordinals[record]) }
}
