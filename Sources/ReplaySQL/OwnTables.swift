import ReplayCore

/// The tables that replay keeps beside the functions' own; in SQLite's words, which the dialect turns into its own.
package enum OwnTables {
  /// The layout of these tables, kept in each function's row. A store with a higher one is refused.
  static let format: Int64 = 1

  private static let definitions = [
    """
    CREATE TABLE IF NOT EXISTS _replay_functions (
      function TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
      format INTEGER NOT NULL, version INTEGER NOT NULL, shape TEXT NOT NULL,
      tables TEXT NOT NULL /* names, with commas */, views TEXT NOT NULL,
      fence INTEGER NOT NULL, owner TEXT NOT NULL, phase TEXT NOT NULL,
      events INTEGER NOT NULL, epochs INTEGER NOT NULL, updated_at TEXT NOT NULL,
      reading TEXT NOT NULL, command TEXT NOT NULL,
      PRIMARY KEY (function, first, last)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS _replay_positions (
      function TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
      log TEXT NOT NULL, side TEXT NOT NULL, partition BLOB NOT NULL, next TEXT NOT NULL, gap_end TEXT,
      PRIMARY KEY (function, first, last, log, side, partition)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS _replay_segments (
      function TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
      log TEXT NOT NULL, side TEXT NOT NULL, partition BLOB NOT NULL, name TEXT NOT NULL,
      size INTEGER NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL, records INTEGER NOT NULL, "end" TEXT NOT NULL,
      PRIMARY KEY (function, first, last, log, side, partition, name)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS _replay_findings (
      function TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
      log TEXT NOT NULL, side TEXT NOT NULL, partition BLOB NOT NULL, segment TEXT NOT NULL, kind TEXT NOT NULL,
      count INTEGER NOT NULL, detail TEXT NOT NULL,
      PRIMARY KEY (function, first, last, log, side, partition, segment, kind)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS _replay_half_read (
      function TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
      log TEXT NOT NULL, side TEXT NOT NULL, partition BLOB NOT NULL, name TEXT NOT NULL,
      size INTEGER NOT NULL, version TEXT NOT NULL, prefix INTEGER NOT NULL /* bytes */, digest TEXT NOT NULL,
      PRIMARY KEY (function, first, last, log, side, partition)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS _replay_last_events (
      function TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
      log TEXT NOT NULL, side TEXT NOT NULL, partition BLOB NOT NULL, position TEXT NOT NULL,
      bytes TEXT NOT NULL /* hash of the payload */, tokens TEXT NOT NULL /* of it without white space */,
      PRIMARY KEY (function, first, last, log, side, partition)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS _replay_archived_ahead (
      function TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
      log TEXT NOT NULL, side TEXT NOT NULL, partition BLOB NOT NULL, position TEXT NOT NULL,
      PRIMARY KEY (function, first, last, log, side, partition, position)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS _replay_delivered (
      function TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
      log TEXT NOT NULL, side TEXT NOT NULL, partition BLOB NOT NULL,
      from_hash TEXT NOT NULL, through_hash TEXT NOT NULL /* of keys */, next TEXT NOT NULL,
      PRIMARY KEY (function, first, last, log, side, partition, from_hash, through_hash)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS _replay_windows (
      function TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
      log TEXT NOT NULL, side TEXT NOT NULL, partition BLOB NOT NULL,
      start INTEGER NOT NULL, "end" INTEGER NOT NULL /* seconds since 1970 */, state TEXT NOT NULL,
      PRIMARY KEY (function, first, last, log, side, partition)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS _replay_layouts (
      function TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
      layout TEXT NOT NULL /* where the parts of an event are */,
      PRIMARY KEY (function, first, last)
    ) STRICT, WITHOUT ROWID
    """,
  ]

  /// Those that have rows of a function's checkpoint, beside the function's own row.
  static let ofCheckpoints = [
    "_replay_positions", "_replay_segments", "_replay_findings", "_replay_half_read", "_replay_last_events",
    "_replay_archived_ahead", "_replay_delivered", "_replay_windows", KeptRows.table,
  ]
  /// Those that have rows of a function.
  static let ofFunctions = ofCheckpoints + ["_replay_layouts", "_replay_filters", "_replay_views"]

  /// Makes them where they are missing; refuses a store that a newer replay wrote.
  package static func create(on connection: any SQLConnection) throws {
    try checkFormat(on: connection)
    let all = definitions + KeptRows.definitions + FilterRows.definitions + BuildRows.definitions + Holds.definitions
    for definition in all {
      try connection.run(connection.dialect.definition(definition))
    }
  }

  package static func exist(on connection: any SQLConnection) throws -> Bool {
    try connection.has("_replay_functions")
  }

  package static func checkFormat(on connection: any SQLConnection) throws {
    guard try exist(on: connection) else { return }
    let found = try connection.query("SELECT coalesce(max(format), 0) FROM _replay_functions") { $0.integer(0) }
    guard let newest = found.first, newest > format else { return }
    throw ReplayError(
      .config, "the store was written by a newer replay: \(connection.path)",
      details: ["its format is \(newest), this replay knows formats up to \(format)"],
      next: "use that newer replay, or name another store with --store")
  }
}

/// A function and the range of keys it covers: what a checkpoint belongs to.
package struct CheckpointKey: Sendable {
  package let function: String
  let range: KeyRange

  package init(function: String, range: KeyRange) {
    self.function = function
    self.range = range
  }

  package static let condition = "function = ? AND first = ? AND last = ?"

  /// The first three columns of each of our tables.
  package var values: [SQLValue] { [.text(function), .text(Hex.text(range.first)), .text(Hex.text(range.last))] }
}

/// 64-bit words as 16 hexadecimal digits, whose text order is the number's.
package enum Hex {
  package static func text(_ word: UInt64) -> String {
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  static func word(_ text: String, in table: String) throws -> UInt64 {
    guard text.utf8.count == 16, let word = UInt64(text, radix: 16) else {
      throw unreadable(table, "\(text) is not 16 hexadecimal digits")
    }
    return word
  }
}

/// One of our rows is not what we write.
package func unreadable(_ table: String, _ detail: String) -> ReplayError {
  ReplayError(
    .config, "a row of \(table) cannot be read", details: [detail],
    next: "restore a copy of the store, or replay from the start with --full-refresh")
}
