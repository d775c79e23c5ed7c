import ReplayCore

/// Reads one JSON text that a function answered, from its start to its end: RFC 8259, nothing beside it. Numbers stay the
/// text that they were, so that a decimal is exact; of an object that names a member twice the first counts, as in events.
/// Own, and not Foundation's: that makes every number a binary float.
struct JSONReader {
  /// Where the text stops being JSON.
  struct Fault: Error, Equatable {
    let byte: Int
    let expected: String
  }

  private let bytes: UnsafeRawBufferPointer
  private var place = 0
  private var depth = 0
  static let maxDepth = 128

  private init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  static func read(_ bytes: UnsafeRawBufferPointer) throws(Fault) -> JSONValue {
    var reader = JSONReader(bytes)
    reader.skipSpace()
    let value = try reader.value()
    reader.skipSpace()
    if reader.place < bytes.count { throw Fault(byte: reader.place, expected: "the end of the text") }
    return value
  }

  /// A member of an object, and where in the text its value is.
  struct Member {
    let name: String
    let value: JSONValue
    let bytes: Range<Int>
  }

  /// The members of a text that is one object; nil where it is anything else.
  static func members(of bytes: UnsafeRawBufferPointer) -> [Member]? {
    var reader = JSONReader(bytes)
    reader.skipSpace()
    guard reader.next == UInt8(ascii: "{"), let members = try? reader.members() else { return nil }
    reader.skipSpace()
    return reader.place < bytes.count ? nil : members
  }

  /// What a function answered, or why that is no answer.
  static func answer(_ body: some Sequence<UInt8>) -> Result<JSONValue, AnsweredChanges.Fault> {
    Array(body).withUnsafeBytes { bytes in
      do throws(Fault) { return .success(try read(bytes)) } catch {
        let shown = ReplayError.excerpt(Text(bytes))
        return .failure(
          AnsweredChanges.Fault("it answered no JSON: at byte \(error.byte), expected \(error.expected): \(shown)"))
      }
    }
  }

