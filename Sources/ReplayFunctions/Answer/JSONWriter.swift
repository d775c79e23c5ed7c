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
  mutating func string(_ text: Text) {
    // Nearly always: every event has some, and a look at each byte by itself is most of what making an event costs.
    guard text.bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x80 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") })
    else {
      return string(String(text))
    }
    bytes.append(UInt8(ascii: "\""))
    bytes.append(contentsOf: text.bytes)
    bytes.append(UInt8(ascii: "\""))
  }

  mutating func string(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
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
  /// Two digits for each twelve bits, the first one in the low byte.
  private static let base64Pairs: [UInt16] = (0..<4096).map { bits in
    UInt16(base64Digits[bits >> 6]) | UInt16(base64Digits[bits & 63]) << 8
  }

  /// The bytes in base64 (RFC 4648, with padding), between quotes.
  mutating func base64(_ text: Text) {
    let source = text.bytes
    let start = bytes.count
    bytes.append(contentsOf: repeatElement(UInt8(ascii: "\""), count: (source.count + 2) / 3 * 4 + 2))
    bytes.withUnsafeMutableBytes { all in
      JSONWriter.base64Pairs.withUnsafeBufferPointer { pairs in
        JSONWriter.encode(source, into: UnsafeMutableRawBufferPointer(rebasing: all[(start + 1)...]), pairs)
      }
    }
  }

  private static func encode(
    _ source: UnsafeRawBufferPointer, into out: UnsafeMutableRawBufferPointer, _ pairs: UnsafeBufferPointer<UInt16>
  ) {
    let whole = source.count / 3 * 3
    var to = 0
    for from in stride(from: 0, to: whole, by: 3) {
      let word = Int(source[from]) << 16 | Int(source[from + 1]) << 8 | Int(source[from + 2])
      out.storeBytes(of: pairs[word >> 12].littleEndian, toByteOffset: to, as: UInt16.self)
      out.storeBytes(of: pairs[word & 0xfff].littleEndian, toByteOffset: to + 2, as: UInt16.self)
      to += 4
    }
    let left = source.count - whole
    guard left > 0 else { return }
    let word = Int(source[whole]) << 16 | (left == 2 ? Int(source[whole + 1]) << 8 : 0)
    out.storeBytes(of: pairs[word >> 12].littleEndian, toByteOffset: to, as: UInt16.self)
    out[to + 2] = left == 2 ? UInt8(truncatingIfNeeded: pairs[word & 0xfff]) : UInt8(ascii: "=")
    out[to + 3] = UInt8(ascii: "=")
  }

  /// Payload bytes as one JSON value on one line: line ends, which JSON has only between tokens, become spaces.
  mutating func oneLine(_ payload: Text) {
    guard payload.count > 0 else { return raw("null") }
    let start = bytes.count
    bytes.append(contentsOf: payload.bytes)
    guard payload.bytes.contains(where: { $0 == 0x0a || $0 == 0x0d }) else { return }
    for place in start..<bytes.count where bytes[place] == 0x0a || bytes[place] == 0x0d { bytes[place] = 0x20 }
  }

  mutating func reserve(_ count: Int) { bytes.reserveCapacity(count) }
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
