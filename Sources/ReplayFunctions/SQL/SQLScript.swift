import ReplayCore

/// A SQL file taken apart: its directives, its definitions and its statements.
struct SQLScript: Sendable {
  let directives: SQLDirectives
  private(set) var definitions: [StoreProgram.Definition] = []
  private(set) var statements: [StoreProgram.Piece] = []
  /// The definitions without comments and line breaks.
  private(set) var normalised: [String] = []
  /// True where some statement names `_key`.
  private(set) var readsKey = false

  init(_ text: SQLText) throws {
    var directives = SQLDirectives()
    var pieces: [[SQLToken]] = [[]]
    for token in try SQLTokens.split(text) {
      if SQLDirectives.isDirective(token) {
        guard pieces.count == 1, pieces[0].isEmpty else {
          throw text.error(
            at: token.range.lowerBound, "a directive behind SQL", next: "move it to the file's beginning")
        }
        try directives.read(token, in: text)
      } else if token.isSign(";") {
        pieces.append([])
      } else if !token.isComment {
        pieces[pieces.count - 1].append(token)
      }
    }
    try directives.check(in: text)
    self.directives = directives
    for piece in pieces where !piece.isEmpty { try take(piece, text) }
    if statements.isEmpty {
      throw text.error(
        at: text.bytes.count, "the file ends and has no statement", next: "add an INSERT, UPDATE or DELETE")
    }
  }

  private mutating func take(_ tokens: [SQLToken], _ text: SQLText) throws {
    guard let first = tokens.first, let last = tokens.last else { return }
    let piece = StoreProgram.Piece(
      text: text.text(first.range.lowerBound..<last.range.upperBound), place: text.place(first.range.lowerBound))
    let rules = SQLRules(tokens: tokens, text: text)
    try rules.checkParameters()
    switch first.keyword {
    case "CREATE":
      let defined = try rules.defined()
      if defined.kind != .view { try rules.checkRepeatable() }
      if let before = definitions.first(where: { $0.name.lowercased() == defined.name.lowercased() }) {
        throw text.error(
          at: first.range.lowerBound, "\(defined.name) is defined a second time; before at \(before.piece.place)")
      }
      definitions.append(StoreProgram.Definition(defined.kind, defined.name, piece))
      normalised.append(tokens.map(\.text).joined(separator: " "))
    case "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH":
      try rules.checkChanges()
      try rules.checkRepeatable()
      readsKey = readsKey || tokens.contains { $0.identifier?.lowercased() == "_key" }
      statements.append(piece)
    default:
      throw text.error(
        at: first.range.lowerBound, "\(first.text) does not begin a statement that a function can have",
        next:
          "a function has CREATE TABLE, INDEX and VIEW, and INSERT, UPDATE, DELETE and REPLACE, WITH … before them or not"
      )
    }
  }
}
