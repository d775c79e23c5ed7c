import ReplayCore

/// The filter that a function's tables were filled through: a row for each function that has one. A store that was never
/// filtered has none, and an older one not even the table.
package struct FilterRows {
  let connection: any SQLConnection
  let key: CheckpointKey

  package static let definitions = [
    """
    CREATE TABLE IF NOT EXISTS _replay_filters (
      function TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
      words TEXT NOT NULL, edges TEXT NOT NULL /* those that depend on the archive, as first found */,
      PRIMARY KEY (function, first, last)
    ) STRICT, WITHOUT ROWID
    """
  ]

  package init(connection: any SQLConnection, key: CheckpointKey) {
    self.connection = connection
    self.key = key
  }

  package func read() throws -> FilterStatement {
    guard try connection.has("_replay_filters") else { return FilterStatement() }
    let sql = "SELECT words, edges FROM _replay_filters WHERE \(CheckpointKey.condition)"
    return try connection.query(sql, key.values) { FilterStatement(words: $0.text(0), edges: $0.text(1)) }.first
      ?? FilterStatement()
  }

  /// Takes the run's filter in the place of the function's, where its tables are empty as far as commits go; else refuses
  /// another one, and keeps the edges as they were. `stored`: the function's row before this run; nil: there is none.
  func open(_ filter: FilterStatement?, stored: StoredFunction?, refresh: Bool) throws {
    guard let filter else { return }
    if let stored, !refresh, stored.events > 0 || stored.epochs > 0 {
      if let refusal = try read().refusal(of: filter, function: key.function, store: connection.path) { throw refusal }
      return
    }
    try connection.run("DELETE FROM _replay_filters WHERE \(CheckpointKey.condition)", key.values)
    if filter.words.isEmpty { return }
    try connection.run(
      "INSERT INTO _replay_filters VALUES (?, ?, ?, ?, ?)", key.values + [.text(filter.words), .text(filter.edges)])
  }
}
