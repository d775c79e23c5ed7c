import CPQ
import ReplayCore
import ReplaySQL

/// What one run writes with: its connection and the fences it took.
///
/// `@unchecked Sendable`: lies in a `Mutex` and is used under its lock only.
final class PostgresWriter: @unchecked Sendable {
  private var line: PostgresLine
  private let address: PostgresAddress
  private let options: PostgresStore.Options
  private let owner: String
  private var fences = Fences()
  /// For each function, how many commits it has as far as this run was told.
  private var commits: [String: Int64] = [:]
  /// Of the session `stagedIn`, the tables that have temporary tables, with their numbers.
  private var staged: [TableSchema: Int] = [:]
  private var stagedIn = 0
  /// Tables that have no primary key yet.
  private var keyless: Set<TableSchema> = []
  /// How many rows of a table go at once through the gate.
  private var slices: [TableSchema: SliceSize] = [:]

  init(_ address: PostgresAddress, _ options: PostgresStore.Options, owner: String) {
    self.address = address
    self.options = options
    self.owner = owner
    line = PostgresLine(address, options)
  }

  private var now: String { options.now().description }

  static let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"

  func open(_ functions: [FunctionIdentity], range: KeyRange, refresh: Bool) throws -> [Checkpoint] {
    let (opened, keyed) = try line.patiently { connection in
      try namingHolder(on: connection) {
        try connection.writing {
          try checkPrivileges(on: connection)
          // One after another: two would make one table at the same time.
          try connection.run("SELECT pg_catalog.pg_advisory_xact_lock(?)", [Self.openingLock(connection.schema)])
          let opening = Opening(
            connection: connection, tables: PostgresTableMaker(connection: connection), range: range, refresh: refresh,
            owner: owner, command: options.command, now: now)
          return (try opening.run(functions), try connection.keyedTables())
        }
      }
    }
    fences = fences.adding(zip(functions, opened).map { ($0.name, $1.fence) }, range: range)
    for (function, opened) in zip(functions, opened) { commits[function.name] = Int64(opened.checkpoint.epochs) }
    let tables = functions.flatMap(\.tables)
    keyless.subtract(tables)
    keyless.formUnion(tables.filter { !keyed.contains($0.storedName) })
    return opened.map(\.checkpoint)
  }

  /// Before anything is emptied or made.
  private func checkPrivileges(on connection: PostgresConnection) throws {
    let sql = "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY')::int"
    guard try connection.query(sql, [], { $0.integer(0) }).first == 0 else { return }
    throw ReplayError(
      .permission, "the store may not be used: \(address.shown)",
      details: ["the role may not make temporary tables, through which rows go"], effect: "nothing was written",
      next: "GRANT TEMPORARY ON DATABASE … TO the role (docs/postgresql.md lists all that it needs)")
  }

  /// A number for the schema; of the database's programs that lock numbers, two may by chance wait for each other.
  private static func openingLock(_ schema: String) -> SQLValue {
    let hash = Array("replay opens \(schema)".utf8).withUnsafeBytes { Text($0).keyHash }
    return .integer(Int64(bitPattern: hash))
  }

  func takenOver() throws -> Takeover? {
    let fences = fences
    return try line.patiently { try fences.takeover(on: $0) }
  }

  func kept(of function: String, _ filter: KeptFilter, after number: Int64, limit: Int) throws -> [KeptEvent] {
    let key = fences.key(function)
    return try line.patiently {
      try KeptRows(connection: $0, key: key).events(filter, after: number, limit: limit)
    }
  }

  /// Adds to a "locked" error who opened the store last, if that can be read.
  private func namingHolder<Result>(on connection: PostgresConnection, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch var error as ReplayError where error.code == .temporary {
      guard error.details.contains(where: { $0.contains("55P03") }) else { throw error }
      error.details.insert("waited \(options.patienceMilliseconds) ms for another program to end its writing", at: 0)
      let sql = "SELECT DISTINCT function, owner FROM _replay_functions ORDER BY function"
      let owners = try? connection.query(sql) { ($0.text(0), $0.text(1)) }
      for (function, owner) in owners ?? [] where owner != self.owner {
        error.details.append("the last run of \(function) is \(owner)")
      }
      throw error
    }
  }

