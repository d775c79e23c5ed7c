import ReplayCore

/// The last events of a partition's archive, to be compared with the stream's.
public enum ArchiveTail {
  /// Calls `body` with each event of the segment: its position and its payload, nil where it is a tombstone.
  public static func eachPayload(
    of segment: Segment, in source: any SegmentSource, anatomy: Anatomy, framing: Framing?, limits: DecodeLimits,
    _ body: (Position, UnsafeRawBufferPointer?) -> Void
  ) throws {
    // A hexadecimal payload is the record itself once it is decoded.
    let payload = anatomy.payloadEncoding == .hex ? nil : anatomy.payload
    let extraction = Extraction(
      fields: payload.map { [$0] } ?? [], functions: [Extraction.Function(conditions: [], columns: [])],
      anatomy: anatomy)
    let decoder = ArchiveDecoder(extraction, framing: framing, limits: limits)
    let opened = try decoder.open(segment, in: source, range: SegmentRange(from: [0]))
    let block = decoder.makeBlock(for: segment)
    while try opened.next(block) {
      for record in 0..<block.count {
        let slice = payload == nil ? block.records[record] : block.fields[record * block.fieldCount]
        let text = block.text(slice)
        let isTombstone = slice.kind == .null || (text.count == 4 && text.bytes.elementsEqual("null".utf8))
        body(block.position(at: record), isTombstone ? nil : text.bytes)
      }
    }
  }
}
