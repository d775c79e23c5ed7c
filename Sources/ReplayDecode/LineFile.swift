import CDecode
import ReplayCore

/// The partition keys or the headers of a segment from the file beside it: one JSON value a line, line for line with
/// the records.
final class LineFile {
  enum Content: String { case keys, headers }

  private let content: Content
  private let entry: SegmentEntry
  private let maxLineBytes: Int
  /// Decompressed bytes before `buffer`.
  private var dropped: UInt64 = 0
  private let stream: any ByteStream
  private var buffer: [UInt8] = []
  private var taken = 0
  private var line: UInt64 = 0
  private var isAtEnd = false

  init(_ content: Content, _ entry: SegmentEntry, in source: any SegmentSource, limits: DecodeLimits) throws {
    self.content = content
    self.entry = entry
    maxLineBytes = limits.maxRecordBytes
    stream = try OpenStream.open(entry, in: source, limits: limits).stream
  }

  /// Puts each record's line into a column of the block.
  func fill(_ block: RecordBlock, _ storage: BlockStorage, column: Int, segment: Segment) throws {
    let fields = UnsafeMutablePointer(mutating: block.fields)
    for record in 0..<block.count {
      let ordinal = block.firstOrdinal + UInt64(block.ordinals[record])
      while line < ordinal { _ = try next(segment) }
      let line = try next(segment)
      fields[record * block.fieldCount + column] =
        try content == .keys ? slice(ofKey: line, storage) : slice(ofHeaders: line, storage)
    }
    while line < block.firstOrdinal + UInt64(block.scanned) { _ = try next(segment) }
    block.bytes = UnsafePointer(storage.bytes)
  }

  /// True where every line handed out lies in verified frames.
  var isProven: Bool { dropped + UInt64(taken) <= stream.provenBytes }

  /// Decompresses on, keeping nothing, until every line handed out is verified.
  func prove() throws {
    let scrap = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    defer { scrap.deallocate() }
    while !isProven, try stream.read(into: scrap) > 0 {}
  }

  /// Nothing may follow the last record's line.
  func end(_ segment: Segment) throws {
    while let byte = try peek() {
      guard byte == 10 || LineFile.isSpace(byte) else {
        throw misaligned(segment, "it has more lines than the segment has records (\(line))")
      }
      taken += 1
    }
  }

  private func slice(ofKey line: ArraySlice<UInt8>, _ storage: BlockStorage) throws -> Slice {
    let key = Array(line.drop(while: LineFile.isSpace).reversed().drop(while: LineFile.isSpace).reversed())
    guard let first = key.first else { return Slice(offset: 0, tail: 0) }
    try check(key)
    let isText = first == UInt8(ascii: "\"")
    guard isText || first == UInt8(ascii: "n") || first == UInt8(ascii: "-") || first &- 48 < 10 else {
      throw malformed("expected a text or a number")
    }
    if first == UInt8(ascii: "n") { return Slice(offset: 0, tail: Slice.Kind.null.rawValue << 28) }
    let raw = isText ? Array(key.dropFirst().dropLast()) : key
    var plain = [UInt8](repeating: 0, count: raw.count)
    let count = isText ? replay_unescape(raw, raw.count, &plain) : raw.count
    let bytes = isText ? plain[..<min(count, raw.count)] : raw[...]
    guard count <= raw.count, !bytes.contains(0) else { throw malformed("expected a text without NUL") }
    let offset = storage.append(count) { to in for (place, byte) in bytes.enumerated() { to[place] = byte } }
    let kind: Slice.Kind = isText ? .string : .number
    return Slice(offset: UInt32(offset), tail: UInt32(count) | kind.rawValue << 28)
  }

  /// Throws where the line is not one JSON value in UTF-8.
  private func check(_ line: [UInt8]) throws {
    if let fault = line.withUnsafeBytes({ JSONGrammar.fault(in: Text($0)) }) {
      throw malformed("expected \(fault.expected) at byte \(fault.byteOffset)")
    }
    guard String(validating: line, as: UTF8.self) != nil else { throw malformed("expected UTF-8, found other bytes") }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 13 }

  private func malformed(_ what: String) -> ReplayError {
    ReplayError(
      .data, "a \(content.rawValue) file has a malformed line: \(entry.name)", details: ["line \(line): \(what)"],
      next: "mend or replace this file, then run the same command")
  }

  /// The array in `{"headers":[…]}`; missing where the line says that there are none.
  private func slice(ofHeaders line: ArraySlice<UInt8>, _ storage: BlockStorage) throws -> Slice {
    if line.elementsEqual("null".utf8) { return Slice(offset: 0, tail: Slice.Kind.null.rawValue << 28) }
    let (before, after) = (Array("{\"headers\":[".utf8), Array("]}".utf8))
    guard line.starts(with: before), line.suffix(2).elementsEqual(after) else {
      throw malformed("expected {\"headers\":[…]}")
    }
    try check(Array(line))
    let array = line.dropFirst(before.count - 1).dropLast()
    let offset = storage.append(array.count) { to in for (place, byte) in array.enumerated() { to[place] = byte } }
    return Slice(offset: UInt32(offset), tail: UInt32(array.count) | Slice.Kind.array.rawValue << 28)
  }

  private func next(_ segment: Segment) throws -> ArraySlice<UInt8> {
    var start = taken
    while true {
      if let newline = buffer[start...].firstIndex(of: 10) {
        defer { taken = newline + 1 }
        line += 1
        let end = newline > taken && buffer[newline - 1] == 13 ? newline - 1 : newline
        return buffer[taken..<end]
      }
      start = buffer.count - taken
      if try !more() { break }
    }
    guard taken < buffer.count else {
      throw misaligned(segment, "it ends after \(line) lines, before the segment's records do")
    }
    defer { taken = buffer.count }
    line += 1
    return buffer[taken...]
  }

  private func peek() throws -> UInt8? {
    if taken == buffer.count, try !more() { return nil }
    return buffer[taken]
  }

  private func more() throws -> Bool {
    if isAtEnd { return false }
    guard buffer.count - taken <= maxLineBytes else {
      throw ReplayError(
        .data, "a \(content.rawValue) file has a line above the limit of \(maxLineBytes) bytes: \(entry.name)",
        details: ["line \(line + 1)"],
        next: "run again with a larger --max-record-bytes, if it is meant to be that long")
    }
    dropped += UInt64(taken)
    buffer.removeFirst(taken)
    taken = 0
    let old = buffer.count
    buffer += [UInt8](repeating: 0, count: 64 << 10)
    let count = try buffer.withUnsafeMutableBytes { bytes in
      try stream.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[old...]))
    }
    buffer.removeLast(buffer.count - old - count)
    isAtEnd = count == 0
    return count > 0
  }

  private func misaligned(_ segment: Segment, _ what: String) -> ReplayError {
    ReplayError(
      .data, "a \(content.rawValue) file does not match its segment: \(entry.name)",
      details: ["segment \(segment.name)", what],
      next: "fetch both files again" + (content == .keys ? ", or leave the keys out with --key PATH" : "")
    ).at(segment, ordinal: 0)
  }
}