  // MARK: An epoch

  /// What became of one attempt.
  private enum Attempt {
    case ended(CommitOutcome)
    /// The answer to COMMIT was lost. `before`: the function's commits up to then.
    case unanswered(rows: UInt64, before: Int64)
  }

  /// How often a COMMIT that was not answered, and not done, is tried.
  private static let mostTries = 16

  func commit(_ epoch: EpochCommit) throws -> CommitOutcome {
    for _ in 0..<PostgresWriter.mostTries {
      let attempted = try line.attempting { connection, session in
        try namingHolder(on: connection) { try attempt(epoch, on: connection, session: session) }
      }
      switch attempted {
      case .ended(let outcome):
        if case .committed = outcome { committed(epoch) }
        return outcome
      case .unanswered(let rows, let before):
        guard let outcome = resolve(epoch, rows: rows, before: before) else { continue }
        if case .committed = outcome { committed(epoch) }
        return outcome
      }
    }
    throw ReplayError(
      .unavailable, "the database server ends the connection whenever this run commits: \(address.shown)",
      details: ["\(PostgresWriter.mostTries) tries"], effect: RowKey.effect,
      next: "see the server's log, then run the same command again")
  }

  private func attempt(_ epoch: EpochCommit, on connection: PostgresConnection, session: Int) throws -> Attempt {
    if session != stagedIn { (staged, stagedIn) = ([:], session) }
    let sending = try sendings(epoch, on: connection)
    do {
      if options.gate != nil { try addKeys(epoch, sending, on: connection) }
      let fenced = try connection.pipelined {
        try connection.run(PostgresWriter.begin)
        return try fences.takeover(of: epoch, on: connection)
      }
      if let fenced {
        connection.rollback()
        return .ended(.fenced(function: fenced.function, by: fenced.owner))
      }
      let before = try commits(of: epoch, on: connection)
      try verifyKept(epoch, before)
      var rows: UInt64 = 0
      for function in epoch.functions { rows += try write(function, sending) }
      let (time, command) = (now, options.command)
      try connection.pipelined {
        for function in epoch.functions {
          try CheckpointRows(connection: connection, key: fences.key(function.name)).add(
            function, at: time, command: command)
        }
      }
      do { try connection.batch("COMMIT") } catch is LostConnection {
        return .unanswered(rows: rows, before: before ?? 0)
      }
      return .ended(.committed(rows: rows))
    } catch {
      connection.rollback()
      if let error = error as? PostgresError { throw error.error }
      throw error
    }
  }

  /// The epoch is in the store.
  private func committed(_ epoch: EpochCommit) {
    for set in epoch.functions.flatMap(\.changes) where set.count > 0 { keyless.remove(set.schema) }
    for function in epoch.functions { commits[function.name, default: 0] += 1 }
  }

  /// A server may come back without commits that it had said were done. What this run would write is made on top of them.
  private func verifyKept(_ epoch: EpochCommit, _ found: Int64?) throws {
    guard let first = epoch.functions.first, let known = commits[first.name], (found ?? 0) < known else { return }
    throw ReplayError(
      .temporary, "the database lost commits that it had said were done: \(address.shown)",
      details: [
        "\(first.name) has \(found ?? 0) commits there, \(known) were done",
        "that happens with synchronous_commit = off, and where a standby takes over that was behind",
      ], effect: RowKey.effect, next: "run the same command again: it goes on from what the database has")
  }

  /// How many commits the epoch's first function has: all of an epoch is one commit, so one of them tells.
  private func commits(of epoch: EpochCommit, on connection: PostgresConnection) throws -> Int64? {
    guard let first = epoch.functions.first else { return nil }
    let sql = "SELECT epochs FROM _replay_functions WHERE \(CheckpointKey.condition)"
    return try connection.query(sql, fences.key(first.name).values) { $0.integer(0) }.first
  }

