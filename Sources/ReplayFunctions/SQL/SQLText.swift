import ReplayCore

/// The text of a SQL file, and what is wrong where in it.
struct SQLText: Sendable {
  let file: String
  let bytes: [UInt8]

  /// A limit on what is read, in bytes.
  static let maxBytes = 1 << 20

  /// Throws `.usage` where the text is no UTF-8 or has a NUL, which would end a statement early.
  init(_ bytes: [UInt8], file: String) throws {
    self.file = file
    // A byte order mark belongs to the file, not to its text.
    self.bytes = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? Array(bytes.dropFirst(3)) : bytes
    if bytes.count > SQLText.maxBytes { throw error(at: 0, "the file is larger than \(SQLText.maxBytes) bytes") }
    if let bad = bytes.withUnsafeBytes({ ReplayError.firstInvalidUTF8(Text($0)) }) {
      throw error(at: bad, "the text is not UTF-8")
    }
    if let bad = bytes.firstIndex(of: 0) { throw error(at: bad, "a NUL byte") }
  }

  func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

  func place(_ offset: Int) -> FilePlace {
    FilePlace(file: file, line: 1, column: 1).advanced(by: offset, in: text(0..<bytes.count))
  }

  /// `said` is the sentence that comes behind the place.
  func error(at offset: Int, _ said: String, next: String = "correct the file") -> ReplayError {
    ReplayError(.usage, "\(place(offset)): \(said)", next: next)
  }
}

/// One piece of SQL that its grammar does not split further.
struct SQLToken: Sendable {
  enum Kind: Sendable, Equatable {
    /// A keyword, or a name without quotes.
    case word
    /// A name in double quotes, backquotes or brackets.
    case name
    case string
    case number
    case blob
    /// `-- …`, to the end of its line.
    case line
    case comment
    /// A single character of any other kind.
    case sign
  }

  let kind: Kind
  let range: Range<Int>
  /// As written.
  let text: String

  /// In upper case where it is a keyword or could be one; empty for everything else.
  var keyword: String { kind == .word ? text.uppercased() : "" }
  var isComment: Bool { kind == .line || kind == .comment }
  func isSign(_ sign: String) -> Bool { kind == .sign && text == sign }

  /// The name that it is, without its quotes; nil where it is none.
  var identifier: String? {
    switch kind {
    case .word: return text
    case .name:
      let inner = String(text.dropFirst().dropLast())
      guard let quote = text.first, quote != "[" else { return inner }
      return inner.split(separator: "\(quote)\(quote)", omittingEmptySubsequences: false).joined(separator: "\(quote)")
    default: return nil
    }
  }

  /// The value of a string, in lower case; of a name in double quotes too, which SQLite takes for a string where no column has
  /// it.
  var lowerString: String? {
    kind == .string || kind == .name && text.hasPrefix("\"") ? String(text.dropFirst().dropLast()).lowercased() : nil
  }
}
