/// The order of names as a person means it: runs of digits count as numbers, so `9` comes before `10`.
public enum NaturalOrder {
  private typealias Bytes = UnsafeBufferPointer<UInt8>

  /// A strict total order: numbers by value whatever their length, everything else byte by byte, `/` before all else.
  /// Names that differ only in padding (`7`, `07`) fall back to byte order.
  public static func precedes(_ a: String, _ b: String) -> Bool {
    var (left, right) = (a, b)
    return left.withUTF8 { left in
      right.withUTF8 { right in
        let order = compare(left, right)
        return order == 0 ? left.lexicographicallyPrecedes(right) : order < 0
      }
    }
  }

  /// Negative, zero or positive as `a` comes before, beside or after `b`; padding does not count.
  private static func compare(_ a: Bytes, _ b: Bytes) -> Int {
    var (i, j) = (0, 0)
    while i < a.count, j < b.count {
      if isDigit(a[i]), isDigit(b[j]) {
        let (x, y) = (run(a, &i), run(b, &j))
        if x.count != y.count { return x.count - y.count }
        for (p, q) in zip(x, y) where p != q { return Int(p) - Int(q) }
      } else {
        let (p, q) = (rank(a[i]), rank(b[j]))
        if p != q { return p - q }
        i += 1
        j += 1
      }
    }
    return (a.count - i) - (b.count - j)
  }

  /// The digits from `index` on, without leading zeros; moves `index` past them.
  private static func run(_ bytes: Bytes, _ index: inout Int) -> Slice<Bytes> {
    let start = index
    while index < bytes.count, isDigit(bytes[index]) { index += 1 }
    return bytes[start..<index].drop { $0 == UInt8(ascii: "0") }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

  /// A digit ranks as one class, so that the order stays transitive where a number meets a letter.
  private static func rank(_ byte: UInt8) -> Int {
    if byte == UInt8(ascii: "/") { return -1 }
    return isDigit(byte) ? Int(UInt8(ascii: "0")) : Int(byte)
  }
}
