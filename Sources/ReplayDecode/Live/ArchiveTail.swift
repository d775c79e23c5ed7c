import ReplayCore

/// Events of the archive's end, to be compared with the stream's.
public enum ArchiveTail {
  /// Calls `body` with each event of the segment.
  public static func each(
    of segment: Segment, in source: any SegmentSource, anatomy: Anatomy, framing: Framing?, limits: DecodeLimits,
    _ body: (SignedEvent) throws -> Void
  ) throws {
    // A hexadecimal payload is the record itself once it is decoded.
    let payload = anatomy.payloadEncoding == .hex ? nil : anatomy.payload
    let extraction = Extraction(
      fields: EventSigner.fields(anatomy) + (payload.map { [$0] } ?? []),
      functions: [Extraction.Function(conditions: [], columns: [])], anatomy: anatomy)
    let decoder = ArchiveDecoder(extraction, framing: framing, limits: limits)
    let opened = try decoder.open(segment, in: source, range: SegmentRange(from: [0]))
    let block = decoder.makeBlock(for: segment)
    while try opened.next(block) {
      for record in 0..<block.count {
        let slice = payload == nil ? block.records[record] : block.fields[record * block.fieldCount + 3]
        let text = block.text(slice)
        let isTombstone = slice.kind == .null || (text.count == 4 && text.bytes.elementsEqual("null".utf8))
        let sign = EventSigner.sign(block, record, print: PayloadPrinter.print(isTombstone ? nil : text.bytes))
        try body(SignedEvent(position: block.position(at: record), sign: sign))
      }
    }
  }
}
