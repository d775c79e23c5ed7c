import ReplayCore
import ReplayDecode

/// One event of an archive, read by its place.
struct FoundEvent {
  let segment: Segment
  /// In the segment, from 0.
  let ordinal: UInt64
  let position: Position
  /// Nil where it has none.
  let key: [UInt8]?
  let record: [UInt8]

  /// Throws where the archive is not what it was.
  init(_ place: ArchiveCuts.Place, in archive: OpenedArchive, _ options: ArchiveOptions) throws {
    segment = archive.plan.partitions[place.partition].segments[place.segment]
    ordinal = place.ordinal
    let extraction = Extraction([Reads()], anatomy: archive.plan.anatomy, needsKey: true)
    let decoder = ArchiveDecoder(extraction, framing: options.format, limits: options.limits)
    let reader = try RecordReader(
      segment, in: archive.source, decoder: decoder,
      range: SegmentRange(from: [0], untilOrdinal: place.ordinal + 1))
    while try reader.next() {
      let block = reader.block
      guard let record = (0..<block.count).first(where: { reader.ordinal(of: $0) == place.ordinal }) else { continue }
      position = block.position(at: record)
      let column = extraction.keyColumn
      let slice = column < 0 ? nil : block.fields[record * block.fieldCount + column]
      key = slice.flatMap { $0.kind == .string || $0.kind == .number ? Array(block.text($0).bytes) : nil }
      self.record = Array(block.text(block.records[record]).bytes)
      return
    }
    throw ReplayError(
      .data, "an event that was read is not there any more: record \(place.ordinal + 1) of \(segment.name)",
      next: "let the archive be while functions are compared")
  }
}
