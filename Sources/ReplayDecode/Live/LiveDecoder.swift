import CDecode
import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The `PayloadDecoder` for events of JSON. What the archive's envelope holds beside the payload (key, headers, time)
/// comes from the message here, so that a function reads the same fields in both.
public final class LiveDecoder: PayloadDecoder {
  /// Where the partition key is, if the archive has it neither in the payload nor in an envelope.
  public enum KeySource: Sendable {
    case asInArchive
    /// The message's own key: the archive kept it in files beside the segments.
    case message
  }

  private enum Beside {
    case key, headers, time, nothing
  }

  private let inner: Extractor
  /// The place of the key that events without a key of their own have in their payload; nil where it is in the payload
  /// anyhow.
  private let innerKey: Int?
  private let parts: PayloadExtraction
  /// For each field that is not in the payload, what of the message it is.
  private let beside: [Int: Beside]
  /// For each function, its conditions on such fields.
  private let conditions: [[Extraction.Condition]]
  private let limits: DecodeLimits
  private let stream: String
  private let requiresKey: Bool

  /// `stream`: its name, for messages. `payloadKey`: where the key is in the payload of events that have none beside it.
  /// `requiresKey`: false where a key that is no text may count as none.
  public init(
    _ extraction: Extraction, of stream: String, key: KeySource, payloadKey: JSONPath = Anatomy().key,
    requiresKey: Bool = true, limits: DecodeLimits = DecodeLimits()
  ) {
    let own = key == .message && extraction.keyColumn >= 0 ? Set([extraction.keyColumn]) : []
    let headers = extraction.headersColumn >= 0 ? Set([extraction.headersColumn]) : []
    parts = PayloadExtraction(extraction, beside: own.union(headers))
    var beside: [Int: Beside] = [:]
    for (column, place) in parts.columns.enumerated() {
      guard case .envelope = place else { continue }
      beside[column] =
        column == extraction.keyColumn
        ? .key
        : column == extraction.headersColumn
          ? .headers : extraction.fields[column] == extraction.anatomy.time ? .time : .nothing
    }
    self.beside = beside
    conditions = extraction.functions.map { $0.conditions.filter { beside[$0.field] != nil } }
    let takesKey = beside.values.contains(.key)
    innerKey = takesKey ? parts.inner.fields.count : nil
    let fields = Extraction(
      fields: parts.inner.fields + (takesKey ? [payloadKey] : []), functions: parts.inner.functions,
      anatomy: parts.inner.anatomy)
    inner = Extractor(fields, limits: limits, dropDuplicates: false)
    self.limits = limits
    self.stream = stream
    self.requiresKey = requiresKey
  }

  public func decode(
    _ messages: LiveMessages, _ places: Range<Int>, settled: [Position], into block: RecordBlock
  ) throws -> Int {
    let first = places.lowerBound
    let storage = (block.owner as? PayloadStorage) ?? PayloadStorage(blockBytes: room(for: messages, places))
    block.owner = storage
    block.segment = Segment(live: messages.partition, of: stream)
    let (count, framing) = try fill(storage.payloads, messages, places)
    var call = replay_block()
    let range = SegmentRange(from: Array(repeating: 0, count: inner.functionCount))
    let good = inner.extract(
      storage.payloads, length: storage.payloads.fill, framing: framing, firstOrdinal: 0, range: range, into: block,
      &call)
    guard good, block.scanned == count else {
      let place = good ? block.scanned : Int(clamping: call.fault_ordinal)
      throw malformed(messages, first, first + min(place, count - 1), "one JSON object in UTF-8")
    }
    try merge(into: block, storage, messages, first, count, settled)
    return count
  }

  /// Bytes of a new block: a stream that rests after each event gives small ones, of which many may be held.
  private func room(for messages: LiveMessages, _ places: Range<Int>) -> Int {
    var size = 0
    for message in messages.messages[places] {
      size += (message.payload?.count ?? 4) + 1
      if size >= limits.blockBytes { return limits.blockBytes }
    }
    return size
  }

  /// Writes payloads one behind the other, a line each where none of them has several.
  private func fill(_ storage: BlockStorage, _ messages: LiveMessages, _ places: Range<Int>) throws -> (Int, Framing) {
    let first = places.lowerBound
    storage.fill = 0
    storage.reserve(room(for: messages, places))
    var framing = Framing.lines
    var place = first
    try messages.bytes.withUnsafeBufferPointer { bytes in
      while place < places.upperBound {
        let payload = messages.messages[place].payload
        let size = payload?.count ?? 4
        if place > first, storage.fill + size >= limits.blockBytes { break }
        guard size <= limits.maxRecordBytes else {
          throw malformed(messages, first, place, "at most \(limits.maxRecordBytes) bytes (--max-record-bytes)")
        }
        storage.reserve(storage.fill + size + 1)
        let to = storage.bytes + storage.fill
        if let payload, let base = bytes.baseAddress {
          guard LiveDecoder.beginsValue(bytes, payload) else {
            throw malformed(messages, first, place, "one JSON object")
          }
          to.update(from: base + payload.lowerBound, count: size)
          if memchr(to, 10, size) != nil { framing = .concatenated }
        } else {
          for (offset, byte) in "null".utf8.enumerated() { to[offset] = byte }
        }
        to[size] = 10
        storage.fill += size + 1
        place += 1
      }
      guard framing == .concatenated else { return }
      // Without lines to tell them apart, each has to be one value, or those behind it would go to other events.
      for place in first..<place {
        guard let payload = messages.messages[place].payload, let base = bytes.baseAddress else { continue }
        guard HexBlocks.isOneValue(base + payload.lowerBound, payload.count) else {
          throw malformed(messages, first, place, "one JSON object and nothing else")
        }
      }
    }
    return (place - first, framing)
  }

