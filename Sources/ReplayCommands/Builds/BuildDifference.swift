import ArgumentParser
import ReplayCore
import ReplaySQL

/// What a comparison of two builds came to, in words.
struct BuildDifference {
  let old: StoredBuild
  let new: StoredBuild
  /// Nil: only one of them has the table.
  let tables: [(table: String, found: TableDifference?)]
  let ignored: [String]

  /// Rows of the greater side, and those that are not the same in both.
  private func rows(_ found: TableDifference) -> (all: UInt64, differing: UInt64) {
    let differing = found.onlyLeft + found.onlyRight + found.differing
    let all = max(found.left.rows, found.right.rows)
    // Tables that cannot be matched, or have other columns, are not the same.
    return (all, found.isEqual ? 0 : max(1, differing))
  }

  var differing: UInt64 { tables.reduce(0) { $0 + ($1.found.map { rows($0).differing } ?? 1) } }

  func comparison(at time: String) -> StoredBuild.Comparison {
    StoredBuild.Comparison(
      with: old.number, time: time, rows: tables.reduce(0) { $0 + ($1.found.map { rows($0).all } ?? 0) },
      differing: differing, ignored: ignored.joined(separator: ","))
  }
}

extension BuildDifference {
  /// Says it, and ends with the exit code that says it too.
  func say(milliseconds: Int64) throws {
    let isEqual = differing == 0
    let (left, right) = ("A is build \(old.number) of \(old.function), \(old.state.rawValue)", "B build \(new.number)")
    Console.shared.say(
      "replay: \(left); \(right), \(new.state.rawValue); at the same positions, in \(Words.seconds(milliseconds))")
    for (table, found) in tables { say(table, found) }
    Console.shared.event(
      "compared",
      [
        ("function", .string(old.function)), ("a", .number(old.number)), ("b", .number(new.number)),
        ("equal", .bool(isEqual)), ("differing", .number(differing)),
        ("ignored", .array(ignored.map { .string($0) })),
      ])
    let store = ignored.isEmpty ? "" : ", without \(ignored.joined(separator: ", "))"
    guard isEqual else {
      Console.shared.say("replay: the builds differ\(store): that is kept, and cutover asks for --unproved")
      Console.shared.say("next: \(Root.toolName) diff --archive A --function OLD --function NEW (names the event)")
      throw ExitCode(ReplayError.Code.different.rawValue)
    }
    Console.shared.say("replay: no difference\(store)")
    if new.state == .building {
      Console.shared.say("next: \(Root.toolName) cutover --function \(old.function) --store STORE")
    }
  }

  private func say(_ table: String, _ found: TableDifference?) {
    guard let found else {
      Console.shared.data("table \(table): only one of them has it")
      return
    }
    if Console.shared.isJSON { return DiffJSON.say(found) }
    for line in DiffText.lines(found) { Console.shared.data(line) }
    let digests = [found.left.digest, found.right.digest].map(Hex.text)
    Console.shared.data("  digest     A \(digests[0]), B \(digests[1])")
  }
}
