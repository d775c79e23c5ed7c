import CDecode
import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Finds where whole records end in a growing buffer.
struct RecordCutter {
  let framing: Framing
  private var splitter = replay_splitter()

  init(_ framing: Framing) { self.framing = framing }

  /// Just behind the last whole record of the first `fill` bytes; 0 where there is none yet.
  mutating func cut(_ bytes: UnsafePointer<UInt8>, fill: Int) -> Int {
    guard framing == .lines else {
      replay_split(&splitter, bytes, fill, false)
      return splitter.end
    }
    return replay_line_cut(bytes, fill)
  }

  /// Tells that the first `count` bytes are gone.
  mutating func drop(_ count: Int) {
    splitter.scanned -= min(count, splitter.scanned)
    splitter.end = 0
  }

  /// What the bytes at a segment's start say; nil where they do not hold one whole value yet. White space and a byte
  /// order mark must be gone.
  static func sniff(_ bytes: UnsafePointer<UInt8>, count: Int, isAll: Bool) -> Framing? {
    guard count > 0 else { return isAll ? .lines : nil }
    if bytes[0] == UInt8(ascii: "[") { return .array }
    var splitter = replay_splitter()
    replay_split(&splitter, bytes, count, true)
    guard splitter.values > 0 else { return isAll ? .lines : nil }
    guard memchr(bytes, 10, splitter.end) == nil else { return .concatenated }
    var next = splitter.end
    while next < count, bytes[next] == 32 || bytes[next] == 9 || bytes[next] == 13 { next += 1 }
    if next == count { return isAll ? .lines : nil }
    return bytes[next] == 10 ? .lines : .concatenated
  }
}
