import CDecode
import ReplayCore

/// Reads one segment: decompresses about a block, cuts it behind its last whole record, extracts, repeats.
final class SegmentBlocks: SegmentDecoder {
  private let segment: Segment
  private let stream: any ByteStream
  private let layers: Int
  private let limits: DecodeLimits
  private let extractor: Extractor
  private let range: SegmentRange
  private var cutter: RecordCutter?
  private let wantedFraming: Framing?
  /// Bytes behind the last whole record of the block before.
  private var carry: [UInt8] = []
  private var ordinal: UInt64 = 0
  /// Decompressed bytes before the current block.
  private var base: UInt64 = 0
  /// The decompressed byte that `Slice.offset` counts from in the block last filled.
  private(set) var blockStart: UInt64 = 0
  private var atEnd = false
  private var isBounded = false
  /// Records that lie wholly in verified frames, counted at block ends.
  private var provenOrdinal: UInt64 = 0
  private(set) var summary = SegmentSummary()
  /// Where events without an id get one made of file and place: the source has no numbers that could be one. -1: nowhere.
  var idColumn = -1
  /// Files beside the segment that fill columns, line for line.
  var beside: [(file: LineFile, column: Int)] = []

  init(
    _ segment: Segment, in source: any SegmentSource, range: SegmentRange, extractor: Extractor, framing: Framing?,
    limits: DecodeLimits
  ) throws {
    self.segment = segment
    self.range = range
    self.extractor = extractor
    self.limits = limits
    wantedFraming = framing
    let opened = try OpenStream.open(segment.entry, in: source, limits: limits)
    stream = opened.stream
    layers = opened.codecs.count
    replay_extractor_begin_segment(extractor.handle)
  }

  func next(_ block: RecordBlock) throws -> Bool {
    block.segment = segment
    let storage = storage(of: block)
    var cut = 0
    do {
      repeat {
        // A bound may stand just where the block before ended, in a frame that is not verified yet.
        if !atEnd, ordinal >= range.untilOrdinal { try proveBound() }
        if atEnd { return try finish(block) }
        cut = try fill(storage)
      } while cut == 0
    } catch let error as ReplayError where error.code == .data && error.place == nil {
      throw error.at(segment, ordinal: provenOrdinal)
    }
    blockStart = base
    var call = replay_block()
    let good = extractor.extract(
      storage, length: cut, framing: cutter?.framing ?? .lines, firstOrdinal: ordinal, range: range, into: block, &call)
    guard good else { throw call.fault == REPLAY_TOO_LONG ? tooLong(call) : fault(call, storage) }
    if idColumn >= 0 { makeIDs(block, storage) }
    for (file, column) in beside { try file.fill(block, storage, column: column, segment: segment) }
    ordinal += UInt64(call.scanned)
    if call.reached_until {
      base += UInt64(call.stopped_at)
      try proveBound()
    } else {
      base += UInt64(cut)
      carry = Array(UnsafeBufferPointer(start: storage.bytes + cut, count: storage.fill - cut))
      cutter?.drop(cut)
    }
    let isProven = layers > 1 ? atEnd && carry.isEmpty : base <= stream.provenBytes
    block.isProven = isProven && beside.allSatisfy { $0.file.isProven }
    if block.isProven { provenOrdinal = ordinal }
    let numbers = replay_extractor_numbers(extractor.handle)
    block.isRising = numbers.duplicates == 0 && numbers.inversions == 0
    block.hasGaps = numbers.missing > 0
    block.firstNumber = numbers.any ? numbers.first : nil
    block.compressedBytes = stream.compressedBytes
    (block.prefixBytes, block.prefixDigest) = stream.prefix(of: base)
    return true
  }

