import CSQLite
import ReplayCore
import ReplaySQL

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// What one run writes with: its connection and the fences it took.
///
/// `@unchecked Sendable`: lies in a `Mutex` and is used under its lock only.
package final class Writer: @unchecked Sendable {
  package let connection: Connection
  private let options: SQLiteStore.Options
  private let owner: String
  private var fences = Fences()
  private var feeds: [TableSchema: RowFeed] = [:]
  private let programs: Programs
  /// Device and inode of the file that was opened.
  private let file: [UInt64]

  init(path: String, options: SQLiteStore.Options, owner: String) throws {
    self.options = options
    self.owner = owner
    connection = try Connection.toWrite(path, options)
    programs = Programs(connection)
    file = Writer.identity(of: path)
  }

  private static func identity(of path: String) -> [UInt64] {
    var facts = stat()
    guard stat(Connection.plain(path), &facts) == 0 else { return [] }
    return [UInt64(truncatingIfNeeded: facts.st_dev), UInt64(facts.st_ino)]
  }

  /// Throws where the path no longer names the file that was opened: what is written there is nobody's.
  private func checkFile() throws {
    guard Writer.identity(of: connection.path) != file else { return }
    throw ReplayError(
      .unavailable, "the store was removed or replaced while it was written: \(connection.path)",
      effect: "what this run has committed is in a file that has no name any more",
      next: "put the store back from a copy, or replay from the start into a new one")
  }

  private var now: String { options.now().description }

  func open(_ functions: [FunctionIdentity], range: KeyRange, refresh: Bool) throws -> [Checkpoint] {
    let opening = Opening(
      connection: connection, tables: TableMaker(connection: connection, programs: programs), range: range,
      refresh: refresh, owner: owner, command: options.command, now: now)
    let opened = try namingHolder { try connection.writing { try opening.run(functions) } }
    let taken = zip(functions, opened).map { ($0.name, $1.fence) }
    fences = fences.adding(taken, range: range)
    return opened.map(\.checkpoint)
  }

  func commit(_ epoch: EpochCommit) throws -> CommitOutcome {
    try namingHolder { try connection.run("BEGIN IMMEDIATE") }
    do {
      if let taken = try fences.takeover(of: epoch, on: connection) {
        connection.rollback()
        return .fenced(function: taken.function, by: taken.owner)
      }
      var rows: UInt64 = 0
      for function in epoch.functions {
        rows += try write(function) + programs.run(function)
        try CheckpointRows(connection: connection, key: fences.key(function.name)).add(
          function, at: now, command: options.command)
      }
      guard try end() else { return .unknown }
      try checkFile()
      return .committed(rows: rows)
    } catch {
      connection.rollback()
      programs.rolledBack()
      if let fault = error as? ProgramFault { try namingHolder { try programs.explain(fault, in: epoch) } }
      throw error
    }
  }

  func takenOver() throws -> Takeover? { try fences.takeover(on: connection) }

  func kept(of function: String, _ filter: KeptFilter, after number: Int64, limit: Int) throws -> [KeptEvent] {
    try KeptRows(connection: connection, key: fences.key(function)).events(filter, after: number, limit: limit)
  }

  private func write(_ function: EpochCommit.Function) throws -> UInt64 {
    var written: UInt64 = 0
    for set in function.changes where !set.deletes.isEmpty {
      let statement = try connection.prepared(TableSQL(schema: set.schema).delete)
      let writer = RowWriter(statement, table: set.schema, columns: set.schema.keys)
      for key in set.deletes {
        try key.withUnsafeBufferPointer { cells in
          // A delete has one cell for each key column, of which there is at least one.
          if let start = cells.baseAddress { try writer.write(start) }
        }
      }
      written += UInt64(set.deletes.count)
    }
    for table in function.changes.map(\.schema).uniqued() {
      let sets = function.changes.filter { $0.schema.storedName == table.storedName }
      if table.hasLists {
        let statement = try connection.prepared(TableSQL(schema: table).upsert)
        let writer = RowWriter(statement, table: table, columns: table.columns)
        let lists = try ListMerging(table, on: connection)
        try RowSet.eachInOrder(sets) { try lists.write($0, by: writer) }
      } else {
        try feed(of: table).write(sets, by: connection.prepared(TableSQL(schema: table).upsertFeed))
      }
      written += UInt64(sets.reduce(0) { $0 + $1.count })
    }
    return written
  }

  private func feed(of table: TableSchema) throws -> RowFeed {
    if let known = feeds[table] { return known }
    let feed = RowFeed(table)
    try feed.register(on: connection)
    feeds[table] = feed
    return feed
  }

  /// Ends the transaction: true where it is committed, false where nobody knows.
  private func end() throws -> Bool {
    do {
      try connection.run("COMMIT")
      return true
    } catch let error as ReplayError {
      // Where SQLite has left the transaction after an I/O error, its last page may have reached the disk or not.
      if error.code == .unavailable && !connection.isInTransaction { return false }
      throw error
    }
  }

  /// Adds to a "locked" error who opened the store last, if that can be read.
  private func namingHolder<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch var error as ReplayError where error.code == .temporary {
      sqlite3_busy_timeout(connection.handle, 0)
      defer { sqlite3_busy_timeout(connection.handle, options.busyTimeoutMilliseconds) }
      let owners = try? connection.query("SELECT DISTINCT function, owner FROM _replay_functions") {
        ($0.text(0), $0.text(1))
      }
      error.details.insert("waited \(options.busyTimeoutMilliseconds) ms for another program to end its writing", at: 0)
      for (function, owner) in owners ?? [] where owner != self.owner {
        error.details.append("the last run of \(function) is \(owner)")
      }
      throw error
    }
  }
}

