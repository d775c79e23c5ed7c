import ReplayCore

/// What a store knows about one function, for `replay status`.
public struct FunctionStatus: Sendable {
  public let name: String
  public let range: KeyRange
  public let version: Int
  public let phase: Phase
  /// Events settled and commits made, in all runs.
  public let events: UInt64
  public let epochs: UInt64
  /// When the last commit was made; nil where the store's text is not a time.
  public let updatedAt: Timestamp?
  /// The run that opened the function last, whether it still runs or not.
  public let owner: String
  /// The next position of each partition, in the partitions' order.
  public let positions: [(partition: Partition, next: Position)]
  /// The whole checkpoint, for a plan.
  public let checkpoint: Checkpoint
  /// Nil rows: the table is gone.
  public let tables: [(name: String, rows: UInt64?)]
  /// Where its fields were read from, and the command line of the last run that committed something.
  public let reading: String
  public let command: String
}

extension SQLInspector {
  package func inspect() throws -> [FunctionStatus] {
    try reading { connection in try StoredFunction.all(on: connection).map { try status($0, connection) } }
  }

  private func status(_ stored: StoredFunction, _ connection: any SQLConnection) throws -> FunctionStatus {
    let rows = CheckpointRows(connection: connection, key: stored.key)
    let tables = try stored.tables.map { table -> (name: String, rows: UInt64?) in
      guard try connection.has(table.lowercased()) else { return (table, nil) }
      let count = try connection.query("SELECT count(*) FROM \(SQLDialect.quoted(table))") { $0.integer(0) }.first
      return (table, UInt64(count ?? 0))
    }
    var checkpoint = Checkpoint(
      frontier: Dictionary(try rows.positions(), uniquingKeysWith: { $1 }), phase: stored.phase,
      settled: try rows.settled(), halfRead: try rows.halfRead(), events: stored.events, epochs: stored.epochs)
    checkpoint.findings = try rows.findings()
    checkpoint.kept = try KeptRows(connection: connection, key: stored.key).totals()
    checkpoint.filter = try FilterRows(connection: connection, key: stored.key).read()
    let positions = try rows.positions().map { (partition: $0.0, next: $0.1) }
    let updatedAt = Array(stored.updatedAt.utf8).withUnsafeBytes { ValueParsing.timestamp(Text($0)) }
    return FunctionStatus(
      name: stored.key.function, range: stored.key.range, version: Int(stored.version), phase: stored.phase,
      events: stored.events, epochs: stored.epochs, updatedAt: updatedAt, owner: stored.owner,
      positions: positions.sorted { $0.partition < $1.partition }, checkpoint: checkpoint,
      tables: tables, reading: stored.reading, command: stored.command)
  }
}
