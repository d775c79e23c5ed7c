import CISAL

/// CRC-64 (ECMA-182, reflected) of a file's compressed bytes: tells whether a file is still the one that was settled.
public struct Digest: Sendable {
  public private(set) var value: UInt64 = 0

  public init() {}

  public mutating func add(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
    value = replay_crc64(value, start.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
  }
}
