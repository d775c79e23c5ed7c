import CISAL
import ReplayCore

/// CRC-64 (ECMA-182, reflected) of a file's compressed bytes: tells whether a file is still the one that was settled.
public struct Digest: Sendable {
  public private(set) var value: UInt64 = 0

  public init() {}

  /// Of the first `count` bytes that the reader gives, or of all where there are fewer.
  public init(first count: UInt64, of reader: any SegmentReader) throws {
    var left = count
    while left > 0 {
      let bytes = try reader.next()
      if bytes.isEmpty { break }
      add(UnsafeRawBufferPointer(rebasing: bytes.prefix(Int(clamping: left))))
      left -= min(left, UInt64(bytes.count))
    }
  }

  public mutating func add(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
    value = replay_crc64(value, start.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
  }
}
