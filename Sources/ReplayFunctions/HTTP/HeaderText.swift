/// Text as the value of a header.
enum HeaderText {
  /// As CloudEvents over HTTP asks: a space, a double quote, a percent sign and what is no printable ASCII are encoded byte
  /// by byte.
  static func encoded(_ text: String) -> String { encoded(text) { $0 > 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x25 } }

  /// Encodes only what no header may hold.
  static func printable(_ text: String) -> String { encoded(text) { $0 >= 0x20 && $0 < 0x7f } }

  private static func encoded(_ text: String, unless isPlain: (UInt8) -> Bool) -> String {
    if text.utf8.allSatisfy(isPlain) { return text }
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      if isPlain(byte) {
        bytes.append(byte)
      } else {
        bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// RFC 4648, with its padding.
enum Base64 {
  static func decode(_ text: String) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count % 4 == 0 else { return nil }
    let padding = digits.reversed().prefix { $0 == UInt8(ascii: "=") }.count
    guard padding <= 2 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 4 * 3)
    var word: UInt32 = 0
    for (place, digit) in digits.enumerated() {
      let value: UInt32
      switch digit {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = UInt32(digit) - 65
      case UInt8(ascii: "a")...UInt8(ascii: "z"): value = UInt32(digit) - 97 + 26
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = UInt32(digit) - 48 + 52
      case UInt8(ascii: "+"): value = 62
      case UInt8(ascii: "/"): value = 63
      case UInt8(ascii: "=") where place >= digits.count - padding: value = 0
      default: return nil
      }
      word = word << 6 | value
      guard place % 4 == 3 else { continue }
      for shift: UInt32 in [16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
      word = 0
    }
    bytes.removeLast(padding)
    return bytes
  }
}
