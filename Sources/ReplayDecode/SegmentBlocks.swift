import CDecode
import ReplayCore

/// Reads one segment: decompresses about a block, cuts it behind its last whole record, extracts, repeats.
final class SegmentBlocks: SegmentDecoder {
  let segment: Segment
  private let stream: any ByteStream
  private let layers: Int
  let limits: DecodeLimits
  private let extractor: Extractor
  private let extractors: Extractors
  private let range: SegmentRange
  var cutter: RecordCutter?
  private let wantedFraming: Framing?
  /// Bytes behind the last whole record of the block before.
  private var carry: [UInt8] = []
  var ordinal: UInt64 = 0
  /// Decompressed bytes before the current block.
  var base: UInt64 = 0
  /// The decompressed byte that `Slice.offset` counts from in the block last filled.
  private(set) var blockStart: UInt64 = 0
  private var atEnd = false
  private var isBounded = false
  /// Records that lie wholly in verified frames, counted at block ends.
  private var provenOrdinal: UInt64 = 0
  private(set) var summary = SegmentSummary()
  /// Where events without an id get one made of file and place: the source has no numbers that could be one. -1: nowhere.
  var idColumn = -1
  /// Where records say which partition they are of. -1: nowhere.
  var partitionColumn = -1
  /// Files beside the segment that fill columns, line for line.
  var beside: [(file: LineFile, column: Int)] = []

  init(
    _ segment: Segment, in source: any SegmentSource, range: SegmentRange, extractors: Extractors, framing: Framing?,
    limits: DecodeLimits, ahead: ReadAhead
  ) throws {
    self.segment = segment
    self.range = range
    self.extractors = extractors
    extractor = extractors.take()
    self.limits = limits
    wantedFraming = framing
    let opened = try OpenStream.open(segment.entry, in: source, limits: limits, ahead: ahead)
    stream = opened.stream
    layers = opened.codecs.count
    replay_extractor_begin_segment(extractor.handle)
  }

  deinit { extractors.give(extractor) }

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
    if partitionColumn >= 0 { try checkPartitions(block) }
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
