import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Raw bytes on standard output, written in large pieces.
struct ByteOutput {
  /// Nobody reads any more: the verb ends quietly.
  struct Closed: Error {}

  private static let pieceBytes = 256 << 10
  private var buffer: [UInt8] = []

  init() { buffer.reserveCapacity(2 * ByteOutput.pieceBytes) }

  mutating func put(_ bytes: UnsafeRawBufferPointer) { buffer.append(contentsOf: bytes) }
  mutating func put(_ byte: UInt8) { buffer.append(byte) }
  mutating func put(_ text: String) { buffer.append(contentsOf: text.utf8) }

  /// The bytes without line ends. In JSON these are only ever between tokens, never in a string.
  mutating func putOnOneLine(_ bytes: UnsafeRawBufferPointer) {
    if !bytes.contains(10), !bytes.contains(13) { return put(bytes) }
    buffer.append(contentsOf: bytes.lazy.filter { $0 != 10 && $0 != 13 })
  }

  /// Writes once enough has gathered. Throws `Closed`, and `ReplayError` where the system cannot write.
  mutating func endLine() throws {
    buffer.append(10)
    if buffer.count >= ByteOutput.pieceBytes { try flush() }
  }

  mutating func flush() throws {
    defer { buffer.removeAll(keepingCapacity: true) }
    try buffer.withUnsafeBytes { bytes in
      var written = 0
      while written < bytes.count, let base = bytes.baseAddress {
        let count = write(1, base + written, bytes.count - written)
        if count < 0, errno == EINTR { continue }
        if count < 0, errno == EPIPE { throw Closed() }
        guard count > 0 else {
          throw ReplayError(.cannotCreate, "cannot write to standard output: \(String(cString: strerror(errno)))")
        }
        written += count
      }
    }
  }
}