extension Connection {
  /// Of a new file. Rows are written in bulk and in key order, and fewer pages cost fewer turns through cache, log and
  /// checkpoint: 2 M rows in 0.82 s, and 1.04 s with SQLite's 4,096.
  private static let pageBytes = 16 << 10

  /// A connection that commits durably, where `options` do not say otherwise: WAL, one fsync a commit. A rollback journal
  /// would save a tenth of a first load, and lock everyone out who reads meanwhile.
  static func toWrite(_ path: String, _ options: SQLiteStore.Options) throws -> Connection {
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
    let connection = try Connection(
      Connection.plain(path), path: path, flags: flags, busyTimeoutMilliseconds: options.busyTimeoutMilliseconds)
    if sqlite3_db_readonly(connection.handle, "main") == 1 {
      throw Failure.error(SQLITE_READONLY, "the file is read-only", path: path, doing: "opening the file")
    }
    try connection.run("PRAGMA cache_size = -\(options.cacheBytes / 1024)")
    // Of a new file only: SQLite ignores it in any other.
    try connection.run("PRAGMA page_size = \(pageBytes)")
    let encoding = try connection.query("PRAGMA encoding") { $0.text(0) }.first ?? ""
    // The tries are what waits: each would else wait as long again.
    sqlite3_busy_timeout(connection.handle, 0)
    defer { sqlite3_busy_timeout(connection.handle, options.busyTimeoutMilliseconds) }
    let mode = try connection.patiently(milliseconds: options.busyTimeoutMilliseconds) {
      try connection.query("PRAGMA journal_mode = WAL") { $0.text(0) }.first ?? ""
    }
    guard mode == "wal", encoding == "UTF-8" else {
      throw ReplayError(
        .config, "the store cannot be used: \(path)",
        details: ["its journal mode is \(mode), wal is needed", "its encoding is \(encoding), UTF-8 is needed"],
        next: "name a file on a local disk with --store")
    }
    try connection.run("PRAGMA synchronous = \(options.isSynced ? "FULL" : "OFF")")
    try connection.run("PRAGMA journal_size_limit = \(64 << 20)")
    return connection
  }

  /// A connection for small transactions that need only outlive this process: none is synced. It never moves the log into
  /// the file, which would have to be.
  static func toMark(_ path: String, _ options: SQLiteStore.Options) throws -> Connection {
    let connection = try Connection(
      plain(path), path: path, flags: SQLITE_OPEN_READWRITE,
      busyTimeoutMilliseconds: options.busyTimeoutMilliseconds)
    try connection.run("PRAGMA synchronous = NORMAL")
    try connection.run("PRAGMA wal_autocheckpoint = 0")
    return connection
  }

  /// A path that SQLite cannot take for one of its special names (`:memory:`, `file:…`, none).
  package static func plain(_ path: String) -> String { path.hasPrefix("/") ? path : "./" + path }
}

extension [TableSchema] {
  /// Each table once, in the order that they come in.
  fileprivate func uniqued() -> [TableSchema] {
    var seen: Set<String> = []
    return filter { seen.insert($0.storedName).inserted }
  }
}
