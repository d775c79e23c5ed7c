import ReplayCore

/// The grammar of RFC 8259, byte by byte: slow and exact. Needs no stack of its own, however deep the text is.
struct JSONGrammar {
  private let text: Text
  private var place = 0
  /// The opening brackets around the current place.
  private var open: [UInt8] = []

  private init(_ text: Text) { self.text = text }

  /// The first fault; nil where the text is one JSON value. UTF-8 is not looked at.
  static func fault(in text: Text) -> JSONFault? {
    var grammar = JSONGrammar(text)
    do { try grammar.walk() } catch { return error }
    return nil
  }

  private mutating func walk() throws(JSONFault) {
    repeat {
      skipSpace()
      if try beginsContainer() { continue }
      if try !endsContainers() { return }
    } while true
  }

  /// Reads a scalar or an opening bracket; true where a value must follow at once.
  private mutating func beginsContainer() throws(JSONFault) -> Bool {
    switch peek {
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      let bracket = text[place]
      place += 1
      skipSpace()
      if peek == bracket + 2 {
        place += 1
        return false
      }
      open.append(bracket)
      if bracket == UInt8(ascii: "{") { try name() }
      return true
    case UInt8(ascii: "\""): try string()
    case UInt8(ascii: "t"): try literal("true")
    case UInt8(ascii: "f"): try literal("false")
    case UInt8(ascii: "n"): try literal("null")
    default: try number()
    }
    return false
  }

  /// Reads what may follow a value: closing brackets, then a comma (true) or the end (false).
  private mutating func endsContainers() throws(JSONFault) -> Bool {
    while let inner = open.last {
      skipSpace()
      if peek == inner + 2 {
        place += 1
        open.removeLast()
        continue
      }
      guard peek == UInt8(ascii: ",") else { throw fault("a comma or the closing bracket") }
      place += 1
      if inner == UInt8(ascii: "{") {
        skipSpace()
        try name()
      }
      return true
    }
    skipSpace()
    guard place == text.count else { throw fault("the end of the record") }
    return false
  }

  private mutating func name() throws(JSONFault) {
    guard peek == UInt8(ascii: "\"") else { throw fault("a member's name in quotes") }
    try string()
    skipSpace()
    guard peek == UInt8(ascii: ":") else { throw fault("a colon") }
    place += 1
  }

  private mutating func string() throws(JSONFault) {
    place += 1
    while place < text.count {
      switch text[place] {
      case UInt8(ascii: "\""):
        place += 1
        return
      case UInt8(ascii: "\\"): try escape()
      case 0..<0x20: throw fault("an escaped control character")
      default: place += 1
      }
    }
    throw fault("the string's closing quote")
  }

  private mutating func escape() throws(JSONFault) {
    let code = place + 1 < text.count ? text[place + 1] : 0
    if code == UInt8(ascii: "u") {
      let unit = try hexUnit()
      if (0xdc00...0xdfff).contains(unit) { throw fault("a high surrogate before this one") }
      guard (0xd800...0xdbff).contains(unit) else { return }
      let low = try hexUnit()
      guard (0xdc00...0xdfff).contains(low) else { throw fault("a low surrogate") }
    } else {
      guard "\"\\/bfnrt".utf8.contains(code) else { throw fault("an escape that JSON knows") }
      place += 2
    }
  }

  /// Reads `\u` and four hexadecimal digits.
  private mutating func hexUnit() throws(JSONFault) -> UInt32 {
    guard place + 6 <= text.count, text[place] == UInt8(ascii: "\\"), text[place + 1] == UInt8(ascii: "u") else {
      throw fault("\\u and four hexadecimal digits")
    }
    var value: UInt32 = 0
    for offset in place + 2..<place + 6 {
      guard let digit = Character(UnicodeScalar(text[offset])).hexDigitValue, text[offset] < 0x80 else {
        throw fault("four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
    }
    place += 6
    return value
  }

  private mutating func number() throws(JSONFault) {
    let start = place
    if peek == UInt8(ascii: "-") { place += 1 }
    let first = peek
    guard digits() > 0 else {
      if place == start { throw fault("a JSON value") }
      throw fault("a digit")
    }
    if first == UInt8(ascii: "0"), place > start + (text[start] == UInt8(ascii: "-") ? 2 : 1) {
      throw fault("a number without leading zeros")
    }
    if peek == UInt8(ascii: ".") {
      place += 1
      guard digits() > 0 else { throw fault("a digit behind the point") }
    }
    if let code = peek, code | 32 == UInt8(ascii: "e") {
      place += 1
      if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { place += 1 }
      guard digits() > 0 else { throw fault("a digit in the exponent") }
    }
  }

  private mutating func digits() -> Int {
    let start = place
    while let byte = peek, byte &- 48 < 10 { place += 1 }
    return place - start
  }

  private mutating func literal(_ word: StaticString) throws(JSONFault) {
    let count = word.utf8CodeUnitCount
    let end = place + count
    guard end <= text.count, Text(start: text.start + place, count: count) == word else { throw fault("\(word)") }
    place = end
  }

  private var peek: UInt8? { place < text.count ? text[place] : nil }

  private mutating func skipSpace() {
    while let byte = peek, byte == 32 || byte == 10 || byte == 13 || byte == 9 { place += 1 }
  }

  private func fault(_ expected: String) -> JSONFault { JSONFault(byteOffset: place, expected: expected) }
}