  /// What became of a COMMIT that was not answered; nil: it was not done, and the epoch can be written again. The lock
  /// waits for the server to be done with it.
  private func resolve(_ epoch: EpochCommit, rows: UInt64, before: Int64) -> CommitOutcome? {
    let found = try? line.patiently { connection in
      try connection.writing {
        let taken = try fences.takeover(of: epoch, on: connection)
        return (taken: taken, commits: try commits(of: epoch, on: connection))
      }
    }
    // Who took the function over may have committed since: then its number of commits says nothing of ours.
    guard let found, found.taken == nil, let commits = found.commits else { return .unknown }
    if commits == before { return nil }
    return commits == before + 1 ? .committed(rows: rows) : .unknown
  }

  // MARK: Rows

  private func sendings(_ epoch: EpochCommit, on connection: PostgresConnection) throws -> [TableSchema: RowSending] {
    var all: [TableSchema: RowSending] = [:]
    for table in epoch.functions.flatMap(\.changes).map(\.schema) where all[table] == nil {
      let known = staged[table]
      let sending = RowSending(table, number: known ?? staged.count, on: connection)
      if known == nil {
        try sending.prepare()
        staged[table] = staged.count
      }
      all[table] = sending
    }
    return all
  }

  /// Of tables that have no primary key yet, in transactions of their own: who reads a table waits while it has none, and an
  /// epoch that is written slowly would keep him waiting. On an empty table it takes no time.
  private func addKeys(
    _ epoch: EpochCommit, _ sending: [TableSchema: RowSending], on connection: PostgresConnection
  ) throws {
    let tables = epoch.functions.flatMap(\.changes).filter { $0.count > 0 }.map(\.schema)
    let lacking = Set(tables).intersection(keyless)
    guard !lacking.isEmpty else { return }
    // The answer to an earlier attempt may have been lost.
    let keyed = try connection.keyedTables()
    for table in lacking.sorted(by: { $0.storedName < $1.storedName }) where !keyed.contains(table.storedName) {
      let isOurs = try connection.writing {
        let isOurs = try fences.takeover(of: epoch, on: connection) == nil
        if isOurs { try sending[table]?.addKey() }
        return isOurs
      }
      // The epoch finds out the same, and says it.
      guard isOurs else { return }
      keyless.remove(table)
    }
    keyless.subtract(lacking)
  }

  private func write(_ function: EpochCommit.Function, _ sending: [TableSchema: RowSending]) throws -> UInt64 {
    var written: UInt64 = 0
    var done: Set<TableSchema> = []
    for table in function.changes.map(\.schema) where done.insert(table).inserted {
      let sets = function.changes.filter { $0.schema.storedName == table.storedName }
      guard let sending = sending[table] else { continue }
      let deletes = sets.flatMap(\.deletes)
      let count = sets.reduce(0) { $0 + $1.count }
      if let gate = options.gate {
        var slice = slices[table] ?? SliceSize(rows: options.sliceRows)
        defer { slices[table] = slice }
        try sending.delete(deletes, through: gate, &slice)
        try sending.write(sets, through: gate, &slice)
      } else {
        if !deletes.isEmpty { try sending.delete(deletes) }
        if count > 0 { try sending.write(sets, isKeyless: keyless.contains(table)) }
      }
      written += UInt64(deletes.count + count)
    }
    return written
  }
}

extension PostgresConnection {
  /// Runs `body` in one write transaction, which is rolled back where `body` throws.
  func writing<Result>(_ body: () throws -> Result) throws -> Result {
    try batch(PostgresWriter.begin)
    do {
      let result = try body()
      try batch("COMMIT")
      return result
    } catch {
      rollback()
      if let error = error as? PostgresError { throw error.error }
      throw error
    }
  }
}
