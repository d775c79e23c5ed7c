/// One value of one row in memory: 16 bytes whatever its type, so that rows are plain memory. The column says how to
/// read it.
///
/// - integer, decimal (unscaled), timestamp (microseconds since 1970), day (days since 1970): a signed 128-bit number.
/// - text, JSON, bytes: the length in the low 32 bits; up to 12 bytes inline behind it; where there are more, the first
///   four and the address of the whole, which an `Arena` owns.
/// - NULL: the one pattern that is none of these.
@frozen public struct Cell: Hashable {
  @usableFromInline var low: UInt64
  @usableFromInline var high: UInt64

  @inlinable init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }

  @inlinable public static var null: Cell { Cell(low: 0, high: 0x8000_0000_0000_0000) }
  @inlinable public var isNull: Bool { low == 0 && high == 0x8000_0000_0000_0000 }

  @inlinable public init(number: Int128) {
    low = UInt64(truncatingIfNeeded: number)
    high = UInt64(truncatingIfNeeded: number >> 64)
  }

  @inlinable public var number: Int128 {
    (Int128(Int64(bitPattern: high)) << 64) | Int128(low)
  }

  @inlinable static var inlineLimit: Int { 12 }

  /// The cell of `text`, whose bytes are copied into `arena` where they do not fit inline.
  @inlinable public init(_ text: Text, in arena: Arena) {
    self = text.count <= Cell.inlineLimit ? Cell(inline: text) : Cell(long: text, at: arena.copy(text))
  }

  @inlinable init(inline text: Text) {
    low = UInt64(text.count) | ((text.word(at: 0) & 0xffff_ffff) << 32)
    high = text.count > 4 ? text.word(at: 4) : 0
  }

  @inlinable init(long text: Text, at address: UnsafeRawPointer) {
    low = UInt64(text.count) | ((text.word(at: 0) & 0xffff_ffff) << 32)
    high = UInt64(UInt(bitPattern: address))
  }

  @inlinable var textCount: Int { Int(low & 0xffff_ffff) }

  /// True where this cell is `text`.
  @inlinable public func equals(_ text: Text) -> Bool {
    guard text.count == textCount else { return false }
    if text.count <= Cell.inlineLimit { return self == Cell(inline: text) }
    guard low >> 32 == text.word(at: 0) & 0xffff_ffff else { return false }
    return Text(start: longAddress, count: textCount) == text
  }

  @inlinable var longAddress: UnsafeRawPointer {
    UnsafeRawPointer(bitPattern: UInt(high)).unsafelyUnwrapped
  }

  /// Lends the text of a text cell.
  @inlinable public func withText<Result>(_ body: (Text) throws -> Result) rethrows -> Result {
    if textCount > Cell.inlineLimit { return try body(Text(start: longAddress, count: textCount)) }
    let words = (low >> 32 | high << 32, high >> 32)
    return try withUnsafeBytes(of: words) { bytes in
      try body(Text(start: bytes.baseAddress.unsafelyUnwrapped, count: textCount))
    }
  }

  /// The text of the text cell at `cell`, not copied: valid while the cell stays there and its arena lives. An inline
  /// text is the twelve bytes behind the length, on the little-endian machines that Swift runs on.
  @inlinable public static func text(at cell: UnsafePointer<Cell>) -> Text {
    let count = cell.pointee.textCount
    return Text(
      start: count > Cell.inlineLimit ? cell.pointee.longAddress : UnsafeRawPointer(cell) + 4, count: count)
  }
}

/// Owns the bytes of long texts. Addresses stay valid as long as the arena lives; it only grows.
public final class Arena {
  @usableFromInline var chunks: [UnsafeMutableRawPointer] = []
  @usableFromInline var next: UnsafeMutableRawPointer
  @usableFromInline var left = 0
  public private(set) var byteCount = 0

  static let chunkBytes = 256 << 10

  public init() { next = UnsafeMutableRawPointer(mutating: Text.nothing) }

  deinit { for chunk in chunks { chunk.deallocate() } }

  /// Copies the bytes and returns where they are now.
  public func copy(_ text: Text) -> UnsafeRawPointer {
    if left < text.count { grow(to: max(text.count, Arena.chunkBytes)) }
    let address = next
    address.copyMemory(from: text.start, byteCount: text.count)
    next += text.count
    left -= text.count
    return UnsafeRawPointer(address)
  }

  /// Takes the memory of all texts back, but for a first piece that is kept for the next ones.
  func removeAll() {
    guard let first = chunks.first else { return }
    for chunk in chunks.dropFirst() { chunk.deallocate() }
    chunks = [first]
    (next, left) = (first, Arena.chunkBytes)
    byteCount = Arena.chunkBytes
  }

  private func grow(to bytes: Int) {
    let chunk = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
    chunks.append(chunk)
    next = chunk
    left = bytes
    byteCount += bytes
  }
}
