import ReplayCore

/// Reads and writes the checkpoint of one function.
package struct CheckpointRows {
  let connection: any SQLConnection
  let key: CheckpointKey

  package init(connection: any SQLConnection, key: CheckpointKey) {
    self.connection = connection
    self.key = key
  }

  func read(_ stored: StoredFunction, tables: [String]) throws -> Checkpoint {
    var isFresh = true
    for table in tables where isFresh {
      let sql = "SELECT count(*) FROM (SELECT 1 FROM \(SQLDialect.quoted(table)) LIMIT 1) AS one"
      isFresh = try connection.query(sql) { $0.integer(0) } == [0]
    }
    var checkpoint = Checkpoint(
      frontier: Dictionary(try positions(), uniquingKeysWith: { _, last in last }), phase: stored.phase,
      settled: try settled(), halfRead: try halfRead(), events: stored.events, epochs: stored.epochs, isFresh: isFresh)
    // Of what was read a position is committed with it: without one, those events would be applied once more.
    for segment in checkpoint.halfRead where checkpoint.frontier[segment.partition] == nil {
      throw unreadable(
        "_replay_half_read", "\(segment.entry.name) was being read, and \(segment.partition) has no position")
    }
    checkpoint.findings = try findings()
    checkpoint.gapEnds = try gapEnds()
    checkpoint.lastEvents = try lastEvents()
    checkpoint.archivedAhead = try archivedAhead()
    checkpoint.delivered = try delivered()
    checkpoint.windows = try windows()
    checkpoint.kept = try kept.totals()
    return checkpoint
  }

  private var kept: KeptRows { KeptRows(connection: connection, key: key) }

  /// The next position of each partition.
  func positions() throws -> [(Partition, Position)] {
    let sql = """
      SELECT log, side, partition, next FROM _replay_positions WHERE \(CheckpointKey.condition)
      ORDER BY log, side, length(partition), partition
      """
    return try connection.query(sql, key.values) { row in
      (try partition(row, "_replay_positions"), try position(row.text(3), "_replay_positions"))
    }
  }

  func settled() throws -> [SettledSegment] {
    let sql = """
      SELECT log, side, partition, name, size, version, digest, records, "end" FROM _replay_segments
      WHERE \(CheckpointKey.condition) ORDER BY log, side, partition, "end", name
      """
    let table = "_replay_segments"
    return try connection.query(sql, key.values) { row in
      let entry = SegmentEntry(name: row.text(3), size: UInt64(bitPattern: row.integer(4)), version: row.text(5))
      return SettledSegment(
        partition: try partition(row, table), entry: entry, digest: try Hex.word(row.text(6), in: table),
        records: UInt64(bitPattern: row.integer(7)), end: try position(row.text(8), table))
    }
  }

  private func gapEnds() throws -> [Partition: Position] {
    let table = "_replay_positions"
    let sql =
      "SELECT log, side, partition, gap_end FROM \(table) WHERE \(CheckpointKey.condition) AND gap_end IS NOT NULL"
    let found = try connection.query(sql, key.values) { row in
      (try partition(row, table), try position(row.text(3), table))
    }
    return Dictionary(found, uniquingKeysWith: { $1 })
  }

  func findings() throws -> [ChainFinding] {
    let table = "_replay_findings"
    let sql = """
      SELECT log, side, partition, segment, kind, count, detail FROM \(table)
      WHERE \(CheckpointKey.condition) ORDER BY log, side, partition, segment, kind
      """
    return try connection.query(sql, key.values) { row in
      guard let kind = ChainFinding.Kind(rawValue: row.text(4)) else {
        throw unreadable(table, "no such finding: \(row.text(4))")
      }
      return ChainFinding(
        kind: kind, partition: try partition(row, table), segment: row.text(3),
        count: UInt64(bitPattern: row.integer(5)), detail: row.text(6))
    }
  }

  func halfRead() throws -> [HalfReadSegment] {
    let table = "_replay_half_read"
    let sql = """
      SELECT log, side, partition, name, size, version, prefix, digest FROM \(table)
      WHERE \(CheckpointKey.condition) ORDER BY log, side, partition
      """
    return try connection.query(sql, key.values) { row in
      let entry = SegmentEntry(name: row.text(3), size: UInt64(bitPattern: row.integer(4)), version: row.text(5))
      return HalfReadSegment(
        partition: try partition(row, table), entry: entry, prefixBytes: UInt64(bitPattern: row.integer(6)),
        prefixDigest: try Hex.word(row.text(7), in: table))
    }
  }

  func lastEvents() throws -> [Partition: PrintedEvent] {
    let table = "_replay_last_events"
    let sql = "SELECT log, side, partition, position, bytes, tokens FROM \(table) WHERE \(CheckpointKey.condition)"
    let found = try connection.query(sql, key.values) { row in
      let print = PayloadPrint(
        bytes: try Hex.word(row.text(4), in: table), tokens: try Hex.word(row.text(5), in: table))
      return (try partition(row, table), PrintedEvent(position: try position(row.text(3), table), print: print))
    }
    return Dictionary(found, uniquingKeysWith: { $1 })
  }

  func archivedAhead() throws -> [Partition: [Position]] {
    let table = "_replay_archived_ahead"
    let sql = "SELECT log, side, partition, position FROM \(table) WHERE \(CheckpointKey.condition)"
    let found = try connection.query(sql, key.values) { row in
      (try partition(row, table), try position(row.text(3), table))
    }
    return Dictionary(grouping: found) { $0.0 }.mapValues { $0.map(\.1).sorted() }
  }

  func delivered() throws -> [DeliveryMark] {
    let table = "_replay_delivered"
    let sql =
      "SELECT log, side, partition, from_hash, through_hash, next FROM \(table) WHERE \(CheckpointKey.condition)"
    return try connection.query(sql, key.values) { row in
      let range = KeyRange(first: try Hex.word(row.text(3), in: table), last: try Hex.word(row.text(4), in: table))
      return DeliveryMark(
        partition: try partition(row, table), range: range, next: try position(row.text(5), table))
    }
  }

  private func windows() throws -> [Partition: OpenWindow] {
    let table = "_replay_windows"
    let sql = "SELECT log, side, partition, start, \"end\", state FROM \(table) WHERE \(CheckpointKey.condition)"
    let found = try connection.query(sql, key.values) { row in
      (
        try partition(row, table),
        OpenWindow(start: row.integer(3), end: row.integer(4), state: Array(row.text(5).utf8))
      )
    }
    return Dictionary(found, uniquingKeysWith: { $1 })
  }

  /// A transaction of its own.
  package func keep(_ mark: DeliveryMark) throws {
    try connection.run(
      """
      INSERT INTO _replay_delivered VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (function, first, last, log, side, partition, from_hash, through_hash)
      DO UPDATE SET next = excluded.next WHERE excluded.next > _replay_delivered.next
      """,
      key.values + place(mark.partition) + [
        .text(Hex.text(mark.range.first)), .text(Hex.text(mark.range.last)), .text(mark.next.stored),
      ])
  }

  private func partition(_ row: any SQLRow, _ table: String) throws -> Partition {
    guard let side = Side(rawValue: row.text(1)) else { throw unreadable(table, "no such side: \(row.text(1))") }
    return Partition(log: row.text(0), side: side, id: row.blob(2))
  }

  private func position(_ text: String, _ table: String) throws -> Position {
    guard let position = Position(stored: text) else { throw unreadable(table, "\(text) is not a position") }
    return position
  }

  /// Writes what one commit adds. Inside the commit's transaction. `command`: of the run that commits.
  package func add(_ change: EpochCommit.Function, at time: String, command: String) throws {
    try kept.add(change, at: time)
    for (partition, next) in change.frontier {
      try connection.run(
        """
        INSERT INTO _replay_positions VALUES (?, ?, ?, ?, ?, ?, ?, nullif(?, ''))
        ON CONFLICT (function, first, last, log, side, partition)
        DO UPDATE SET next = excluded.next, gap_end = excluded.gap_end
        """,
        key.values + place(partition) + [.text(next.stored), .text(change.gapEnds[partition]?.stored ?? "")])
      try connection.run(
        "DELETE FROM _replay_half_read WHERE \(CheckpointKey.condition) AND log = ? AND side = ? AND partition = ?",
        key.values + place(partition))
    }
    for (partition, next) in change.frontier {
      try connection.run(
        """
        DELETE FROM _replay_delivered
        WHERE \(CheckpointKey.condition) AND log = ? AND side = ? AND partition = ? AND next <= ?
        """, key.values + place(partition) + [.text(next.stored)])
    }
    for (partition, event) in change.lastEvents {
      try connection.run(
        """
        INSERT INTO _replay_last_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (function, first, last, log, side, partition)
        DO UPDATE SET position = excluded.position, bytes = excluded.bytes, tokens = excluded.tokens
        """,
        key.values + place(partition) + [
          .text(event.position.stored), .text(Hex.text(event.print.bytes)), .text(Hex.text(event.print.tokens)),
        ])
    }
    for (partition, window) in change.windows {
      try connection.run(
        """
        INSERT INTO _replay_windows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (function, first, last, log, side, partition)
        DO UPDATE SET start = excluded.start, "end" = excluded."end", state = excluded.state
        """,
        key.values + place(partition) + [
          .integer(window.start), .integer(window.end), .text(String(decoding: window.state, as: UTF8.self)),
        ])
    }
    for (partition, positions) in change.archivedAhead {
      for position in positions {
        try connection.run(
          """
          INSERT INTO _replay_archived_ahead VALUES (?, ?, ?, ?, ?, ?, ?)
          ON CONFLICT (function, first, last, log, side, partition, position)
          DO NOTHING
          """,
          key.values + place(partition) + [.text(position.stored)])
      }
    }
    for finding in change.findings {
      try connection.run(
        """
        INSERT INTO _replay_findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (function, first, last, log, side, partition, segment, kind)
        DO UPDATE SET count = excluded.count, detail = excluded.detail
        """,
        key.values + place(finding.partition) + [
          .text(finding.segment), .text(finding.kind.rawValue), .integer(Int64(bitPattern: finding.count)),
          .text(finding.detail),
        ])
    }
    for segment in change.halfRead {
      try connection.run(
        """
        INSERT INTO _replay_half_read VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (function, first, last, log, side, partition)
        DO UPDATE SET name = excluded.name, size = excluded.size, version = excluded.version, prefix = excluded.prefix, digest = excluded.digest
        """,
        key.values + place(segment.partition) + [
          .text(segment.entry.name), .integer(Int64(bitPattern: segment.entry.size)), .text(segment.entry.version),
          .integer(Int64(bitPattern: segment.prefixBytes)), .text(Hex.text(segment.prefixDigest)),
        ])
    }
    for segment in change.settled {
      try connection.run(
        """
        INSERT INTO _replay_segments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (function, first, last, log, side, partition, name)
        DO UPDATE SET size = excluded.size, version = excluded.version, digest = excluded.digest, records = excluded.records, "end" = excluded."end"
        """,
        key.values + place(segment.partition) + [
          .text(segment.entry.name), .integer(Int64(bitPattern: segment.entry.size)), .text(segment.entry.version),
          .text(Hex.text(segment.digest)), .integer(Int64(bitPattern: segment.records)), .text(segment.end.stored),
        ])
    }
    try connection.run(
      """
      UPDATE _replay_functions
      SET events = events + ?, epochs = epochs + 1, updated_at = ?, phase = coalesce(nullif(?, ''), phase), command = ?
      WHERE \(CheckpointKey.condition)
      """,
      [.integer(Int64(bitPattern: change.events)), .text(time), .text(change.phase?.rawValue ?? ""), .text(command)]
        + key.values)
  }

  private func place(_ partition: Partition) -> [SQLValue] {
    [.text(partition.log), .text(partition.side.rawValue), .blob(partition.id)]
  }

  /// Forgets all of it; the function's own row, and so its fence, stays.
  func forget() throws {
    for table in OwnTables.ofCheckpoints {
      try connection.run("DELETE FROM \(table) WHERE \(CheckpointKey.condition)", key.values)
    }
  }
}
