import ReplayCore

/// One event that a function could not apply, as `replay failed` shows it.
public struct FailedEvent: Sendable {
  public let function: String
  public let state: LeftEvent.State
  public let key: [UInt8]
  public let partition: Partition
  public let position: Position
  /// The file, or the stream.
  public let segment: String
  /// Nil: it was never tried, and waits behind one that was.
  public let error: String?
  public let attempts: Int
  public let leftAt: String
  public let recordBytes: Int
  /// Nil where nobody asked.
  public let record: [UInt8]?
}

/// What `dropFailed` did for one function.
package struct DroppedEvents: Sendable {
  package let function: String
  package let events: UInt64
  /// Keys that are parked no more.
  package let unparkedKeys: Int
  /// What is still kept.
  package let kept: KeptEvents
}

extension SQLInspector {
  package func failed(function: String?, _ filter: KeptFilter, withRecords: Bool) throws -> [FailedEvent] {
    try reading { connection in
      guard try connection.has(KeptRows.table) else { return [] }
      return try named(function, on: connection).flatMap { key -> [FailedEvent] in
        let (sql, values) = KeptRows.conditions(filter, key)
        let query = """
          SELECT state, key, log, side, partition, position, segment, error, attempts, left_at, length(record)
            \(withRecords ? ", record" : "") FROM \(KeptRows.table) WHERE \(sql) ORDER BY number
          """
        return try connection.query(query, values) { try failed($0, of: key.function, withRecords) }
      }
    }
  }

  private func failed(_ row: any SQLRow, of function: String, _ withRecord: Bool) throws -> FailedEvent {
    guard let side = Side(rawValue: row.text(3)), let position = Position(stored: row.text(5)) else {
      throw unreadable(KeptRows.table, "\(row.text(3)), \(row.text(5))")
    }
    return FailedEvent(
      function: function, state: try KeptRows.state(row.text(0)), key: row.blob(1),
      partition: Partition(log: row.text(2), side: side, id: row.blob(4)), position: position, segment: row.text(6),
      error: row.isNull(7) ? nil : row.text(7), attempts: Int(row.integer(8)), leftAt: row.text(9),
      recordBytes: Int(row.integer(10)), record: withRecord ? row.blob(11) : nil)
  }

  private func named(_ function: String?, on connection: any SQLConnection) throws -> [CheckpointKey] {
    let all = try StoredFunction.all(on: connection).map(\.key)
    guard let function else { return all }
    let found = all.filter { $0.function == function }
    guard found.isEmpty else { return found }
    throw unknown(function)
  }

  package func dropFailed(function: String?, _ filter: KeptFilter, by owner: String) throws -> [DroppedEvents] {
    try writing { connection in
      try OwnTables.checkFormat(on: connection)
      guard try connection.has(KeptRows.table) else { return [] }
      return try named(function, on: connection).map { try drop($0, filter, by: owner, on: connection) }.filter {
        $0.events > 0
      }
    }
  }

  private func drop(
    _ key: CheckpointKey, _ filter: KeptFilter, by owner: String, on connection: any SQLConnection
  ) throws -> DroppedEvents {
    try connection.lock(key)
    let rows = KeptRows(connection: connection, key: key)
    let before = try rows.totals()
    let (sql, values) = KeptRows.conditions(filter, key)
    try connection.run("DELETE FROM \(KeptRows.table) WHERE \(sql)", values)
    let after = try rows.totals()
    let unparked = before.parkedKeys.subtracting(after.parkedKeys).count
    if unparked > 0 {
      try connection.run(
        "UPDATE _replay_functions SET fence = fence + 1, owner = ? WHERE \(CheckpointKey.condition)",
        [.text(owner)] + key.values)
    }
    return DroppedEvents(
      function: key.function, events: before.parked + before.dead - after.parked - after.dead,
      unparkedKeys: unparked, kept: after)
  }
}
