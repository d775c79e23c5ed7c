import CDecode
import ReplayCore

/// What the beginning of a file shows: enough to tell which tool wrote it.
public struct FirstRecord: Sendable {
  /// Layers of compression, the outermost first.
  public var codecs: [Codec] = []
  /// Nil where the content is no JSON.
  public var framing: Framing?
  /// False where the first record is no JSON object, or a damaged one.
  public var isObject = false
  /// Names of the first record's members, in order, and of its objects' members.
  public var members: [String] = []
  public var nested: [String: [String]] = [:]
  /// The first decompressed bytes, up to 64.
  public var beginning: [UInt8] = []

  /// Reads only as much of the file as its first record needs; tombstones (`null`) before it are passed over. Nil where
  /// the file has no record.
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
      let isAll = count == 0 || storage.fill > limits.maxRecordBytes
      switch first.look(storage, framing: framing, isAll: isAll) {
      case .found: return first
      case .nothing: return nil
      case .more: if storage.fill == storage.room { storage.reserve(storage.room * 2) }
      }
    }
  }

  private enum Look { case found, nothing, more }

  /// Looks at the bytes read so far.
  private mutating func look(_ storage: BlockStorage, framing asked: Framing?, isAll: Bool) -> Look {
    let (bytes, end) = (storage.bytes, storage.fill)
    let isSpace = { (place: Int) in [9, 10, 13, 32].contains(bytes[place]) }
    var at = 0
    if end >= 3, bytes[0] == 0xef, bytes[1] == 0xbb, bytes[2] == 0xbf { at = 3 }
    while at < end, isSpace(at) { at += 1 }
    guard at < end else { return isAll ? .nothing : .more }
    beginning = Array(UnsafeBufferPointer(start: bytes + at, count: min(64, end - at)))
    guard looksLikeJSON else { return isAll || end - at >= 64 ? .found : .more }
    guard let found = asked ?? RecordCutter.sniff(bytes + at, count: end - at, isAll: isAll) else { return .more }
    if found == .array, bytes[at] == UInt8(ascii: "[") { at += 1 }
    while true {
      while at < end, isSpace(at) || (found == .array && bytes[at] == UInt8(ascii: ",")) { at += 1 }
      if at == end { return isAll ? .nothing : .more }
      if found == .array, bytes[at] == UInt8(ascii: "]") { return .nothing }
      var splitter = replay_splitter()
      replay_split(&splitter, bytes + at, end - at, true)
      guard splitter.values > 0 || isAll else { return .more }
      let length = splitter.values > 0 ? splitter.end : end - at
      if length == 4, UnsafeBufferPointer(start: bytes + at, count: 4).elementsEqual("null".utf8) {
        at += 4
        continue
      }
      beginning = Array(UnsafeBufferPointer(start: bytes + at, count: min(64, end - at)))
      framing = found
      isObject = members(of: bytes + at, count: length)
      return .found
    }
  }

  /// True where the content begins as JSON objects, or an array of them, or a tombstone would.
  private var looksLikeJSON: Bool {
    beginning.first == UInt8(ascii: "{") || beginning.first == UInt8(ascii: "[") || beginning.starts(with: "nul".utf8)
  }

  private mutating func members(of bytes: UnsafePointer<UInt8>, count: Int) -> Bool {
    guard count > 0, bytes[0] == UInt8(ascii: "{") else { return false }
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
