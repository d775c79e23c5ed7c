/// The value of a list column: its elements as JSON tokens, in the column's order. A set is sorted (texts by their
/// token's bytes, numbers by value); recent values have an order each, the greatest first.
public struct MergedList: Equatable, Sendable {
  public private(set) var elements: [[UInt8]] = []
  /// `EventOrder` bytes, one for each element; none in a set.
  public private(set) var orders: [[UInt8]] = []

  /// A set would hold more distinct values than its limit.
  public struct Full: Error, CustomStringConvertible {
    public let column: String
    public let limit: Int
    public var description: String { "the column \(column) would hold more than its limit of \(limit) distinct values" }
  }

  public init() {}

  /// Reads back what `json` and `ordersJSON` wrote; nil where the texts are anything else.
  public init?(json: Text, orders: Text? = nil) {
    guard let tokens = MergedList.tokens(of: json) else { return nil }
    elements = tokens
    guard let orders else { return }
    guard let words = MergedList.tokens(of: orders), words.count == tokens.count else { return nil }
    for word in words {
      guard let bytes = HexBytes.read(word.dropFirst().dropLast()), word.first == UInt8(ascii: "\"") else { return nil }
      self.orders.append(bytes)
    }
  }

  public var json: [UInt8] { MergedList.array(elements) }
  public var ordersJSON: [UInt8] {
    MergedList.array(orders.map { [UInt8(ascii: "\"")] + HexBytes.text($0) + [UInt8(ascii: "\"")] })
  }

  /// Puts the element in its place among the others by its order; what is then behind `limit` goes.
  mutating func keep(_ element: () -> [UInt8], order: [UInt8], limit: Int) {
    if orders.count == limit, let last = orders.last, !last.lexicographicallyPrecedes(order) { return }
    var place = 0
    while place < orders.count, order.lexicographicallyPrecedes(orders[place]) { place += 1 }
    if place < orders.count, orders[place] == order { return }
    elements.insert(element(), at: place)
    orders.insert(order, at: place)
    if orders.count > limit {
      elements.removeLast()
      orders.removeLast()
    }
  }

  /// Adds the element where it is not there yet; false where there is no room for it.
  mutating func insert(_ element: [UInt8], limit: Int) -> Bool {
    var (low, high) = (0, elements.count)
    while low < high {
      let middle = (low + high) / 2
      if MergedList.precedes(elements[middle], element) { low = middle + 1 } else { high = middle }
    }
    if low < elements.count, elements[low] == element { return true }
    guard elements.count < limit else { return false }
    elements.insert(element, at: low)
    return true
  }

  /// Merges another list of the same column into this one; false where a set has no room for all.
  public mutating func merge(_ other: MergedList, by merge: Merge) -> Bool {
    switch merge {
    case .recent(let limit):
      for (element, order) in zip(other.elements, other.orders) { keep({ element }, order: order, limit: limit) }
      return true
    case .union(let limit): return other.elements.allSatisfy { insert($0, limit: limit) }
    default: return true
    }
  }

  private static func precedes(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    if a.first == UInt8(ascii: "\"") { return a.lexicographicallyPrecedes(b) }
    let minus = UInt8(ascii: "-")
    if (a.first == minus) != (b.first == minus) { return a.first == minus }
    let isLess = a.count != b.count ? a.count < b.count : a.lexicographicallyPrecedes(b)
    return a.first == minus ? !isLess && a != b : isLess
  }

  private static func array(_ tokens: [[UInt8]]) -> [UInt8] {
    [UInt8(ascii: "[")] + tokens.joined(separator: CollectionOfOne(UInt8(ascii: ","))) + [UInt8(ascii: "]")]
  }

  /// The tokens of a JSON array of strings and numbers without white space.
  private static func tokens(of text: Text) -> [[UInt8]]? {
    let bytes = Array(text.bytes)
    guard bytes.first == UInt8(ascii: "["), bytes.last == UInt8(ascii: "]"), bytes.count >= 2 else { return nil }
    var tokens: [[UInt8]] = []
    var (start, at, isString) = (1, 1, false)
    while at < bytes.count - 1 {
      if isString, bytes[at] == UInt8(ascii: "\\") {
        at += 1
      } else if bytes[at] == UInt8(ascii: "\"") {
        isString.toggle()
      } else if !isString, bytes[at] == UInt8(ascii: ",") {
        tokens.append(Array(bytes[start..<at]))
        start = at + 1
      }
      at += 1
    }
    guard !isString, at == bytes.count - 1 else { return nil }
    if bytes.count > 2 { tokens.append(Array(bytes[start..<at])) }
    return tokens.allSatisfy { !$0.isEmpty } ? tokens : nil
  }
}

/// Bytes as hexadecimal digits.
enum HexBytes {
  static func text(_ bytes: [UInt8]) -> [UInt8] {
    let digits = Array("0123456789abcdef".utf8)
    return bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
  }

  static func read(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    var high: UInt8?
    for digit in digits {
      let value = digit >= 97 ? digit &- 87 : digit &- 48
      guard value < 16 else { return nil }
      if let first = high { bytes.append(first << 4 | value) }
      high = high == nil ? value : nil
    }
    return bytes
  }
}

/// One value as a JSON token.
enum JSONToken {
  static func of(_ cell: Cell, _ type: ColumnType) -> [UInt8] {
    switch type {
    case .text, .json, .bytes: cell.withText { quoted($0.bytes) }
    case .integer, .decimal: Array("\(cell.number)".utf8)
    case .day: Array("\"\(Day(number: Int64(truncatingIfNeeded: cell.number)))\"".utf8)
    case .timestamp: Array("\"\(Timestamp(microseconds: Int64(truncatingIfNeeded: cell.number)))\"".utf8)
    }
  }

  private static func quoted(_ text: UnsafeRawBufferPointer) -> [UInt8] {
    var token = [UInt8(ascii: "\"")]
    for byte in text {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): token += [UInt8(ascii: "\\"), byte]
      case 10: token += Array("\\n".utf8)
      case 9: token += Array("\\t".utf8)
      case 13: token += Array("\\r".utf8)
      case 0..<32: token += Array("\\u00".utf8) + HexBytes.text([byte])
      default: token.append(byte)
      }
    }
    return token + [UInt8(ascii: "\"")]
  }
}
