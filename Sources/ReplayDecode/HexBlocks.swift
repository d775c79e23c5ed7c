import CDecode
import ReplayCore

/// Segments whose payload is a string of hexadecimal digits in an envelope: the envelope is extracted first, then the
/// payloads are decoded into a block of their own, and that is extracted like any other.
final class HexBlocks: SegmentDecoder {
  private let outer: SegmentBlocks
  private let envelope: RecordBlock
  private let inner: Extractor
  private let parts: PayloadExtraction
  private let segment: Segment
  private let blockBytes: Int

  init(
    _ segment: Segment, in source: any SegmentSource, range: SegmentRange, _ decoder: ArchiveDecoder
  ) throws {
    let parts = PayloadExtraction(decoder.extraction)
    self.parts = parts
    outer = try SegmentBlocks(
      segment, in: source, range: range,
      extractors: Extractors { Extractor(parts.outer, limits: decoder.limits, dropDuplicates: decoder.dropDuplicates) },
      framing: decoder.framing,
      limits: decoder.limits, ahead: decoder.ahead)
    outer.partitionColumn = parts.outer.partitionColumn
    inner = Extractor(parts.inner, limits: decoder.limits, dropDuplicates: false)
    envelope = RecordBlock(segment: segment)
    self.segment = segment
    blockBytes = decoder.limits.blockBytes
  }

  var summary: SegmentSummary { outer.summary }

  func next(_ block: RecordBlock) throws -> Bool {
    block.segment = segment
    let more = try outer.next(envelope)
    let storage = (block.owner as? PayloadStorage) ?? PayloadStorage(blockBytes: blockBytes)
    block.owner = storage
    try unpack(into: storage.payloads)
    var call = replay_block()
    let range = SegmentRange(from: Array(repeating: 0, count: inner.functionCount))
    let good = inner.extract(
      storage.payloads, length: storage.payloads.fill, framing: .concatenated, firstOrdinal: 0, range: range,
      into: block,
      &call)
    guard good else { throw malformed(Int(call.fault_ordinal)) }
    guard block.scanned == envelope.count else { throw malformed(max(0, min(block.scanned, envelope.count - 1))) }
    merge(into: block, storage)
    block.scanned = envelope.scanned
    block.firstOrdinal = envelope.firstOrdinal
    block.below = envelope.below
    block.duplicates = envelope.duplicates
    block.nextMark = envelope.nextMark
    block.isProven = envelope.isProven
    block.isRising = envelope.isRising
    block.hasGaps = envelope.hasGaps
    block.compressedBytes = envelope.compressedBytes
    block.prefixBytes = envelope.prefixBytes
    block.prefixDigest = envelope.prefixDigest
    block.firstNumber = envelope.firstNumber
    return more
  }

  /// Writes the payloads as lines.
  private func unpack(into storage: BlockStorage) throws {
    storage.fill = 0
    for record in 0..<envelope.count {
      let slice = envelope.fields[record * envelope.fieldCount]
      storage.reserve(storage.fill + slice.count / 2 + 8)
      let to = storage.bytes + storage.fill
      if slice.kind == .string {
        guard replay_unhex(envelope.bytes + Int(slice.offset), slice.count, to),
          HexBlocks.isOneValue(to, slice.count / 2)
        else { throw malformed(record) }
        storage.fill += slice.count / 2
      } else {
        guard slice.kind == .null else { throw malformed(record) }
        for (place, byte) in "null".utf8.enumerated() { to[place] = byte }
        storage.fill += 4
      }
      storage.bytes[storage.fill] = 10
      storage.fill += 1
    }
  }

  /// True for one JSON value and white space: else the payloads behind it would go to other records.
  static func isOneValue(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    var splitter = replay_splitter()
    replay_split(&splitter, bytes, count, true)
    let isSpace = { (place: Int) in [9, 10, 13, 32].contains(bytes[place]) }
    guard splitter.values == 1 else {
      // A scalar ends only where something follows.
      let text = (0..<count).filter { !isSpace($0) }.map { bytes[$0] }
      return text.elementsEqual("null".utf8)
    }
    return (splitter.end..<count).allSatisfy(isSpace)
  }

  /// Puts the envelope's fields, marks and masks together with the payload's, for the records that a function wants.
  private func merge(into block: RecordBlock, _ storage: PayloadStorage) {
    var kept = 0
    storage.prepare(records: block.count, fields: parts.columns.count)
    for record in 0..<block.count {
      let origin = Int(block.ordinals[record])
      let mask = block.masks[record] & envelope.masks[origin]
      if mask == 0 { continue }
      for (column, place) in parts.columns.enumerated() {
        storage.fields[kept * parts.columns.count + column] =
          switch place {
          case .payload(let index): block.fields[record * block.fieldCount + index]
          case .envelope(let index): copy(envelope.fields[origin * envelope.fieldCount + index], storage.payloads)
          }
      }
      storage.records[kept] = block.records[record]
      storage.marks[kept] = envelope.marks[origin]
      storage.ordinals[kept] = envelope.ordinals[origin]
      storage.masks[kept] = mask
      kept += 1
    }
    block.bytes = UnsafePointer(storage.payloads.bytes)
    block.fieldCount = parts.columns.count
    block.count = kept
    block.fields = UnsafePointer(storage.fields)
    block.records = UnsafePointer(storage.records)
    block.marks = UnsafePointer(storage.marks)
    block.masks = UnsafePointer(storage.masks)
    block.ordinals = UnsafePointer(storage.ordinals)
  }

  private func copy(_ slice: Slice, _ storage: BlockStorage) -> Slice {
    let from = envelope.bytes + Int(slice.offset)
    let offset = storage.append(slice.count) { $0.update(from: from, count: slice.count) }
    return Slice(offset: UInt32(offset), tail: slice.tail)
  }

  private func malformed(_ record: Int) -> ReplayError {
    let ordinal = envelope.firstOrdinal + (record < envelope.count ? UInt64(envelope.ordinals[record]) : 0)
    return ReplayError(
      .data, "archive file has a malformed payload: \(segment.name)",
      details: ["record \(ordinal + 1): expected the hexadecimal digits of one JSON object"],
      next: "mend or replace this file, then run the same command"
    ).at(segment, ordinal: ordinal)
  }
}
