import ReplayCore

/// Decides whether a function may use the store as it is. Pure: the store's contents are given.
struct Refusal {
  let function: FunctionIdentity
  let range: KeyRange
  let refresh: Bool
  let path: String

  private static let escape =
    "build it anew beside this with `replay rebuild`, replay from the start with --full-refresh, or name another store "
    + "with --store"

  /// Throws the first reason why not. `objects` has the database's names in lower case.
  func check(against stored: [StoredFunction], objects: [String: String]) throws {
    let mine = stored.filter { $0.key.function == function.name }
    try checkRange(mine)
    if !refresh {
      for row in mine {
        try checkSame(row)
        try checkReading(row)
      }
    }
    let ours = Set(mine.flatMap(\.objects).map { $0.lowercased() })
    for name in function.objects {
      let lower = name.lowercased()
      if let other = stored.first(where: { row in
        row.key.function != function.name && row.objects.contains { $0.lowercased() == lower }
      }) {
        throw taken(name, by: "it belongs to the function \(other.key.function)")
      }
      if objects[lower] != nil && !ours.contains(lower) { throw taken(name, by: "replay did not make it") }
    }
    if refresh || mine.isEmpty { return }
    for table in function.tableNames where objects[table.lowercased()] == nil {
      throw ReplayError(
        .config, "a table of the function \(function.name) is gone: \(table)",
        details: ["store \(path)", "events already in it would not be replayed"], next: Refusal.escape)
    }
  }

  private func checkRange(_ mine: [StoredFunction]) throws {
    guard let other = mine.first(where: { $0.key.range != range }) else { return }
    let overlaps = other.key.range.first <= range.last && range.first <= other.key.range.last
    guard overlaps || refresh else { return }
    let text = { (range: KeyRange) in "\(Hex.text(range.first)) to \(Hex.text(range.last))" }
    throw ReplayError(
      .config, "the store has other ranges of keys for the function \(function.name)",
      details: ["the store has \(text(other.key.range))", "this run has \(text(range))"],
      next: "run with the same number of workers, or name another store with --store")
  }

  private func checkSame(_ row: StoredFunction) throws {
    if row.version != Int64(function.version) {
      throw ReplayError(
        .config, "the store was made by another version of the function \(function.name)",
        details: ["the store has version \(row.version)", "this function is version \(function.version)"],
        next: Refusal.escape)
    }
    if row.shape != function.shape, function.program != nil {
      throw ReplayError(
        .config, "the store was made by another text of the function \(function.name)",
        details: Refusal.difference(row.shape, function.shape), next: Refusal.escape)
    }
    if row.shape != function.shape {
      throw ReplayError(
        .config, "the store has other tables for the function \(function.name)",
        details: ["the store has  \(row.shape)", "this function has  \(function.shape)"], next: Refusal.escape)
    }
  }

  /// Of two shapes of programs, the parts that only one of them has.
  private static func difference(_ stored: String, _ now: String) -> [String] {
    let (before, after) = (stored.parts(at: "; "), now.parts(at: "; "))
    let gone = before.filter { !after.contains($0) }.map { "only in the store's: \($0)" }
    let new = after.filter { !before.contains($0) }.map { "only in this file:   \($0)" }
    return gone + new + (gone.isEmpty && new.isEmpty ? ["the same lines stand in another order"] : [])
  }

  private func checkReading(_ row: StoredFunction) throws {
    guard row.events > 0, !row.reading.isEmpty, !function.reading.isEmpty, row.reading != function.reading else {
      return
    }
    throw ReplayError(
      .config, "the store was filled by another reading of the events for the function \(function.name)",
      details: ["the store has  \(row.reading)", "this run has   \(function.reading)"],
      next: "give --key, --type, --time, --id, --layout and --tumbling-window as before, or " + Refusal.escape)
  }

  private func taken(_ name: String, by whom: String) -> ReplayError {
    ReplayError(
      .config, "the store already has something named \(name)",
      details: ["function \(function.name) declares \(name)", "in \(path), \(whom)"],
      next: "rename it in the function, or name another store with --store")
  }
}

extension String {
  /// Its parts between separators.
  fileprivate func parts(at separator: String) -> [String] {
    split(separator: separator, omittingEmptySubsequences: false).map(String.init)
  }
}
