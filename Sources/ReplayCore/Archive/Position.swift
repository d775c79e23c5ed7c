/// A whole number of up to 192 bits: wide enough for a Kinesis sequence number (56 decimal digits, 187 bits).
public struct WideNumber: Hashable, Comparable, Sendable {
  public var high: UInt64
  public var middle: UInt64
  public var low: UInt64

  @inlinable public init(high: UInt64 = 0, middle: UInt64 = 0, low: UInt64) {
    self.high = high
    self.middle = middle
    self.low = low
  }

  @inlinable public static func < (a: WideNumber, b: WideNumber) -> Bool {
    if a.high != b.high { return a.high < b.high }
    if a.middle != b.middle { return a.middle < b.middle }
    return a.low < b.low
  }

  /// Numbers above 191 bits are nobody's: what is read from names, stores and arguments is held to this, so that a
  /// successor always exists.
  public var isInRange: Bool { high < 1 << 63 }

  /// The sum; traps on overflow of 192 bits, which `isInRange` keeps away.
  public func advanced(by count: UInt64) -> WideNumber {
    let (low, carry) = low.addingReportingOverflow(count)
    guard carry else { return WideNumber(high: high, middle: middle, low: low) }
    let (middle, carried) = middle.addingReportingOverflow(1)
    return WideNumber(high: carried ? high + 1 : high, middle: middle, low: low)
  }

  /// One less; nil of zero.
  public var predecessor: WideNumber? { reduced(by: 1) }

  /// The difference; nil where it would be negative.
  public func reduced(by count: UInt64) -> WideNumber? {
    let (low, borrows) = low.subtractingReportingOverflow(count)
    guard borrows else { return WideNumber(high: high, middle: middle, low: low) }
    if middle > 0 { return WideNumber(high: high, middle: middle - 1, low: low) }
    return high > 0 ? WideNumber(high: high - 1, middle: .max, low: low) : nil
  }

  /// `self - other` where it fits 64 bits; nil where it does not, or is negative.
  public func distance(from other: WideNumber) -> UInt64? {
    guard self >= other else { return nil }
    guard high == other.high, middle == other.middle else { return nil }
    return low - other.low
  }
}

/// Place of an event within one partition: the source's own number (a Kafka offset, a Kinesis sequence number) and a
/// sub-index (a record inside an aggregated one, a line in a file that has no numbers).
///
/// A stored position always means *the next event to read*. The successor of `(n, i)` is `(n, i + 1)`: so "after n" and
/// "next to read" are one convention, also where the source's numbers have gaps.
public struct Position: Hashable, Comparable, Sendable {
  public var number: WideNumber
  public var index: UInt64

  @inlinable public init(number: WideNumber, index: UInt64 = 0) {
    self.number = number
    self.index = index
  }

  @inlinable public init(_ number: UInt64, index: UInt64 = 0) {
    self.init(number: WideNumber(low: number), index: index)
  }

  public static let zero = Position(0)

  @inlinable public static func < (a: Position, b: Position) -> Bool {
    a.number != b.number ? a.number < b.number : a.index < b.index
  }

  /// The next position to read after this one.
  public var successor: Position { Position(number: number, index: index + 1) }
}

extension Position: CustomStringConvertible {
  /// `412`, or `7:23` where the sub-index counts (number 7, sub-index 23). Numbers above 64 bits are hexadecimal.
  public var description: String { index == 0 ? "\(number)" : "\(number):\(index)" }
}

extension WideNumber: CustomStringConvertible {
  public var description: String {
    guard high != 0 || middle != 0 else { return String(low) }
    return "0x" + fixedWidthHex.drop { $0 == "0" }
  }

  /// 48 hexadecimal digits: sorts as text as the number sorts.
  public var fixedWidthHex: String {
    func digits(_ word: UInt64) -> String {
      let text = String(word, radix: 16)
      return String(repeating: "0", count: 16 - text.count) + text
    }
    return digits(high) + digits(middle) + digits(low)
  }
}

extension Position {
  /// The form a store keeps: 64 hexadecimal digits (number, sub-index), so that text order is position order.
  public var stored: String { number.fixedWidthHex + Position.hex16(index) }

  /// Reads `stored` back; nil when the text is anything else.
  public init?(stored text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 64 else { return nil }
    var words: [UInt64] = []
    for start in stride(from: 0, to: 64, by: 16) {
      guard let word = UInt64(String(decoding: bytes[start..<start + 16], as: UTF8.self), radix: 16) else { return nil }
      words.append(word)
    }
    self.init(number: WideNumber(high: words[0], middle: words[1], low: words[2]), index: words[3])
    guard number.isInRange, index < 1 << 63 else { return nil }
  }

  private static func hex16(_ word: UInt64) -> String {
    let text = String(word, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}
