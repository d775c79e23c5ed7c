import ReplayCore

/// Decodes events that a store keeps, each by itself and as what it was: the archive or the stream that they came from is
/// not needed.
///
/// An archived event is its record. Of a stream, and where the archive's payloads are in hexadecimal digits, only the
/// payload is kept: what was beside it, but for the key, is missing.
public final class KeptDecoder {
  private let extraction: Extraction
  private let archive: ArchiveDecoder
  private let usesKeysFiles: Bool
  private let limits: DecodeLimits
  private let block = RecordBlock(segment: KeptDecoder.nowhere)
  // Unsafe pointers, as blocks have them: the one record's mark and ordinal.
  private let mark = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
  private let ordinal = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)

  private static let nowhere = Segment(
    entry: SegmentEntry(name: "", size: 0, version: ""), partition: Partition(log: "", id: []), numbering: .explicit)

  /// `usesKeysFiles`: the archive has its keys in files of their own.
  public init(_ extraction: Extraction, usesKeysFiles: Bool, limits: DecodeLimits = DecodeLimits()) {
    self.extraction = extraction
    self.usesKeysFiles = usesKeysFiles
    self.limits = limits
    var anatomy = extraction.anatomy
    // Its position is known, and its partition.
    anatomy.position = nil
    anatomy.partition = nil
    archive = ArchiveDecoder(
      Extraction(fields: extraction.fields, functions: extraction.functions, anatomy: anatomy), framing: .concatenated,
      limits: limits)
    mark.initialize(to: 0)
    ordinal.initialize(to: 0)
  }

  deinit {
    mark.deallocate()
    ordinal.deallocate()
  }

  /// Valid until the next call. Without a record where the function's conditions leave the event out.
  public func block(of event: KeptEvent) throws -> RecordBlock {
    let (place, event) = (event.event.place, event.event)
    let isPayload = place.partition.side == .live || extraction.anatomy.payloadEncoding == .hex
    if isPayload { try decodePayload(event) } else { try decodeRecord(event) }
    block.segment = place.segment
    block.partitionIndex = 0
    block.firstOrdinal = place.ordinal
    guard block.count > 0 else { return block }
    mark.pointee = place.mark
    block.marks = UnsafePointer(mark)
    block.ordinals = UnsafePointer(ordinal)
    let storage = (block.owner as? PayloadStorage)?.payloads ?? block.owner as? BlockStorage
    if let storage {
      fill(extraction.keyColumn, event.key, storage)
      if case .place = place.segment.numbering {
        fill(extraction.idColumn, Array("\(place.segment.name)#\(place.mark)".utf8), storage)
      }
    }
    return block
  }

  private func decodePayload(_ event: LeftEvent) throws {
    if !(block.owner is PayloadStorage) { block.owner = nil }
    let decoder = LiveDecoder(
      extraction, of: event.place.segment.name, key: usesKeysFiles ? .message : .asInArchive, requiresKey: false,
      limits: limits)
    let messages = LiveMessages(partition: event.place.partition)
    event.record.withUnsafeBytes { record in
      event.key.withUnsafeBytes { key in
        messages.append(at: event.place.position, payload: record, key: key.isEmpty ? nil : key)
      }
    }
    let settled = Array(repeating: Position.zero, count: extraction.functions.count)
    _ = try decoder.decode(messages, 0..<1, settled: settled, into: block)
  }

  private func decodeRecord(_ event: LeftEvent) throws {
    if !(block.owner is BlockStorage) { block.owner = nil }
    let segment = Segment(
      entry: SegmentEntry(name: event.place.segment.name, size: UInt64(event.record.count), version: ""),
      partition: event.place.partition, numbering: .explicit)
    let range = SegmentRange(from: Array(repeating: 0, count: extraction.functions.count))
    let reading = try archive.open(segment, in: OneRecord(event.record), range: range)
    while try reading.next(block) { if block.scanned > 0 { return } }
    block.count = 0
  }

  /// Gives the record a field that it has not in itself.
  private func fill(_ column: Int, _ bytes: [UInt8], _ storage: BlockStorage) {
    guard column >= 0, !bytes.isEmpty else { return }
    let kind = block.fields[column].kind
    guard kind == .missing || kind == .null else { return }
    let offset = storage.append(bytes.count) { to in for (place, byte) in bytes.enumerated() { to[place] = byte } }
    UnsafeMutablePointer(mutating: block.fields)[column] = Slice(
      offset: UInt32(offset), tail: UInt32(bytes.count) | Slice.Kind.string.rawValue << 28)
    block.bytes = UnsafePointer(storage.bytes)
  }
}

/// A file of one record.
private struct OneRecord: SegmentSource {
  let bytes: [UInt8]
  let name = "kept event"

  init(_ bytes: [UInt8]) { self.bytes = bytes + [10] }

  func list() throws -> [SegmentEntry] { [] }
  func open(_ entry: SegmentEntry) throws -> any SegmentReader { Reader(bytes) }

  private final class Reader: SegmentReader {
    private let bytes: UnsafeMutableRawBufferPointer
    private var isRead = false

    init(_ bytes: [UInt8]) {
      self.bytes = .allocate(byteCount: bytes.count, alignment: 1)
      self.bytes.copyBytes(from: bytes)
    }

    deinit { bytes.deallocate() }

    func next() throws -> UnsafeRawBufferPointer {
      defer { isRead = true }
      return isRead ? UnsafeRawBufferPointer(start: nil, count: 0) : UnsafeRawBufferPointer(bytes)
    }
  }
}
