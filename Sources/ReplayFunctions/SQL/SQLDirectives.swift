import ReplayCore

/// What a SQL file declares in comments that begin with `-- @`: the function's name, the events it takes, the columns
/// of `events`.
struct SQLDirectives: Sendable {
  struct Column: Sendable {
    let name: String
    let type: SQLColumnType
    let source: FieldSource
    let isOptional: Bool
  }

  private(set) var name = ""
  private(set) var version = 1
  private(set) var columns: [Column] = []
  private(set) var conditions: [(source: FieldSource, values: [String])] = []
  /// True where the order of events does not matter.
  private(set) var isAnyOrder = false
  /// The directives that decide what is read, one line each.
  private(set) var normalised: [String] = []
  private var seen: Set<String> = []

  /// A word of a directive, without its quotes, and where it is.
  private struct Word {
    let text: String
    let offset: Int
  }

  static func isDirective(_ token: SQLToken) -> Bool {
    token.kind == .line && token.text.dropFirst(2).drop { $0 == " " || $0 == "\t" }.hasPrefix("@")
  }

  mutating func read(_ token: SQLToken, in text: SQLText) throws {
    let words = try SQLDirectives.words(token, text)
    guard let first = words.first else { return }
    let rest = Array(words.dropFirst())
    switch first.text {
    case "@function": try readFunction(first, rest, text)
    case "@only": try readCondition(first, rest, text)
    case "@event": try readColumn(first, rest, text)
    case "@order": try readOrder(first, rest, text)
    default:
      throw text.error(
        at: first.offset, "there is no directive \(first.text)", next: "give @function, @only, @event or @order")
    }
    guard first.text != "@function" else { return }
    normalised.append(text.text(token.range).dropFirst(2).split { $0.isWhitespace }.joined(separator: " "))
  }

  /// Throws where the file has no name.
  func check(in text: SQLText) throws {
    if name.isEmpty {
      throw text.error(at: 0, "the function has no name", next: "begin the file with: -- @function my-function 1")
    }
  }

  /// Split at white space; `'two words'` is one, and in it `''` is a quote.
  private static func words(_ token: SQLToken, _ text: SQLText) throws -> [Word] {
    var words: [Word] = []
    var at = token.range.lowerBound + 2
    let end = token.range.upperBound
    let isSpace = { (byte: UInt8) in byte == 32 || byte >= 9 && byte <= 13 }
    while at < end {
      if isSpace(text.bytes[at]) {
        at += 1
        continue
      }
      let start = at
      guard text.bytes[at] == UInt8(ascii: "'") else {
        while at < end, !isSpace(text.bytes[at]) { at += 1 }
        words.append(Word(text: text.text(start..<at), offset: start))
        continue
      }
      var bytes: [UInt8] = []
      at += 1
      while true {
        guard at < end else { throw text.error(at: start, "a value in quotes that does not end") }
        if text.bytes[at] == UInt8(ascii: "'") {
          at += 1
          guard at < end, text.bytes[at] == UInt8(ascii: "'") else { break }
        }
        bytes.append(text.bytes[at])
        at += 1
      }
      words.append(Word(text: String(decoding: bytes, as: UTF8.self), offset: start))
    }
    return words
  }

  private mutating func readFunction(_ first: Word, _ rest: [Word], _ text: SQLText) throws {
    guard name.isEmpty else { throw text.error(at: first.offset, "a second @function") }
    guard let given = rest.first, rest.count <= 2 else {
      throw text.error(at: first.offset, "expected: @function NAME VERSION")
    }
    let isPlain = given.text.utf8.allSatisfy { $0 >= 97 && $0 <= 122 || $0 >= 48 && $0 <= 57 || $0 == 45 }
    guard isPlain, (1...63).contains(given.text.utf8.count) else {
      throw text.error(at: given.offset, "a function's name has 1 to 63 lower-case letters, digits and hyphens")
    }
    name = given.text
    guard rest.count == 2 else { return }
    guard let number = Int(rest[1].text), number > 0 else {
      throw text.error(at: rest[1].offset, "a version is a whole number above 0")
    }
    version = number
  }

  private mutating func readCondition(_ first: Word, _ rest: [Word], _ text: SQLText) throws {
    guard rest.count >= 2 else { throw text.error(at: first.offset, "expected: @only FIELD VALUE…") }
    let source = SQLDirectives.source(rest[0].text)
    if [.time, .headers].contains(source) {
      throw text.error(at: rest[0].offset, "@only compares texts, and \(rest[0].text) is none")
    }
    conditions.append((source, rest.dropFirst().map(\.text)))
  }

  private mutating func readOrder(_ first: Word, _ rest: [Word], _ text: SQLText) throws {
    guard rest.count == 1, ["any", "key"].contains(rest[0].text) else {
      throw text.error(at: first.offset, "expected: @order any, or @order key")
    }
    isAnyOrder = rest[0].text == "any"
  }

  private mutating func readColumn(_ first: Word, _ rest: [Word], _ text: SQLText) throws {
    guard rest.count == 3 || rest.count == 4 else {
      throw text.error(at: first.offset, "expected: @event COLUMN TYPE FIELD, with `optional` behind it or not")
    }
    let bytes = Array(rest[0].text.utf8)
    let isLetter = { (byte: UInt8) in byte | 32 >= 97 && byte | 32 <= 122 }
    guard (1...63).contains(bytes.count), isLetter(bytes[0]),
      bytes.allSatisfy({ isLetter($0) || $0 >= 48 && $0 <= 57 || $0 == UInt8(ascii: "_") })
    else {
      throw text.error(
        at: rest[0].offset, "a column's name has 1 to 63 letters (A–Z, a–z), digits and underscores, a letter first")
    }
    guard seen.insert(rest[0].text.lowercased()).inserted else {
      throw text.error(at: rest[0].offset, "a second column named \(rest[0].text)")
    }
    guard let type = SQLColumnType(rest[1].text) else {
      throw text.error(at: rest[1].offset, "there is no type \(rest[1].text)", next: SQLColumnType.all)
    }
    let source = SQLDirectives.source(rest[2].text)
    guard type.canBe(source) else {
      throw text.error(at: rest[2].offset, "\(rest[2].text) is no \(rest[1].text)")
    }
    if rest.count == 4, rest[3].text != "optional" {
      throw text.error(at: rest[3].offset, "expected `optional`, or nothing")
    }
    columns.append(Column(name: rest[0].text, type: type, source: source, isOptional: rest.count == 4))
  }

  /// A part that every event has, or a path into the payload.
  private static func source(_ text: String) -> FieldSource {
    switch text {
    case "key": .key
    case "type": .type
    case "time": .time
    case "id": .id
    case "headers": .headers
    default: .payload(JSONPath(text))
    }
  }
}
