import CPQ
import ReplayCore
import ReplaySQL
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A store in a PostgreSQL database: every epoch, its positions and its fence are one transaction (READ COMMITTED, with the
/// functions' rows locked first). `docs/postgresql.md` has the tables, and what happens when a connection is lost.
package final class PostgresStore: Store {
  package struct Options: Sendable {
    /// How long to wait for a lock, and for a server that was there and went away.
    package var patienceMilliseconds: Int32
    /// The command line of this run, for `status`.
    package var command: String
    /// The time now, for `updated_at` and the owner's start.
    package var now: @Sendable () -> Timestamp
    /// Waits so many milliseconds.
    package var sleep: @Sendable (Int) -> Void
    /// What rows go through on their way into the database, slice by slice; nil: all of an epoch at once.
    package var gate: WorkGate?
    /// The rows of the first slice; what it took decides of the next one.
    package var sliceRows = 500

    package init(
      patienceMilliseconds: Int32 = 10_000, command: String = "",
      now: @escaping @Sendable () -> Timestamp = SystemTime.now,
      sleep: @escaping @Sendable (Int) -> Void = { usleep(UInt32(clamping: $0 * 1000)) }, gate: WorkGate? = nil
    ) {
      self.patienceMilliseconds = patienceMilliseconds
      self.command = command
      self.now = now
      self.sleep = sleep
      self.gate = gate
    }
  }

  private let address: PostgresAddress
  private let options: Options
  private let writer: Mutex<PostgresWriter?> = Mutex(nil)
  private let reader: Mutex<PostgresLine>
  /// Keeps marks beside the commits.
  private let marker: Mutex<PostgresLine>

  /// Nothing is connected or made before `open`.
  package init(_ address: PostgresAddress, options: Options = Options()) {
    self.address = address
    self.options = options
    reader = Mutex(PostgresLine(address, options))
    marker = Mutex(PostgresLine(address, options, isQuick: true))
  }

  package var name: String { address.shown }
  package var capability: StoreCapability { .atomicEpoch }

  package func open(_ functions: [FunctionIdentity], range: KeyRange, refresh: Bool) throws -> [Checkpoint] {
    for function in functions { try Names.check(function) }
    try Names.checkShared(functions)
    try PostgresTableMaker.refusePrograms(of: functions, in: name)
    return try writer.withLock { writer in
      let made = writer ?? PostgresWriter(address, options, owner: RunOwner.text(since: options.now()))
      let checkpoints = try made.open(functions, range: range, refresh: refresh)
      writer = made
      return checkpoints
    }
  }

  package func commit(_ epoch: EpochCommit) throws -> CommitOutcome { try withWriter { try $0.commit(epoch) } }

  package func takenOver() throws -> Takeover? { try withWriter { try $0.takenOver() } }

  package func kept(
    of function: String, _ filter: KeptFilter, after number: Int64, limit: Int
  ) throws -> [KeptEvent] {
    try withWriter { try $0.kept(of: function, filter, after: number, limit: limit) }
  }

  package func load(_ table: TableSchema, keys: [Text], into rows: KeyedRows) throws {
    try reader.withLock { line in try line.patiently { try $0.load(table, keys: keys, into: rows) } }
  }

  package func keep(_ mark: DeliveryMark, of function: String) throws {
    let key = CheckpointKey(function: function, range: .all)
    try marker.withLock { line in
      try line.patiently { try CheckpointRows(connection: $0, key: key).keep(mark) }
    }
  }

  package func close() throws {
    reader.withLock { $0.hangUp() }
    marker.withLock { $0.hangUp() }
    writer.withLock { $0 = nil }
  }

  private func withWriter<Result: Sendable>(_ body: (PostgresWriter) throws -> Result) throws -> Result {
    try writer.withLock { writer in
      guard let writer else { throw ReplayError(.unexpected, "the store is not open: \(name)") }
      return try body(writer)
    }
  }
}
