/// The project's one hash of bytes: stable across machines, versions and runs, because lanes, key-hash ranges and
/// checkpoints depend on it. Never `Hasher`, which is seeded anew in each process.
///
/// Definition: the bytes are read as little-endian 64-bit words, the last one padded with zero bytes. The state begins
/// as `count × M0`; each word `w` makes it `fold((state ⊕ w) × M1)`, where `fold` is the exclusive-or of the 128-bit
/// product's halves; the result is `fold((state ⊕ M2) × M3)`. (Multiply-and-fold, after Wang Yi's wyhash.)
public enum KeyHash {
  @usableFromInline static let m0: UInt64 = 0xa076_1d64_78bd_642f
  @usableFromInline static let m1: UInt64 = 0xe703_7ed1_a0b4_28db
  @usableFromInline static let m2: UInt64 = 0x8ebc_6af0_9c88_c6e3
  @usableFromInline static let m3: UInt64 = 0x5899_65cc_7537_4cc3

  @inlinable static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }

  /// The hash of `text`'s bytes.
  @inlinable public static func hash(_ text: Text) -> UInt64 {
    var state = UInt64(truncatingIfNeeded: text.count) &* m0
    var offset = 0
    while offset + 8 <= text.count {
      let word = text.start.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      state = fold(state ^ UInt64(littleEndian: word), m1)
      offset += 8
    }
    if offset < text.count { state = fold(state ^ text.word(at: offset), m1) }
    return fold(state ^ m2, m3)
  }

  /// The hash of one number.
  @inlinable public static func hash(_ number: UInt64) -> UInt64 { fold(fold(number ^ m0, m1) ^ m2, m3) }

  /// The hash of a composite key, from its parts' hashes in order.
  @inlinable public static func combine(_ a: UInt64, _ b: UInt64) -> UInt64 { fold(a ^ m2, b ^ m3) }
}
