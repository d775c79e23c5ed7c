import CDecode
import ReplayCore

/// What the beginning of a file shows: enough to tell which tool wrote it.
public struct FirstRecord: Sendable {
  /// Layers of compression, the outermost first.
  public var codecs: [Codec] = []
  /// Nil where the content is no JSON.
  public var framing: Framing?
  /// False where the first record is no JSON object.
  public var isObject = false
  /// Names of the first record's members, in order, and of its objects' members.
  public var members: [String] = []
  public var nested: [String: [String]] = [:]
  /// The first decompressed bytes, up to 64.
  public var beginning: [UInt8] = []

  /// Reads only as much of the file as its first record needs. Nil where the file has no record.
  public static func read(
    _ entry: SegmentEntry, in source: any SegmentSource, framing: Framing? = nil, limits: DecodeLimits = DecodeLimits()
  ) throws -> FirstRecord? {
    let opened = try OpenStream.open(entry, in: source, limits: limits)
    var first = FirstRecord(codecs: opened.codecs)
    let storage = BlockStorage(blockBytes: 64 << 10)
    while true {
      let room = UnsafeMutableRawBufferPointer(start: storage.bytes + storage.fill, count: storage.room - storage.fill)
      let count = try opened.stream.read(into: room)
      storage.fill += count
      var start = 0
      if storage.fill >= 3, storage.bytes[0] == 0xef, storage.bytes[1] == 0xbb, storage.bytes[2] == 0xbf { start = 3 }
      while start < storage.fill, [9, 10, 13, 32].contains(storage.bytes[start]) { start += 1 }
      if count == 0, start == storage.fill { return nil }
      if first.look(storage, from: start, framing: framing, isAll: count == 0 || storage.fill > limits.maxRecordBytes) {
        return first
      }
      if storage.fill == storage.room { storage.reserve(storage.room * 2) }
    }
  }

  /// Looks at the bytes read so far; false where more are needed.
  private mutating func look(_ storage: BlockStorage, from start: Int, framing asked: Framing?, isAll: Bool) -> Bool {
    let bytes = UnsafePointer(storage.bytes) + start
    let count = storage.fill - start
    beginning = Array(UnsafeBufferPointer(start: bytes, count: min(64, count)))
    guard let found = asked ?? RecordCutter.sniff(bytes, count: count, isAll: isAll) else {
      return count > 0 && bytes[0] != UInt8(ascii: "{") && bytes[0] != UInt8(ascii: "[") && count >= 64
    }
    var splitter = replay_splitter()
    let inside = found == .array ? 1 : 0
    replay_split(&splitter, bytes + inside, count - inside, true)
    guard splitter.values > 0 || isAll else { return false }
    var record = inside
    while record < count, [9, 10, 13, 32].contains(bytes[record]) { record += 1 }
    isObject = members(of: bytes + record, count: inside + splitter.end - record)
    framing = isObject || beginning.first == UInt8(ascii: "n") ? found : nil
    return true
  }

  private mutating func members(of bytes: UnsafePointer<UInt8>, count: Int) -> Bool {
    guard count > 0 else { return false }
    let extractor = replay_extractor_create(1)
    defer { replay_extractor_destroy(extractor) }
    return withUnsafeMutablePointer(to: &self) { pointer in
      replay_members(extractor, bytes, count, pointer) { context, parent, name in
        guard let first = context?.assumingMemoryBound(to: FirstRecord.self) else { return }
        func string(_ text: replay_text) -> String {
          String(decoding: UnsafeRawBufferPointer(start: text.start, count: text.length), as: UTF8.self)
        }
        if parent.start == nil {
          first.pointee.members.append(string(name))
        } else {
          first.pointee.nested[string(parent), default: []].append(string(name))
        }
      }
    }
  }
}
