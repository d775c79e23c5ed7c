import ReplayCore

/// Splits SQL into tokens as SQLite does, comments among them. Everything that looks like a `;` or a name and is inside
/// quotes or a comment is left where it is.
struct SQLTokens {
  private let text: SQLText
  private var at = 0

  /// Throws `.usage` with the place where a quote or comment begins that does not end.
  static func split(_ text: SQLText) throws -> [SQLToken] {
    var splitter = SQLTokens(text: text)
    var tokens: [SQLToken] = []
    while let token = try splitter.next() { tokens.append(token) }
    return tokens
  }

  private init(text: SQLText) { self.text = text }

  private func byte(_ ahead: Int = 0) -> UInt8? {
    at + ahead < text.bytes.count ? text.bytes[at + ahead] : nil
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    byte | 32 >= 97 && byte | 32 <= 122 || byte == UInt8(ascii: "_") || byte >= 128
  }
  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }
  private static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte >= 9 && byte <= 13 }

  private mutating func next() throws -> SQLToken? {
    while let byte = byte(), SQLTokens.isSpace(byte) { at += 1 }
    guard let first = byte() else { return nil }
    let start = at
    let kind = try take(first)
    return SQLToken(kind: kind, range: start..<at, text: text.text(start..<at))
  }

  private mutating func take(_ first: UInt8) throws -> SQLToken.Kind {
    switch first {
    case UInt8(ascii: "-") where byte(1) == UInt8(ascii: "-"):
      while let byte = byte(), byte != 10 { at += 1 }
      return .line
    case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "*"):
      try takeComment()
      return .comment
    case UInt8(ascii: "'"):
      try takeQuoted(by: first, "a string")
      return .string
    case UInt8(ascii: "\""), UInt8(ascii: "`"):
      try takeQuoted(by: first, "a name in quotes")
      return .name
    case UInt8(ascii: "["):
      try takeBracketed()
      return .name
    case UInt8(ascii: "x"), UInt8(ascii: "X"):
      guard byte(1) == UInt8(ascii: "'") else { break }
      at += 1
      try takeQuoted(by: UInt8(ascii: "'"), "a blob")
      return .blob
    default: break
    }
    if SQLTokens.isLetter(first) {
      takeWhile { SQLTokens.isLetter($0) || SQLTokens.isDigit($0) || $0 == UInt8(ascii: "$") }
      return .word
    }
    if SQLTokens.isDigit(first) {
      takeWhile { SQLTokens.isLetter($0) || SQLTokens.isDigit($0) || $0 == UInt8(ascii: ".") }
      return .number
    }
    at += 1
    return .sign
  }

  private mutating func takeWhile(_ belongs: (UInt8) -> Bool) {
    while let byte = byte(), belongs(byte) { at += 1 }
  }

  private mutating func takeComment() throws {
    let start = at
    at += 2
    while let byte = byte() {
      at += 1
      if byte == UInt8(ascii: "*"), self.byte() == UInt8(ascii: "/") {
        at += 1
        return
      }
    }
    throw text.error(at: start, "a comment that does not end")
  }

  /// A quote twice is one that belongs to the text.
  private mutating func takeQuoted(by quote: UInt8, _ what: String) throws {
    let start = at
    at += 1
    while let byte = byte() {
      at += 1
      guard byte == quote else { continue }
      if self.byte() != quote { return }
      at += 1
    }
    throw text.error(at: start, "\(what) that does not end")
  }

  private mutating func takeBracketed() throws {
    let start = at
    while let byte = byte() {
      at += 1
      if byte == UInt8(ascii: "]") { return }
    }
    throw text.error(at: start, "a name in brackets that does not end")
  }
}
