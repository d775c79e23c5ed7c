import ReplayCore

/// What one statement of a function may not have. The store looks again, at what the statement means; here is what can be
/// said with its place in the file.
struct SQLRules {
  let tokens: [SQLToken]
  let text: SQLText

  private func error(_ token: SQLToken, _ said: String, next: String = "correct the file") -> ReplayError {
    text.error(at: token.range.lowerBound, said, next: next)
  }

  private func keyword(_ place: Int) -> String { place < tokens.count ? tokens[place].keyword : "" }

  /// What a CREATE makes: a table, an index or a view, by a plain name.
  func defined() throws -> (kind: StoreProgram.Definition.Kind, name: String) {
    var at = keyword(1) == "UNIQUE" ? 2 : 1
    let kinds: [String: StoreProgram.Definition.Kind] = ["TABLE": .table, "INDEX": .index, "VIEW": .view]
    guard let kind = kinds[keyword(at)], at == 1 || kind == .index else {
      throw error(tokens[min(at, tokens.count - 1)], "a function can make a TABLE, an INDEX or a VIEW, not this")
    }
    at += 1
    if keyword(at) == "IF" { at += 3 }
    guard at < tokens.count, let name = tokens[at].identifier else {
      throw error(tokens[tokens.count - 1], "the CREATE has no name")
    }
    if at + 1 < tokens.count, tokens[at + 1].isSign(".") {
      throw error(tokens[at], "a name with a database before it", next: "leave the database out")
    }
    if name.lowercased() == "events" {
      throw error(tokens[at], "events is the relation of the batch's events", next: "give it another name")
    }
    if kind == .table, keyword(at + 1) == "AS" {
      throw error(tokens[at + 1], "a table made of a SELECT", next: "list the table's columns")
    }
    return (kind, name)
  }

  /// WITH … must come before a change.
  func checkChanges() throws {
    guard tokens[0].keyword == "WITH" else { return }
    var depth = 0
    for token in tokens {
      if token.isSign("(") { depth += 1 }
      if token.isSign(")") { depth -= 1 }
      if depth == 0, ["INSERT", "UPDATE", "DELETE", "REPLACE"].contains(token.keyword) { return }
    }
    throw error(tokens[0], "a SELECT changes nothing", next: "put an INSERT, UPDATE or DELETE behind the WITH")
  }

  func checkParameters() throws {
    for (place, token) in tokens.enumerated() where token.kind == .sign {
      let isName = place + 1 < tokens.count && [.word, .number].contains(tokens[place + 1].kind)
      if token.text == "?" || isName && [":", "$", "@"].contains(token.text) {
        throw error(token, "a parameter, which nobody gives a value", next: "read values from the relation events")
      }
    }
  }

  /// Functions whose value is another one each time, or the connection's.
  private static let changing: Set<String> = [
    "RANDOM", "RANDOMBLOB", "LAST_INSERT_ROWID", "CHANGES", "TOTAL_CHANGES",
  ]
  private static let clocks: Set<String> = ["CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"]
  private static let dates: Set<String> = ["DATE", "TIME", "DATETIME", "JULIANDAY", "UNIXEPOCH", "STRFTIME"]

  /// Refuses what would make other rows of the same events another day, and what ends the store's own transaction.
  func checkRepeatable() throws {
    let next = "a replay must make the same rows each time: take times and ids from the events"
    for (place, token) in tokens.enumerated() {
      let word = token.keyword
      let isCall = place + 1 < tokens.count && tokens[place + 1].isSign("(")
      if SQLRules.clocks.contains(word) || isCall && SQLRules.changing.contains(word) {
        throw error(token, "\(token.text) is not the same in every run", next: next)
      }
      if isCall, SQLRules.dates.contains(word), let now = clock(place) {
        throw error(now, "\(token.text) of now is not the same in every run", next: next)
      }
      if word == "ROLLBACK", place > 0, ["OR", "CONFLICT"].contains(keyword(place - 1)) {
        throw error(token, "ROLLBACK would undo what other statements did", next: "use ABORT")
      }
      if word == "AUTOINCREMENT" {
        throw error(token, "AUTOINCREMENT depends on how events come", next: "make the key of the events' own values")
      }
    }
  }

  /// Where the date function at `place` asks the clock, or the machine's time zone; nil where it does not.
  private func clock(_ place: Int) -> SQLToken? {
    var depth = 0
    var commas = 0
    for token in tokens[(place + 1)...] {
      if token.isSign("(") { depth += 1 }
      if token.isSign(")") { depth -= 1 }
      if token.isSign(","), depth == 1 { commas += 1 }
      if depth == 1, let value = token.lowerString, ["now", "localtime", "utc"].contains(value) { return token }
      if depth == 0 { break }
    }
    // Without a time, they take now.
    let isEmpty = place + 2 < tokens.count && tokens[place + 2].isSign(")")
    return isEmpty || tokens[place].keyword == "STRFTIME" && commas == 0 ? tokens[place] : nil
  }
}
