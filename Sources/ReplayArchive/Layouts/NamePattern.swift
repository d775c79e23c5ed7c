import ReplayCore

/// A user's own layout: `{topic}/{partition}/{start}{*}` against the end of a name, from a component's start.
///
/// `{start}` and `{last}` are whole runs of digits; `{partition}` and `{topic}` any text without `/`; `{time}`
/// digits and `-_:.+TZ`; `{*}` anything without `/`, also nothing. Fields take as much as they can.
public struct NamePattern: Hashable, Sendable {
  public enum Field: String, Sendable, Hashable, CaseIterable {
    case partition, start, last, time, topic
    case any = "*"
  }

  enum Token: Hashable, Sendable {
    case literal([UInt8])
    case field(Field)
  }

  public let text: String
  let tokens: [Token]

  public func has(_ field: Field) -> Bool { tokens.contains(.field(field)) }

  /// Throws `.usage` for an unknown or doubled field, two fields with nothing between them that could tell them
  /// apart, and a brace that is not closed.
  public init(_ text: String) throws {
    self.text = text
    tokens = try NamePattern.parse(text)
    for field in Field.allCases where field != .any && tokens.count(where: { $0 == .field(field) }) > 1 {
      throw NamePattern.fault(text, "the field {\(field.rawValue)} stands in it twice")
    }
    for (left, right) in zip(tokens, tokens.dropFirst()) {
      guard case .field(let a) = left, case .field(let b) = right else { continue }
      if a.isNumber == b.isNumber { throw NamePattern.fault(text, "{\(a.rawValue)} and {\(b.rawValue)} touch") }
    }
  }

  private static func parse(_ text: String) throws -> [Token] {
    var tokens: [Token] = []
    var rest = Substring(text)
    while let open = rest.firstIndex(of: "{") {
      if open > rest.startIndex { tokens.append(.literal(Array(rest[..<open].utf8))) }
      guard let close = rest[open...].firstIndex(of: "}") else { throw fault(text, "a { is not closed") }
      let name = String(rest[rest.index(after: open)..<close])
      guard let field = Field(rawValue: name) else { throw fault(text, "there is no field {\(name)}") }
      tokens.append(.field(field))
      rest = rest[rest.index(after: close)...]
    }
    if !rest.isEmpty { tokens.append(.literal(Array(rest.utf8))) }
    return tokens
  }

  private static func fault(_ text: String, _ why: String) -> ReplayError {
    let fields = Field.allCases.map { "{\($0.rawValue)}" }.joined(separator: " ")
    return ReplayError(
      .usage, "the segment pattern cannot be used: \(shown(text))", details: [why],
      next: "write it with these fields: \(fields)")
  }

  /// What the pattern reads out of a name; nil where it does not fit.
  public func match(_ name: String) -> ParsedName? {
    let bytes = Array(name.utf8)
    for start in bytes.indices where start == 0 || bytes[start - 1] == UInt8(ascii: "/") {
      var match = PatternMatch(tokens: tokens, bytes: bytes)
      if match.fits(token: 0, at: start) { return match.parsed }
    }
    return nil
  }
}

extension NamePattern.Field {
  var isNumber: Bool { self == .start || self == .last }

  func takes(_ byte: UInt8) -> Bool {
    switch self {
    case .start, .last: byte.isDigit
    case .time: byte.isDigit || "-_:.+TZ".utf8.contains(byte)
    case .partition, .topic, .any: byte != UInt8(ascii: "/")
    }
  }
}
