import CDecode
import ReplayCore

/// Looks at single lines that are to become events: proves that each is one JSON object, or null, and finds the key in
/// it. One a thread.
public final class LineJudge {
  public enum Fault: Error, Sendable, Equatable {
    /// Byte in the line.
    case notJSON(byte: Int, expected: String)
    /// A JSON value that no function reads: it would stop every follower.
    case notEvent(found: String)
    /// What is where the key should be.
    case noKey(found: String)
  }

  private let validator = RecordValidator()
  private let extractor: Extractor?
  private let keyColumn: Int
  private let storage = BlockStorage(blockBytes: 4096)
  private let block: RecordBlock

  /// - Parameter key: where the key is, which `judge` answers then.
  public init(key: JSONPath? = nil) {
    var limits = DecodeLimits()
    limits.maxRecordBytes = 128 << 20
    let extraction = Extraction([Reads()], anatomy: Anatomy(key: key ?? JSONPath("")), needsKey: true)
    extractor = key.map { _ in Extractor(extraction, limits: limits, dropDuplicates: false) }
    keyColumn = extraction.keyColumn
    let entry = SegmentEntry(name: "lines", size: 0, version: "")
    block = RecordBlock(
      segment: Segment(entry: entry, partition: Partition(log: "", id: ""), numbering: .place(WideNumber(low: 0))))
  }

  /// Of one JSON value, what it is; nil of an object, and of null, which stands for an event without a payload.
  private static func otherThanEvent(_ text: Text) -> String? {
    switch text.bytes.first(where: { $0 > 32 }) {
    case UInt8(ascii: "{"), UInt8(ascii: "n"): nil
    case UInt8(ascii: "["): "an array"
    case UInt8(ascii: "\""): "a string"
    case UInt8(ascii: "t"), UInt8(ascii: "f"): "a boolean"
    default: "a number"
    }
  }

  /// The key's text, unescaped, valid until the next call; nil where no key is asked for. The line has no line feed.
  public func judge(_ line: UnsafeRawBufferPointer) throws(Fault) -> Text? {
    // The padding behind it is the storage's own.
    storage.fill = 0
    storage.reserve(line.count + 1)
    UnsafeMutableRawBufferPointer(start: storage.bytes, count: line.count).copyMemory(from: line)
    storage.bytes[line.count] = 10
    storage.fill = line.count + 1
    let text = Text(UnsafeRawBufferPointer(start: storage.bytes, count: line.count))
    var hasTwins = false
    if let fault = validator.fault(in: text, hasTwins: &hasTwins) {
      throw .notJSON(byte: fault.byteOffset, expected: fault.expected)
    }
    if String(validating: text.bytes, as: UTF8.self) == nil {
      throw .notJSON(byte: ReplayError.firstInvalidUTF8(text) ?? 0, expected: "UTF-8")
    }
    if let found = LineJudge.otherThanEvent(text) { throw .notEvent(found: found) }
    guard let extractor else { return nil }
    var call = replay_block()
    replay_extractor_begin_segment(extractor.handle)
    let good = extractor.extract(
      storage, length: storage.fill, framing: .lines, firstOrdinal: 0, range: SegmentRange(from: [0]), into: block,
      &call)
    // The value is JSON: what the extractor does not take is null.
    guard good, block.count == 1 else { throw .noKey(found: "no object") }
    let slice = block.fields[keyColumn]
    switch slice.kind {
    case .string, .number: return block.text(slice)
    case .missing: throw .noKey(found: "nothing")
    case .null: throw .noKey(found: "null")
    case .boolean: throw .noKey(found: "a boolean")
    case .object: throw .noKey(found: "an object")
    case .array: throw .noKey(found: "an array")
    }
  }
}