  private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { place += 1 }
  }

  private mutating func value() throws(Fault) -> JSONValue {
    switch next {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .boolean(true))
    case UInt8(ascii: "f"): return try word("false", .boolean(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case .some(0x2d), .some(0x30...0x39): return try number()
    default: throw Fault(byte: place, expected: "a JSON value")
    }
  }

  private mutating func word(_ word: StaticString, _ value: JSONValue) throws(Fault) -> JSONValue {
    let end = place + word.utf8CodeUnitCount
    guard end <= bytes.count, Text(UnsafeRawBufferPointer(rebasing: bytes[place..<end])) == word else {
      throw Fault(byte: place, expected: "a JSON value")
    }
    place = end
    return value
  }

  private mutating func take(_ byte: UInt8, _ expected: String) throws(Fault) {
    guard next == byte else { throw Fault(byte: place, expected: expected) }
    place += 1
  }

  private mutating func enter() throws(Fault) {
    depth += 1
    if depth > JSONReader.maxDepth { throw Fault(byte: place, expected: "at most \(JSONReader.maxDepth) levels") }
    place += 1
    skipSpace()
  }

  private mutating func object() throws(Fault) -> JSONValue {
    .object(try members().map { ($0.name, $0.value) })
  }

  private mutating func members() throws(Fault) -> [Member] {
    try enter()
    defer { depth -= 1 }
    var members: [Member] = []
    if next == UInt8(ascii: "}") {
      place += 1
      return members
    }
    while true {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw Fault(byte: place, expected: "a member's name") }
      let name = try string()
      skipSpace()
      try take(UInt8(ascii: ":"), "a colon")
      skipSpace()
      let first = place
      let value = try value()
      members.append(Member(name: name, value: value, bytes: first..<place))
      skipSpace()
      if next == UInt8(ascii: ",") {
        place += 1
        continue
      }
      try take(UInt8(ascii: "}"), "a comma or a closing brace")
      return members
    }
  }

  private mutating func array() throws(Fault) -> JSONValue {
    try enter()
    defer { depth -= 1 }
    var elements: [JSONValue] = []
    if next == UInt8(ascii: "]") {
      place += 1
      return .array(elements)
    }
    while true {
      skipSpace()
      elements.append(try value())
      skipSpace()
      if next == UInt8(ascii: ",") {
        place += 1
        continue
      }
      try take(UInt8(ascii: "]"), "a comma or a closing bracket")
      return .array(elements)
    }
  }

  private mutating func digits() throws(Fault) {
    let first = place
    while let byte = next, byte >= 0x30, byte <= 0x39 { place += 1 }
    if place == first { throw Fault(byte: place, expected: "a digit") }
  }

  private mutating func number() throws(Fault) -> JSONValue {
    let first = place
    if next == UInt8(ascii: "-") { place += 1 }
    if next == UInt8(ascii: "0") { place += 1 } else { try digits() }
    if next == UInt8(ascii: ".") {
      place += 1
      try digits()
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      place += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { place += 1 }
      try digits()
    }
    return .number(String(decoding: bytes[first..<place], as: UTF8.self))
  }

  private mutating func string() throws(Fault) -> String {
    place += 1
    let first = place
    while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { place += 1 }
    if next == UInt8(ascii: "\"") {
      defer { place += 1 }
      return try text(Array(bytes[first..<place]), from: first)
    }
    var unescaped = Array(bytes[first..<place])
    while true {
      guard let byte = next else { throw Fault(byte: place, expected: "a closing quote") }
      guard byte >= 0x20 else { throw Fault(byte: place, expected: "no control character in a string") }
      place += 1
      if byte == UInt8(ascii: "\"") { return try text(unescaped, from: first) }
      if byte == UInt8(ascii: "\\") { try unescape(into: &unescaped) } else { unescaped.append(byte) }
    }
  }

  private func text(_ utf8: [UInt8], from first: Int) throws(Fault) -> String {
    guard let text = String(validating: utf8, as: UTF8.self) else { throw Fault(byte: first, expected: "UTF-8") }
    return text
  }

  private mutating func unescape(into text: inout [UInt8]) throws(Fault) {
    let at = place - 1
    guard let byte = next else { throw Fault(byte: at, expected: "an escape") }
    place += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0c)
    case UInt8(ascii: "n"): text.append(0x0a)
    case UInt8(ascii: "r"): text.append(0x0d)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var unit = try hex(at)
      if (0xd800..<0xdc00).contains(unit) {
        guard next == UInt8(ascii: "\\"), place + 1 < bytes.count, bytes[place + 1] == UInt8(ascii: "u") else {
          throw Fault(byte: at, expected: "the other half of a surrogate pair")
        }
        place += 2
        let low = try hex(at)
        guard (0xdc00..<0xe000).contains(low) else {
          throw Fault(byte: at, expected: "the other half of a surrogate pair")
        }
        unit = 0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00)
      }
      guard let scalar = Unicode.Scalar(unit) else { throw Fault(byte: at, expected: "a Unicode character") }
      text.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
    default: throw Fault(byte: at, expected: "an escape")
    }
  }

  private mutating func hex(_ at: Int) throws(Fault) -> UInt32 {
    guard place + 4 <= bytes.count, let digits = String(validating: bytes[place..<place + 4], as: UTF8.self),
      digits.utf8.allSatisfy({ ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x66 || $0 >= 0x30 && $0 <= 0x39 }),
      let unit = UInt32(digits, radix: 16)
    else { throw Fault(byte: at, expected: "four hexadecimal digits") }
    place += 4
    return unit
  }
}

/// One value of a JSON text.
indirect enum JSONValue {
  case null
  case boolean(Bool)
  /// As it was written.
  case number(String)
  case string(String)
  case array([JSONValue])
  case object([(name: String, value: JSONValue)])

  /// The member of an object; nil where there is none, or it is no object.
  subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  var isNull: Bool { if case .null = self { true } else { false } }
  var string: String? { if case .string(let text) = self { text } else { nil } }
  var array: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
  var members: [(name: String, value: JSONValue)]? { if case .object(let members) = self { members } else { nil } }

  /// What it is, for messages.
  var kind: String {
    switch self {
    case .null: "null"
    case .boolean(let value): "\(value)"
    case .number(let text): "the number \(text)"
    case .string(let text): "the text \"\(text.prefix(60))\""
    case .array: "an array"
    case .object: "an object"
    }
  }
}