  /// `name#7` for the record at place 7: the same in every run over the same files.
  private func makeIDs(_ block: RecordBlock, _ storage: BlockStorage) {
    let fields = UnsafeMutablePointer(mutating: block.fields)
    for record in 0..<block.count where fields[record * block.fieldCount + idColumn].kind == .missing {
      let id = Array("\(segment.name)#\(block.marks[record])".utf8)
      let offset = storage.append(id.count) { to in for (place, byte) in id.enumerated() { to[place] = byte } }
      fields[record * block.fieldCount + idColumn] = Slice(
        offset: UInt32(offset), tail: UInt32(id.count) | Slice.Kind.string.rawValue << 28)
    }
    block.bytes = UnsafePointer(storage.bytes)
  }

  /// Where a bound stops the reading inside a frame: decompresses on until that frame is verified.
  private func proveBound() throws {
    atEnd = true
    isBounded = true
    carry = []
    let scrap = UnsafeMutableRawBufferPointer.allocate(byteCount: limits.blockBytes, alignment: 16)
    defer { scrap.deallocate() }
    do {
      while layers > 1 || stream.provenBytes < base {
        if try stream.read(into: scrap) == 0 { break }
      }
      for (file, _) in beside { try file.prove() }
    } catch let error as ReplayError where error.code == .data {
      throw error.at(segment, ordinal: provenOrdinal)
    }
  }

  private func storage(of block: RecordBlock) -> BlockStorage {
    if let storage = block.owner as? BlockStorage { return storage }
    let storage = BlockStorage(blockBytes: limits.blockBytes)
    block.owner = storage
    return storage
  }

  /// Puts the carried bytes and the next decompressed ones into the storage; answers where the last whole record ends.
  private func fill(_ storage: BlockStorage) throws -> Int {
    storage.fill = 0
    storage.reserve(carry.count + limits.blockBytes / 2)
    storage.bytes.update(from: carry, count: carry.count)
    storage.fill = carry.count
    while true {
      let count = try stream.read(
        into: UnsafeMutableRawBufferPointer(start: storage.bytes + storage.fill, count: storage.room - storage.fill))
      if base == 0, ordinal == 0, cutter == nil { try begin(storage, added: count) } else { storage.fill += count }
      if count == 0 {
        atEnd = true
        carry = []
        return try lastCut(storage)
      }
      guard cutter != nil else { continue }
      if let cut = cutter?.cut(storage.bytes, fill: storage.fill), cut > 0 {
        return cut
      }
      // White space is no part of a record; but it is not gathered without end either.
      let isLong = storage.fill > limits.maxRecordBytes
      if isLong, storage.fill > limits.maxRecordBytes + (16 << 20) || filled(storage) > limits.maxRecordBytes {
        throw tooLong()
      }
      if storage.fill == storage.room { storage.reserve(storage.room * 2) }
    }
  }

  /// Bytes without the white space around them.
  private func filled(_ storage: BlockStorage) -> Int {
    let isSpace = { (place: Int) in [9, 10, 13, 32].contains(storage.bytes[place]) }
    guard let first = (0..<storage.fill).first(where: { !isSpace($0) }),
      let last = (0..<storage.fill).last(where: { !isSpace($0) })
    else { return 0 }
    return last - first + 1
  }

  /// Drops what may stand before the first record and finds the framing.
  private func begin(_ storage: BlockStorage, added count: Int) throws {
    storage.fill += count
    var skipped = 0
    let isAll = count == 0
    if storage.fill < 3 && !isAll { return }
    let bytes = storage.bytes
    if storage.fill >= 3, bytes[0] == 0xef, bytes[1] == 0xbb, bytes[2] == 0xbf { skipped = 3 }
    while skipped < storage.fill, [9, 10, 13, 32].contains(bytes[skipped]) { skipped += 1 }
    guard
      let framing = wantedFraming
        ?? RecordCutter.sniff(
          bytes + skipped, count: storage.fill - skipped, isAll: isAll || storage.fill >= limits.maxRecordBytes)
    else {
      if storage.fill == storage.room { storage.reserve(storage.room * 2) }
      return
    }
    if framing == .array, skipped < storage.fill {
      guard bytes[skipped] == UInt8(ascii: "[") else { throw notThis(framing) }
      skipped += 1
    }
    bytes.update(from: bytes + skipped, count: storage.fill - skipped)
    storage.fill -= skipped
    base = UInt64(skipped)
    cutter = RecordCutter(framing)
  }

