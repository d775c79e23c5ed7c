import CSQLite
import ReplayCore
import ReplaySQL
import Synchronization

/// A store in one SQLite file: every epoch, its positions and its fence are one transaction, synced to disk.
///
/// The functions' tables are the user's to read, from any program, while a run writes. Tables that begin with
/// `_replay_` are replay's own. The file must lie on a local disk.
public final class SQLiteStore: Store {
  public struct Options: Sendable {
    /// How long to wait for another program's write before the run ends with `ReplayError.Code.temporary`.
    public var busyTimeoutMilliseconds: Int32
    /// Page cache of the writing connection. A commit writes in key order and needs each page once: more only costs the
    /// time to fetch that memory.
    public var cacheBytes: Int
    /// False for a store that nobody keeps: its commits outlive this process, and not a machine that fails.
    public var isSynced: Bool
    /// The command line of this run, for `status`.
    public var command: String
    /// The time now, for `updated_at` and the owner's start.
    public var now: @Sendable () -> Timestamp

    public init(
      busyTimeoutMilliseconds: Int32 = 10_000, cacheBytes: Int = 16 << 20, isSynced: Bool = true,
      command: String = "", now: @escaping @Sendable () -> Timestamp = SystemTime.now
    ) {
      self.busyTimeoutMilliseconds = busyTimeoutMilliseconds
      self.cacheBytes = cacheBytes
      self.isSynced = isSynced
      self.command = command
      self.now = now
    }
  }

  public let path: String
  private let options: Options
  private let writer = Mutex<Writer?>(nil)
  private let reader = Mutex<Connection?>(nil)
  /// Keeps marks beside the commits.
  private let marker = Mutex<Connection?>(nil)

  /// Nothing is opened or made before `open`.
  public init(path: String, options: Options = Options()) {
    self.path = path
    self.options = options
  }

  public var name: String { "sqlite:\(path)" }
  public var capability: StoreCapability { .atomicEpoch }

  public func open(_ functions: [FunctionIdentity], range: KeyRange, refresh: Bool) throws -> [Checkpoint] {
    for function in functions { try Names.check(function) }
    try Names.checkShared(functions)
    return try writer.withLock { writer in
      let made = try writer ?? Writer(path: path, options: options, owner: RunOwner.text(since: options.now()))
      writer = made
      return try made.open(functions, range: range, refresh: refresh)
    }
  }

  public func commit(_ epoch: EpochCommit) throws -> CommitOutcome {
    try withWriter { try $0.commit(epoch) }
  }

  public func takenOver() throws -> Takeover? { try withWriter { try $0.takenOver() } }

  public func kept(of function: String, _ filter: KeptFilter, after number: Int64, limit: Int) throws -> [KeptEvent] {
    try withWriter { try $0.kept(of: function, filter, after: number, limit: limit) }
  }

  public func load(_ table: TableSchema, keys: [Text], into rows: KeyedRows) throws {
    try reader.withLock { reader in
      let made =
        try reader
        ?? Connection(
          Connection.plain(path), path: path, flags: SQLITE_OPEN_READONLY,
          busyTimeoutMilliseconds: options.busyTimeoutMilliseconds)
      reader = made
      try made.load(table, keys: keys, into: rows)
    }
  }

  public func keep(_ mark: DeliveryMark, of function: String) throws {
    try marker.withLock { marker in
      let made = try marker ?? Connection.toMark(path, options)
      marker = made
      try CheckpointRows(connection: made, key: CheckpointKey(function: function, range: .all)).keep(mark)
    }
  }

  /// Moves all that was committed into the file itself, so that no other file is beside it, unless another program
  /// reads it now.
  public func close() throws {
    reader.withLock { $0 = nil }
    marker.withLock { $0 = nil }
    writer.withLock { writer in
      if let handle = writer?.connection.handle {
        // Refused while another connection reads; the next one to close does it.
        sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
      }
      writer = nil
    }
  }

  /// Lends the writing side. For tests that need SQLite itself to fail.
  package func withWriter<Result: Sendable>(_ body: (Writer) throws -> Result) throws -> Result {
    try writer.withLock { writer in
      guard let writer else { throw ReplayError(.unexpected, "the store is not open: \(path)") }
      return try body(writer)
    }
  }
}
