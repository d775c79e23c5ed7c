import ReplayCore

/// Bytes of JSON, written one after another.
struct JSONWriter {
  private(set) var bytes: [UInt8] = []

  mutating func raw(_ text: StaticString) {
    bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }
  mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }
  mutating func raw(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

  /// A JSON string; bytes that are no UTF-8 become U+FFFD, since JSON has no other way.
  mutating func string(_ text: Text) { quoted(String(text).utf8) }
  mutating func string(_ text: String) { quoted(text.utf8) }

  private mutating func quoted(_ utf8: String.UTF8View) {
    bytes.append(UInt8(ascii: "\""))
    for byte in utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      case 0x0a: raw("\\n")
      case 0x0d: raw("\\r")
      case 0x09: raw("\\t")
      case 0..<0x20:
        raw("\\u00")
        bytes.append(JSONWriter.hexDigits[Int(byte >> 4)])
        bytes.append(JSONWriter.hexDigits[Int(byte & 15)])
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  static let hexDigits = Array("0123456789abcdef".utf8)
  private static let base64Digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// The bytes in base64 (RFC 4648, with padding), between quotes.
  mutating func base64(_ text: Text) {
    let source = text.bytes
    let whole = source.count / 3 * 3
    bytes.append(UInt8(ascii: "\""))
    bytes.reserveCapacity(bytes.count + (source.count + 2) / 3 * 4 + 1)
    JSONWriter.base64Digits.withUnsafeBufferPointer { digits in
      for place in stride(from: 0, to: whole, by: 3) {
        let word = UInt32(source[place]) << 16 | UInt32(source[place + 1]) << 8 | UInt32(source[place + 2])
        for shift in stride(from: UInt32(18), through: 0, by: -6) { bytes.append(digits[Int(word >> shift & 63)]) }
      }
      let left = source.count - whole
      guard left > 0 else { return }
      let word = UInt32(source[whole]) << 16 | (left == 2 ? UInt32(source[whole + 1]) << 8 : 0)
      bytes.append(digits[Int(word >> 18 & 63)])
      bytes.append(digits[Int(word >> 12 & 63)])
      bytes.append(left == 2 ? digits[Int(word >> 6 & 63)] : UInt8(ascii: "="))
      bytes.append(UInt8(ascii: "="))
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// Payload bytes as one JSON value on one line: line ends, which JSON has only between tokens, become spaces.
  mutating func oneLine(_ payload: Text) {
    guard payload.count > 0 else { return raw("null") }
    for byte in payload.bytes { bytes.append(byte == 0x0a || byte == 0x0d ? 0x20 : byte) }
  }
}

extension JSONValue {
  /// The value as JSON text, without white space.
  var text: String {
    switch self {
    case .null: return "null"
    case .boolean(let value): return value ? "true" : "false"
    case .number(let text): return text
    case .string(let text): return JSONValue.quoted(text)
    case .array(let elements): return "[" + elements.map(\.text).joined(separator: ",") + "]"
    case .object(let members):
      return "{" + members.map { JSONValue.quoted($0.name) + ":" + $0.value.text }.joined(separator: ",") + "}"
    }
  }

  private static func quoted(_ text: String) -> String {
    var writer = JSONWriter()
    writer.string(text)
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
