import ReplayCore

/// Reads and writes the events that one function could not apply.
package struct KeptRows {
  static let table = "_replay_failed"

  static let definitions = [
    """
    CREATE TABLE IF NOT EXISTS \(table) (
      function TEXT NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
      number INTEGER NOT NULL /* ascending in the order in which they were left */,
      state TEXT NOT NULL /* parked, dead */, key BLOB NOT NULL,
      log TEXT NOT NULL, side TEXT NOT NULL, partition BLOB NOT NULL, position TEXT NOT NULL,
      segment TEXT NOT NULL, ordinal INTEGER NOT NULL, numbering TEXT NOT NULL,
      record BLOB NOT NULL /* as archived; of a stream the payload */, error TEXT /* NULL: never tried */,
      attempts INTEGER NOT NULL, left_at TEXT NOT NULL,
      PRIMARY KEY (function, first, last, number)
    ) STRICT
    """,
    "CREATE INDEX IF NOT EXISTS _replay_failed_keys ON \(table) (function, first, last, state, key)",
  ]

  let connection: any SQLConnection
  let key: CheckpointKey

  package init(connection: any SQLConnection, key: CheckpointKey) {
    self.connection = connection
    self.key = key
  }

  private var bytes: String {
    "length(key) + length(record) + coalesce(\(connection.dialect.textBytes("error")), 0)"
  }

  /// What is kept, in figures.
  func totals() throws -> KeptEvents {
    var kept = KeptEvents()
    // An older replay's store that was not opened since.
    guard try connection.has(KeptRows.table) else { return kept }
    let sums = "SELECT state, count(*), sum(\(bytes)) FROM \(KeptRows.table) WHERE \(CheckpointKey.condition)"
    for (state, count, bytes) in try connection.query(
      sums + " GROUP BY state", key.values,
      { row in
        (try KeptRows.state(row.text(0)), UInt64(row.integer(1)), Int(row.integer(2)))
      })
    {
      kept.byteCount += bytes
      switch state {
      case .parked: kept.parked = count
      case .dead: kept.dead = count
      }
    }
    let keys = "SELECT DISTINCT key FROM \(KeptRows.table) WHERE \(CheckpointKey.condition) AND state = 'parked'"
    kept.parkedKeys = Set(try connection.query(keys, key.values) { $0.blob(0) })
    return kept
  }

  static func state(_ text: String) throws -> LeftEvent.State {
    guard let state = LeftEvent.State(rawValue: text) else { throw unreadable(table, "no such state: \(text)") }
    return state
  }

  /// The conditions of a filter, as SQL and values.
  static func conditions(_ filter: KeptFilter, _ key: CheckpointKey) -> (sql: String, values: [SQLValue]) {
    var (sql, values) = (CheckpointKey.condition, key.values)
    let own: [(String, SQLValue?)] = [
      ("state", filter.state.map { .text($0.rawValue) }), ("key", filter.key.map { .blob($0) }),
      ("position", filter.position.map { .text($0.stored) }),
    ]
    for case (let column, let value?) in own {
      sql += " AND \(column) = ?"
      values.append(value)
    }
    if let partition = filter.partition {
      // By itself, or with its log before it as messages show it; a log's name may have slashes too.
      let cuts = partition.indices.filter { partition[$0] == UInt8(ascii: "/") }
      sql += " AND (partition = ?" + cuts.map { _ in " OR (log = ? AND partition = ?)" }.joined() + ")"
      values.append(.blob(partition))
      for cut in cuts {
        values += [.text(String(decoding: partition[..<cut], as: UTF8.self)), .blob(Array(partition[(cut + 1)...]))]
      }
    }
    guard filter.wholeKeys else { return (sql, values) }
    return (
      "\(CheckpointKey.condition) AND (state, key) IN (SELECT state, key FROM \(table) WHERE \(sql))",
      key.values + values
    )
  }

  private static let mostBytes = 16 << 20

  package func events(_ filter: KeptFilter, after number: Int64, limit: Int) throws -> [KeptEvent] {
    let (sql, values) = KeptRows.conditions(filter, key)
    // How many fit is asked first: a driver may take the whole answer in before it gives the first row.
    let sizes = try connection.query(
      "SELECT number, \(bytes) FROM \(KeptRows.table) WHERE \(sql) AND number > ? ORDER BY number LIMIT ?",
      values + [.integer(number), .integer(Int64(limit))]
    ) { (number: $0.integer(0), bytes: Int($0.integer(1))) }
    guard var last = sizes.first else { return [] }
    for size in sizes.dropFirst() {
      if last.bytes + size.bytes > KeptRows.mostBytes { break }
      last = (size.number, last.bytes + size.bytes)
    }
    return try connection.query(
      """
      SELECT number, state, key, log, side, partition, position, segment, ordinal, numbering, record, error, attempts
      FROM \(KeptRows.table) WHERE \(sql) AND number > ? AND number <= ? ORDER BY number
      """, values + [.integer(number), .integer(last.number)]
    ) { try KeptRows.event($0) }
  }

  private static func event(_ row: any SQLRow) throws -> KeptEvent {
    guard let side = Side(rawValue: row.text(4)), let position = Position(stored: row.text(6)) else {
      throw unreadable(table, "event \(row.integer(0)): \(row.text(4)), \(row.text(6))")
    }
    let segment = Segment(
      entry: SegmentEntry(name: row.text(7), size: 0, version: ""),
      partition: Partition(log: row.text(3), side: side, id: row.blob(5)),
      numbering: try numbering(row.text(9), of: position))
    let place = EventPlace(segment: segment, ordinal: UInt64(bitPattern: row.integer(8)), position: position)
    return KeptEvent(
      number: row.integer(0),
      event: LeftEvent(
        place: place, state: try state(row.text(1)), key: row.blob(2), record: row.blob(10),
        error: row.isNull(11) ? nil : row.text(11), attempts: Int(row.integer(12))))
  }

  /// One that gives the event its position: where the segment began is not kept.
  private static func numbering(_ word: String, of position: Position) throws -> Numbering {
    switch word {
    case "counted": .counted(from: position.number)
    case "explicit": .explicit
    case "place": .place(position.number)
    default: throw unreadable(table, "no such numbering: \(word)")
    }
  }

  private static func word(_ numbering: Numbering) -> String {
    switch numbering {
    case .counted: "counted"
    case .explicit: "explicit"
    case .place: "place"
    }
  }

  /// Inside the commit's transaction.
  func add(_ change: EpochCommit.Function, at time: String) throws {
    for one in change.retried {
      if let error = one.error {
        try connection.run(
          """
          UPDATE \(KeptRows.table) SET error = ?, attempts = attempts + 1
          WHERE \(CheckpointKey.condition) AND number = ?
          """, [.text(connection.dialect.storable(error))] + key.values + [.integer(one.number)])
      } else {
        try connection.run(
          "DELETE FROM \(KeptRows.table) WHERE \(CheckpointKey.condition) AND number = ?",
          key.values + [.integer(one.number)])
      }
    }
    if change.left.isEmpty { return }
    let highest = "SELECT coalesce(max(number), 0) FROM \(KeptRows.table) WHERE \(CheckpointKey.condition)"
    var number = try connection.query(highest, key.values) { $0.integer(0) }.first ?? 0
    for event in change.left {
      number += 1
      let place = event.place
      try connection.run(
        "INSERT INTO \(KeptRows.table) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, ''), ?, ?)",
        key.values + [
          .integer(number), .text(event.state.rawValue), .blob(event.key), .text(place.partition.log),
          .text(place.partition.side.rawValue), .blob(place.partition.id), .text(place.position.stored),
          .text(place.segment.name), .integer(Int64(bitPattern: place.ordinal)),
          .text(KeptRows.word(place.segment.numbering)), .blob(event.record),
          .text(connection.dialect.storable(event.error ?? "")),
          .integer(Int64(event.attempts)), .text(time),
        ])
    }
  }
}
