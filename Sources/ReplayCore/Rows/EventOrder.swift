/// Where an event stands among others that write the same column, as bytes that sort as the events do: first the order
/// value that the function gave, then log, partition and position, because positions of different partitions are not
/// comparable. So two different events never tie, and what wins does not depend on how they were read.
///
/// Layout: the order value as 16 bytes, big-endian, its sign bit turned; the log's UTF-8 and a zero byte; the length of
/// the partition's id as two bytes and the id; the position as 32 bytes, big-endian.
public enum EventOrder {
  /// The bytes' length for events of this partition.
  @inlinable static func byteCount(_ partition: Partition) -> Int {
    16 + partition.log.utf8.count + 3 + partition.id.count + 32
  }

  /// The order value that the bytes begin with.
  @inlinable static func value(at bytes: UnsafeRawPointer) -> Int128 {
    let high = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)) ^ (1 << 63)
    let low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    return Int128(Int64(bitPattern: high)) << 64 | Int128(low)
  }

  /// Writes the bytes; `to` has room for `byteCount`.
  static func write(_ value: Int128, _ partition: Partition, _ position: Position, to: UnsafeMutableRawPointer) {
    var at = to
    func put(_ word: UInt64) {
      at.storeBytes(of: word.bigEndian, as: UInt64.self)
      at += 8
    }
    put(UInt64(truncatingIfNeeded: value >> 64) ^ (1 << 63))
    put(UInt64(truncatingIfNeeded: value))
    for byte in partition.log.utf8 {
      at.storeBytes(of: byte, as: UInt8.self)
      at += 1
    }
    at.storeBytes(of: 0, as: UInt8.self)
    at.storeBytes(of: UInt8(truncatingIfNeeded: partition.id.count >> 8), toByteOffset: 1, as: UInt8.self)
    at.storeBytes(of: UInt8(truncatingIfNeeded: partition.id.count), toByteOffset: 2, as: UInt8.self)
    at += 3
    for byte in partition.id {
      at.storeBytes(of: byte, as: UInt8.self)
      at += 1
    }
    put(position.number.high)
    put(position.number.middle)
    put(position.number.low)
    put(position.index)
  }
}