  /// A store's text, and every other key, is UTF-8 without NUL.
  private static func isText(_ bytes: ArraySlice<UInt8>) -> Bool {
    !bytes.contains(0) && bytes.withUnsafeBufferPointer { String(validating: $0, as: UTF8.self) != nil }
  }

  /// An empty payload is no line: it would let the next one take its place.
  private static func beginsValue(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Bool {
    bytes[range].contains { $0 > 32 }
  }

  /// Puts the payload's fields and the message's together, for the records that a function wants and has not settled.
  private func merge(
    into block: RecordBlock, _ storage: PayloadStorage, _ messages: LiveMessages, _ first: Int, _ count: Int,
    _ settled: [Position]
  ) throws {
    let width = parts.columns.count
    var kept = 0
    var below = Array(repeating: UInt64(0), count: settled.count)
    // Positions ascend: those that a function has settled are the first ones.
    for function in settled.indices {
      below[function] = UInt64((0..<count).prefix { messages.messages[first + $0].position < settled[function] }.count)
    }
    storage.prepare(records: block.count, fields: width)
    for record in 0..<block.count {
      let ordinal = Int(block.ordinals[record])
      let message = messages.messages[first + ordinal]
      if innerKey != nil, requiresKey, let key = message.key, !LiveDecoder.isText(messages.bytes[key]) {
        throw malformed(messages, first, first + ordinal, "a key in UTF-8, without NUL")
      }
      for (column, place) in parts.columns.enumerated() {
        storage.fields[kept * width + column] =
          if case .payload(let index) = place {
            block.fields[record * block.fieldCount + index]
          } else {
            slice(beside[column] ?? .nothing, of: message, messages, storage.payloads)
              ?? innerKey.map { block.fields[record * block.fieldCount + $0] } ?? Slice(offset: 0, tail: 0)
          }
      }
      var mask = block.masks[record]
      for function in settled.indices where mask >> UInt32(function) & 1 == 1 {
        let met = conditions[function].allSatisfy { holds($0, storage.fields + kept * width, storage.payloads) }
        if UInt64(ordinal) < below[function] || !met { mask &= ~(1 << UInt32(function)) }
      }
      if mask == 0 { continue }
      storage.records[kept] = block.records[record]
      storage.marks[kept] = message.position.number.low
      storage.ordinals[kept] = UInt32(ordinal)
      storage.masks[kept] = mask
      kept += 1
    }
    block.below = below
    block.duplicates = Array(repeating: 0, count: settled.count)
    block.isProven = true
    point(block, at: storage, count: kept, width)
  }

  private func point(_ block: RecordBlock, at storage: PayloadStorage, count: Int, _ width: Int) {
    block.bytes = UnsafePointer(storage.payloads.bytes)
    block.fields = UnsafePointer(storage.fields)
    block.records = UnsafePointer(storage.records)
    block.marks = UnsafePointer(storage.marks)
    block.masks = UnsafePointer(storage.masks)
    block.ordinals = UnsafePointer(storage.ordinals)
    block.count = count
    block.fieldCount = width
  }

  /// Nil where the message has no key.
  private func slice(
    _ what: Beside, of message: LiveMessages.Message, _ messages: LiveMessages, _ storage: BlockStorage
  ) -> Slice? {
    switch what {
    case .key:
      guard let key = message.key else { return nil }
      var bytes = messages.bytes[key]
      // A key that was written as JSON text has quotes, which the archive's reader takes off too.
      if !requiresKey, !LiveDecoder.isText(bytes) { return Slice(offset: 0, tail: 0) }
      if bytes.count >= 2, bytes.first == 34, bytes.last == 34 { bytes = bytes.dropFirst().dropLast() }
      return copy(bytes, .string, storage)
    case .headers:
      if let headers = message.headers { return copy(messages.bytes[headers], .array, storage) }
    case .time:
      if let time = message.time { return copy(Array(String(time).utf8)[...], .number, storage) }
    case .nothing: break
    }
    return Slice(offset: 0, tail: 0)
  }

  private func copy(_ bytes: ArraySlice<UInt8>, _ kind: Slice.Kind, _ storage: BlockStorage) -> Slice {
    let offset = storage.append(bytes.count) { to in
      bytes.withUnsafeBufferPointer { from in
        if let base = from.baseAddress { to.update(from: base, count: from.count) }
      }
    }
    return Slice(offset: UInt32(offset), tail: UInt32(bytes.count) | kind.rawValue << 28)
  }

  private func holds(_ condition: Extraction.Condition, _ fields: UnsafePointer<Slice>, _ storage: BlockStorage) -> Bool
  {
    let slice = fields[condition.field]
    let text = Text(start: UnsafeRawPointer(storage.bytes) + Int(slice.offset), count: slice.count)
    return slice.kind == .string && condition.values.contains { text.bytes.elementsEqual($0.utf8) }
  }

  private func malformed(_ messages: LiveMessages, _ first: Int, _ place: Int, _ expected: String) -> ReplayError {
    let message = messages.messages[place]
    let found = message.payload.map { range in
      messages.bytes[range].withUnsafeBytes { ReplayError.excerpt(Text($0), limit: 120) }
    }
    return ReplayError(
      .data, "the stream has a malformed event: \(stream)",
      details: [
        "position \(message.position) of partition \(messages.partition)", "expected: \(expected)",
        "found:    \(found ?? "nothing")",
      ],
      next:
        "mend it where the stream can be mended, as a directory's file can, then run the same command; a topic keeps it "
        + "until its retention has passed, and no flag passes over it yet"
    ).at(Segment(live: messages.partition, of: stream), ordinal: UInt64(place - first))
  }
}
