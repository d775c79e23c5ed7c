import ReplayCore

/// One row of `_replay_functions`.
package struct StoredFunction {
  package let key: CheckpointKey
  let version: Int64
  let shape: String
  package let tables: [String]
  let views: [String]
  let owner: String
  let phase: Phase
  let events: UInt64
  let epochs: UInt64
  let updatedAt: String
  let reading: String
  let command: String

  var objects: [String] { tables + views }

  package static func all(on connection: any SQLConnection) throws -> [StoredFunction] {
    let sql = """
      SELECT function, first, last, version, shape, tables, views, owner, phase, events, epochs, updated_at, reading,
        command
      FROM _replay_functions ORDER BY function, first
      """
    return try connection.query(sql) { row in
      let table = "_replay_functions"
      let range = KeyRange(first: try Hex.word(row.text(1), in: table), last: try Hex.word(row.text(2), in: table))
      guard let phase = Phase(rawValue: row.text(8)) else { throw unreadable(table, "no such phase: \(row.text(8))") }
      guard row.integer(9) >= 0, row.integer(10) >= 0 else {
        throw unreadable(table, "\(row.integer(9)) events in \(row.integer(10)) commits")
      }
      return StoredFunction(
        key: CheckpointKey(function: row.text(0), range: range), version: row.integer(3), shape: row.text(4),
        tables: names(row.text(5)), views: names(row.text(6)), owner: row.text(7), phase: phase,
        events: UInt64(bitPattern: row.integer(9)), epochs: UInt64(bitPattern: row.integer(10)),
        updatedAt: row.text(11), reading: row.text(12), command: row.text(13))
    }
  }

  private static func names(_ list: String) -> [String] { list.split(separator: ",").map(String.init) }
}
