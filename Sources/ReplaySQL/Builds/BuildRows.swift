import ReplayCore

/// Reads and writes what a store knows of a function's builds.
package struct BuildRows {
  static let table = "_replay_builds"

  static let definitions = [
    """
    CREATE TABLE IF NOT EXISTS \(table) (
      function TEXT NOT NULL, number INTEGER NOT NULL, state TEXT NOT NULL /* serving, building, kept, past, pruned */,
      since TEXT NOT NULL, compared_with INTEGER, compared_at TEXT, compared_rows INTEGER, differing INTEGER, ignored TEXT,
      PRIMARY KEY (function, number)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS _replay_views (
      function TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
      place INTEGER NOT NULL, name TEXT NOT NULL, query TEXT NOT NULL /* what the view selects */,
      PRIMARY KEY (function, first, last, place)
    ) STRICT, WITHOUT ROWID
    """,
  ]

  let connection: any SQLConnection

  /// Of one function or of all, in their order. A function that was never built anew has no row: its build is the first.
  func builds(of function: String? = nil) throws -> [StoredBuild] {
    guard try connection.has(BuildRows.table) else { return [] }
    let sql = """
      SELECT function, number, state, since, compared_with, compared_at, compared_rows, differing, ignored
      FROM \(BuildRows.table) WHERE function = ? OR ? = '' ORDER BY function, number
      """
    return try connection.query(sql, [.text(function ?? ""), .text(function ?? "")]) { row in
      guard let state = StoredBuild.State(rawValue: row.text(2)) else {
        throw unreadable(BuildRows.table, "no such state: \(row.text(2))")
      }
      let comparison =
        row.isNull(4)
        ? nil
        : StoredBuild.Comparison(
          with: Int(row.integer(4)), time: row.text(5), rows: UInt64(bitPattern: row.integer(6)),
          differing: UInt64(bitPattern: row.integer(7)), ignored: row.text(8))
      return StoredBuild(
        row.text(0), number: Int(row.integer(1)), state: state, since: row.text(3), comparison: comparison)
    }
  }

  /// The same, where a function that is there and was never built anew has its first build.
  func known(of function: String) throws -> [StoredBuild] {
    let builds = try builds(of: function)
    if !builds.isEmpty { return builds }
    let stored = try StoredFunction.all(on: connection).first { $0.key.function == function }
    return stored.map { [StoredBuild(function, number: 1, state: .serving, since: $0.updatedAt)] } ?? []
  }

  func put(_ build: StoredBuild) throws {
    try connection.run(
      """
      INSERT INTO \(BuildRows.table) VALUES (?, ?, ?, ?, NULL, NULL, NULL, NULL, NULL)
      ON CONFLICT (function, number) DO UPDATE SET state = excluded.state, since = excluded.since
      """, [.text(build.function), .integer(Int64(build.number)), .text(build.state.rawValue), .text(build.since)])
  }

  func put(_ comparison: StoredBuild.Comparison, of build: StoredBuild) throws {
    try connection.run(
      """
      UPDATE \(BuildRows.table) SET compared_with = ?, compared_at = ?, compared_rows = ?, differing = ?, ignored = ?
      WHERE function = ? AND number = ?
      """,
      [
        .integer(Int64(comparison.with)), .text(comparison.time), .integer(Int64(bitPattern: comparison.rows)),
        .integer(Int64(bitPattern: comparison.differing)), .text(comparison.ignored), .text(build.function),
        .integer(Int64(build.number)),
      ])
  }

  /// The function's tables are emptied: what was found of them holds no more.
  func forgetComparisons(of function: String) throws {
    try connection.run("UPDATE \(BuildRows.table) SET compared_with = NULL WHERE function = ?", [.text(function)])
  }

  // MARK: Views

  func keep(_ views: [(name: String, query: String)], of key: CheckpointKey) throws {
    try connection.run("DELETE FROM _replay_views WHERE \(CheckpointKey.condition)", key.values)
    for (place, view) in views.enumerated() {
      try connection.run(
        "INSERT INTO _replay_views VALUES (?, ?, ?, ?, ?, ?)",
        key.values + [.integer(Int64(place)), .text(view.name), .text(view.query)])
    }
  }

  func views(of key: CheckpointKey) throws -> [(name: String, query: String)] {
    try connection.query(
      "SELECT name, query FROM _replay_views WHERE \(CheckpointKey.condition) ORDER BY place", key.values
    ) { ($0.text(0), $0.text(1)) }
  }
}
