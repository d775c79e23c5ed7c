import ReplayCore

/// How far a build may go for now, so that another one can be looked at, or catch up, at the same position. Whoever holds
/// it says so again and again: a hold that nobody keeps up lapses.
package struct Holds {
  private static let table = "_replay_holds"
  /// How long one lasts unless it is renewed.
  static let milliseconds: Int64 = 10_000

  static let definitions = [
    """
    CREATE TABLE IF NOT EXISTS \(table) (
      function TEXT NOT NULL, log TEXT NOT NULL, side TEXT NOT NULL, partition BLOB NOT NULL,
      next TEXT NOT NULL /* the position to stop before */, until INTEGER NOT NULL /* milliseconds since 1970 */,
      PRIMARY KEY (function, log, side, partition)
    ) STRICT, WITHOUT ROWID
    """
  ]

  let connection: any SQLConnection
  /// Milliseconds since 1970.
  let now: Int64

  /// In the place of an earlier one of this build.
  func put(_ bounds: [Partition: Position], of name: String) throws {
    try drop(name)
    for (partition, next) in bounds where partition.side == .live {
      try connection.run(
        "INSERT INTO \(Holds.table) VALUES (?, ?, ?, ?, ?, ?)",
        [
          .text(name), .text(partition.log), .text(partition.side.rawValue), .blob(partition.id), .text(next.stored),
          .integer(now + Holds.milliseconds),
        ])
    }
  }

  func drop(_ name: String) throws {
    try connection.run("DELETE FROM \(Holds.table) WHERE function = ?", [.text(name)])
  }

  /// Empty: nobody holds it.
  func bounds(of name: String) throws -> [Partition: Position] {
    guard try connection.has(Holds.table) else { return [:] }
    let rows = try connection.query(
      "SELECT log, side, partition, next FROM \(Holds.table) WHERE function = ? AND until > ?",
      [.text(name), .integer(now)]
    ) { row in
      guard let side = Side(rawValue: row.text(1)), let next = Position(stored: row.text(3)) else {
        throw unreadable(Holds.table, "side \(row.text(1)), position \(row.text(3))")
      }
      return (Partition(log: row.text(0), side: side, id: row.blob(2)), next)
    }
    return Dictionary(rows, uniquingKeysWith: { $1 })
  }
}