  /// What is left at the segment's end: a last record without a newline, or nothing but the end of an array.
  private func lastCut(_ storage: BlockStorage) throws -> Int {
    guard let framing = cutter?.framing else { return 0 }
    if framing == .lines { return isBlank(storage, from: 0) ? 0 : storage.fill }
    // A scalar ends only where something follows: a line end does not change the value.
    storage.reserve(storage.fill + 1)
    storage.bytes[storage.fill] = 10
    let cut = min(cutter?.cut(storage.bytes, fill: storage.fill + 1) ?? 0, storage.fill)
    var rest = cut
    if framing == .array {
      while rest < storage.fill, storage.bytes[rest] != UInt8(ascii: "]") {
        guard [9, 10, 13, 32].contains(storage.bytes[rest]) else { break }
        rest += 1
      }
      guard rest < storage.fill, storage.bytes[rest] == UInt8(ascii: "]") else {
        throw unfinished("the array's closing bracket")
      }
      rest += 1
    }
    guard isBlank(storage, from: rest) else { throw unfinished("the end of the last record") }
    storage.fill = cut
    return cut
  }

  private func isBlank(_ storage: BlockStorage, from start: Int) -> Bool {
    (start..<storage.fill).allSatisfy { [9, 10, 13, 32].contains(storage.bytes[$0]) }
  }

  private func finish(_ block: RecordBlock) throws -> Bool {
    if !isBounded, ordinal < range.untilOrdinal {
      for (file, _) in beside { try file.end(segment) }
    }
    block.count = 0
    block.scanned = 0
    block.isProven = true
    block.compressedBytes = stream.compressedBytes
    summary.records = ordinal
    summary.decompressedBytes = base
    (summary.prefixBytes, summary.prefixDigest) = stream.prefix(of: base)
    stream.report(into: &summary)
    let numbers = replay_extractor_numbers(extractor.handle)
    if numbers.any {
      summary.firstNumber = numbers.first
      summary.lastNumber = numbers.greatest
      summary.missingNumbers = numbers.missing
      summary.duplicates = numbers.duplicates
      summary.inversions = numbers.inversions
    }
    return false
  }
}

// MARK: Errors, each with file, record and byte

extension SegmentBlocks {
  private func fault(_ call: replay_block, _ storage: BlockStorage) -> ReplayError {
    let found = pinpoint(call, storage)
    let at = min(call.fault_offset + found.bytes, max(0, call.length - 1))
    let start = max(call.fault_offset, at - 20)
    let excerpt = Text(start: UnsafeRawPointer(storage.bytes + start), count: min(60, call.length - start))
    var what = SegmentBlocks.words(call.fault)
    if let expected = found.expected { what.text = "expected \(expected), found something else" }
    let rest = (call.fault_offset..<max(call.fault_offset, call.length)).first {
      ![9, 13, 32].contains(storage.bytes[$0])
    }
    if call.fault == REPLAY_TWO_VALUES_ON_LINE, rest.map({ storage.bytes[$0] != UInt8(ascii: "{") }) ?? true {
      what = ("expected the end of the line, found more: a bracket too many, perhaps", nil)
    }
    return ReplayError(
      .data, "archive file has a malformed record: \(segment.name)",
      details: [
        "record \(call.fault_ordinal + 1) (\(segment.position(mark: call.fault_ordinal).describedFor(segment))), "
          + "decompressed byte \(base + UInt64(call.fault_offset + found.bytes)): \(what.text)",
        "near: \(ReplayError.excerpt(excerpt))",
      ], next: what.next ?? "mend or replace this file, then run the same command"
    ).at(segment, ordinal: call.fault_ordinal)
  }

