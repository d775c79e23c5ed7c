#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Borrowed UTF-8 bytes: a value of the current batch, or of a row. Valid only until the call that lent it returns;
/// make a `String` of it to keep it.
///
/// Holds an unsafe pointer because a `String` or an array per event would cost an allocation per event.
@frozen public struct Text {
  public let start: UnsafeRawPointer
  public let count: Int

  @inlinable public init(start: UnsafeRawPointer, count: Int) {
    self.start = start
    self.count = count
  }

  @inlinable public init(_ bytes: UnsafeRawBufferPointer) {
    self.init(start: bytes.baseAddress ?? Text.nothing, count: bytes.count)
  }

  /// The address an empty text points at; never read.
  @usableFromInline static var nothing: UnsafeRawPointer { UnsafeRawPointer(bitPattern: 8).unsafelyUnwrapped }

  public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

  @inlinable public subscript(offset: Int) -> UInt8 {
    precondition(offset < count)
    return start.load(fromByteOffset: offset, as: UInt8.self)
  }

  /// Up to eight bytes from `offset` as a little-endian word, padded with zero bytes. Reads nothing past the end.
  @inlinable func word(at offset: Int) -> UInt64 {
    let left = count - offset
    if left >= 8 { return UInt64(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
    if left >= 4 {
      let first = UInt64(UInt32(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
      let last = UInt64(UInt32(littleEndian: start.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)))
      return first | (last << UInt64((left - 4) * 8))
    }
    var word: UInt64 = 0
    for index in 0..<max(left, 0) {
      word |= UInt64(start.load(fromByteOffset: offset + index, as: UInt8.self)) << UInt64(index * 8)
    }
    return word
  }
}

extension Text: Comparable {
  @inlinable public static func == (a: Text, b: Text) -> Bool {
    a.count == b.count && memcmp(a.start, b.start, a.count) == 0
  }

  /// Byte order, the shorter first where one begins the other: SQLite's BINARY and PostgreSQL's "C" collation.
  @inlinable public static func < (a: Text, b: Text) -> Bool {
    let order = memcmp(a.start, b.start, min(a.count, b.count))
    return order != 0 ? order < 0 : a.count < b.count
  }

  @inlinable public static func == (a: Text, b: StaticString) -> Bool {
    a.count == b.utf8CodeUnitCount && memcmp(a.start, b.utf8Start, a.count) == 0
  }
}

extension Text: CustomStringConvertible {
  public var description: String { String(self) }
}

extension String {
  public init(_ text: Text) { self = String(decoding: text.bytes, as: UTF8.self) }
}
