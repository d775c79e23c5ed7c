#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A set of texts that are compared byte by byte. It is asked for every event: a look-up allocates nothing.
public struct TextSet: Sendable {
  /// The texts one behind the other, in byte order and each once, and where each begins; one entry more for the end.
  private let bytes: [UInt8]
  private let starts: [Int]
  /// For each place of an open table the number of its text, from 1; 0 where it is free. A power of two, at most half full.
  private let slots: [UInt32]
  /// Of the sorted texts: another set has another one, but for one chance in 2^64 (`KeyHash`).
  public let digest: UInt64

  /// At most 2^31 texts.
  public init(_ texts: some Sequence<[UInt8]>) {
    var bytes: [UInt8] = []
    var starts = [0]
    var last: [UInt8]?
    for text in texts.sorted(by: { $0.lexicographicallyPrecedes($1) }) where text != last {
      bytes += text
      starts.append(bytes.count)
      last = text
    }
    let count = starts.count - 1
    precondition(count < 1 << 31, "a set of texts has at most 2^31")
    var size = 2
    while size < 2 * count { size *= 2 }
    var slots = [UInt32](repeating: 0, count: size)
    var digest = KeyHash.hash(UInt64(count))
    bytes.withUnsafeBytes { buffer in
      for place in 0..<count {
        let hash = KeyHash.hash(Text(UnsafeRawBufferPointer(rebasing: buffer[starts[place]..<starts[place + 1]])))
        digest = KeyHash.combine(digest, hash)
        var slot = Int(truncatingIfNeeded: hash) & (size - 1)
        while slots[slot] != 0 { slot = (slot + 1) & (size - 1) }
        slots[slot] = UInt32(place + 1)
      }
    }
    (self.bytes, self.starts, self.slots, self.digest) = (bytes, starts, slots, digest)
  }

  public init(_ texts: some Sequence<String>) { self.init(texts.map { Array($0.utf8) }) }

  public var count: Int { starts.count - 1 }
  public var isEmpty: Bool { count == 0 }

  /// In byte order.
  public var strings: [String] {
    (0..<count).map { String(decoding: bytes[starts[$0]..<starts[$0 + 1]], as: UTF8.self) }
  }

  public func contains(_ text: Text) -> Bool {
    bytes.withUnsafeBytes { buffer in
      var slot = Int(truncatingIfNeeded: KeyHash.hash(text)) & (slots.count - 1)
      while slots[slot] != 0 {
        let place = Int(slots[slot]) - 1
        let (start, end) = (starts[place], starts[place + 1])
        if end - start == text.count, text == Text(UnsafeRawBufferPointer(rebasing: buffer[start..<end])) {
          return true
        }
        slot = (slot + 1) & (slots.count - 1)
      }
      return false
    }
  }
}

extension TextSet: Hashable {
  public static func == (a: TextSet, b: TextSet) -> Bool { a.bytes == b.bytes && a.starts == b.starts }
  public func hash(into hasher: inout Hasher) { hasher.combine(digest) }
}