  /// How far behind the record's start the fault lies, where the fast pass only knows the record.
  private func pinpoint(_ call: replay_block, _ storage: BlockStorage) -> (bytes: Int, expected: String?) {
    let vague = [
      REPLAY_INVALID_UTF8, REPLAY_CONTROL_CHARACTER, REPLAY_UNCLOSED_STRING, REPLAY_NOT_JSON, REPLAY_UNFINISHED,
    ]
    guard vague.contains(call.fault), call.fault_offset < call.length else { return (0, nil) }
    var end = call.length
    if cutter?.framing == .lines {
      while end > call.fault_offset, storage.bytes[end - 1] == 10 { end -= 1 }
      end = (call.fault_offset..<end).first { storage.bytes[$0] == 10 } ?? end
    }
    let record = Text(
      start: UnsafeRawPointer(storage.bytes + call.fault_offset), count: end - call.fault_offset)
    if call.fault == REPLAY_INVALID_UTF8 { return (ReplayError.firstInvalidUTF8(record) ?? 0, nil) }
    guard call.fault != REPLAY_NOT_JSON || storage.bytes[call.fault_offset] == UInt8(ascii: "{") else {
      return (0, nil)
    }
    guard let fault = JSONGrammar.fault(in: record), fault.byteOffset < record.count else { return (0, nil) }
    return (fault.byteOffset, fault.expected)
  }

  private static func words(_ fault: replay_fault) -> (text: String, next: String?) {
    switch fault {
    case REPLAY_INVALID_UTF8: return ("expected UTF-8, found other bytes", nil)
    case REPLAY_UNCLOSED_STRING: return ("a string is not closed", nil)
    case REPLAY_CONTROL_CHARACTER: return ("a string holds a control character that is not escaped", nil)
    case REPLAY_NOT_OBJECT: return ("expected a JSON object, found another value", nil)
    case REPLAY_UNFINISHED: return ("the record is cut off: its brackets do not close", nil)
    case REPLAY_TWO_VALUES_ON_LINE:
      return (
        "expected the end of the line, found a second value", "if that is how it was written: --format json-concat"
      )
    case REPLAY_VALUE_OVER_LINES:
      return (
        "expected one value a line, found one over several", "if that is how it was written: --format json-concat"
      )
    case REPLAY_BAD_ESCAPE: return ("a string has an escape that JSON does not know", nil)
    case REPLAY_BAD_NUMBER: return ("expected the record's own number, found none that fits 64 bits", nil)
    case REPLAY_NUL: return ("a text that the function reads holds NUL (\\u0000), which no database text can", nil)
    case REPLAY_NO_SEPARATOR: return ("expected a comma between two elements of the array", nil)
    default: return ("expected JSON, found something else", nil)
    }
  }

  private func tooLong(_ call: replay_block? = nil) -> ReplayError {
    let ordinal = call?.fault_ordinal ?? ordinal
    let begins = base + UInt64(call?.fault_offset ?? 0)
    return ReplayError(
      .data, "archive file has a record above the limit of \(limits.maxRecordBytes) bytes: \(segment.name)",
      details: ["record \(ordinal + 1) begins at decompressed byte \(begins) and does not end within the limit"],
      next: "run again with a larger --max-record-bytes, if the record is meant to be that long"
    ).at(segment, ordinal: ordinal)
  }

  private func unfinished(_ expected: String) -> ReplayError {
    ReplayError(
      .data, "archive file ends inside a record: \(segment.name)",
      details: ["expected \(expected) before the file's end, after record \(ordinal), decompressed byte \(base)"],
      next: "fetch this file again, then run the same command"
    ).at(segment, ordinal: ordinal)
  }

  private func notThis(_ framing: Framing) -> ReplayError {
    ReplayError(
      .data, "archive file is not \(framing.rawValue): \(segment.name)",
      details: ["expected `[` at its start"], next: "leave --format out, so that the content decides"
    ).at(segment, ordinal: 0)
  }
}

extension Position {
  fileprivate func describedFor(_ segment: Segment) -> String {
    switch segment.numbering {
    case .counted: "position \(self)"
    case .explicit: "its own number is not known"
    case .place: "line place \(index)"
    }
  }
}
