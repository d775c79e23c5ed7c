import CISAL

/// The header of a gzip member (RFC 1952, section 2.3), taken in pieces as they come. Our own because ISA-L's does not
/// survive a header that is cut between two reads.
struct GzipHeader {
  /// A header's names and comments end within this many bytes.
  static let maxBytes = 1 << 20

  /// The parts behind the first ten bytes, in their order; the flag that says that a part is there.
  private enum Part: Int { case fixed, extraLength, extra, name, comment, checksum, done }
  private static let flags: [UInt8] = [0, 4, 4, 8, 16, 2, 0]

  private var bytes: [UInt8] = []
  private var part = Part.fixed
  /// Where the current part begins.
  private var start = 0
  private var extraBytes = 0

  /// Takes bytes from the front of `input` until the header ends; true once it has. Throws where it is none.
  mutating func take(_ input: inout UnsafeRawBufferPointer) throws(FrameFault) -> Bool {
    while true {
      if part == .done { return true }
      guard let byte = input.first else { return false }
      input = UnsafeRawBufferPointer(rebasing: input.dropFirst())
      bytes.append(byte)
      guard bytes.count <= GzipHeader.maxBytes else {
        throw FrameFault(what: "its header does not end within \(GzipHeader.maxBytes) bytes")
      }
      try advance(byte)
    }
  }

  private mutating func advance(_ byte: UInt8) throws(FrameFault) {
    let count = bytes.count - start
    switch part {
    case .fixed:
      guard count == 10 else { return }
      guard bytes[0] == 0x1f, bytes[1] == 0x8b else { throw FrameFault(what: "its header is not a gzip header") }
      guard bytes[2] == 8 else { throw FrameFault(what: "its header names an unknown compression method") }
      guard bytes[3] & 0xe0 == 0 else { throw FrameFault(what: "its header has flags that nobody has defined") }
    case .extraLength:
      guard count == 2 else { return }
      extraBytes = Int(bytes[start]) | Int(bytes[start + 1]) << 8
    case .extra: guard count == extraBytes else { return }
    case .name, .comment: guard byte == 0 else { return }
    case .checksum:
      guard count == 2 else { return }
      let stored = UInt32(bytes[start]) | UInt32(bytes[start + 1]) << 8
      guard crc32_gzip_refl(0, bytes, UInt64(start)) & 0xffff == stored else {
        throw FrameFault(what: "its header's checksum is not that of the header")
      }
    case .done: return
    }
    start = bytes.count
    repeat {
      part = Part(rawValue: part.rawValue + 1) ?? .done
    } while part != .done && (bytes[3] & GzipHeader.flags[part.rawValue] == 0 || (part == .extra && extraBytes == 0))
  }
}
