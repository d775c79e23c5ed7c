import ReplayCore

/// What `open` does inside its one transaction: refuses what does not fit, makes what is missing, takes the fences.
package struct Opening {
  let connection: any SQLConnection
  let tables: any TableMaking
  let range: KeyRange
  let refresh: Bool
  let owner: String
  /// The command line of this run: kept of a function that nothing was committed for. Else a commit brings it, so that
  /// a run that came to nothing does not take the place of one that works.
  let command: String
  /// The time, as text.
  let now: String

  package init(
    connection: any SQLConnection, tables: any TableMaking, range: KeyRange, refresh: Bool, owner: String,
    command: String, now: String
  ) {
    self.connection = connection
    self.tables = tables
    self.range = range
    self.refresh = refresh
    self.owner = owner
    self.command = command
    self.now = now
  }

  package struct Opened {
    package let checkpoint: Checkpoint
    package let fence: Int64
  }

  package func run(_ functions: [FunctionIdentity]) throws -> [Opened] {
    try OwnTables.create(on: connection)
    for function in functions.map(\.name).sorted() {
      try connection.lock(CheckpointKey(function: function, range: range))
    }
    let stored = try StoredFunction.all(on: connection)
    for function in functions {
      let refusal = Refusal(function: function, range: range, refresh: refresh, path: connection.path)
      try refusal.check(against: stored, objects: try tables.objects())
      try FilterRows(connection: connection, key: key(function)).open(
        function.filter, stored: stored.first { $0.key.function == function.name && $0.key.range == range },
        refresh: refresh)
    }
    for function in functions { try checkBuild(function) }
    for function in functions { try prepare(function, stored.filter { $0.key.function == function.name }) }
    let present = try tables.objects()
    try tables.openPrograms(of: functions) { present[$0.lowercased()] == nil }
    for function in functions { try takeFence(function) }
    for function in functions { try makeViews(function, stored.filter { $0.key.function == function.name }) }
    for view in functions.flatMap(\.viewNames) { try validate(view) }
    let opened = try StoredFunction.all(on: connection)
    return try functions.map { try read($0, opened) }
  }

  /// A cutover may have given the name to another build since it was looked up: its tables are not this run's.
  private func checkBuild(_ function: FunctionIdentity) throws {
    let rows = BuildRows(connection: connection)
    if refresh { try rows.forgetComparisons(of: function.build?.function ?? function.name) }
    guard let build = function.build else { return }
    let found = try rows.known(of: build.function).number(build.number)
    if let found, found.state != .pruned, found.name == function.name { return }
    throw ReplayError(
      .fenced, "build \(build.number) of \(build.function) is no longer \(function.name)",
      details: ["it is \(found.map { $0.state.rawValue } ?? "not in the store")", "store \(connection.path)"],
      effect: "nothing was applied", next: "see `replay status`")
  }

  private func prepare(_ function: FunctionIdentity, _ stored: [StoredFunction]) throws {
    if refresh, let mine = stored.first {
      for view in mine.views { try connection.run("DROP VIEW IF EXISTS \(SQLDialect.quoted(view))") }
      for table in mine.tables { try connection.run("DROP TABLE IF EXISTS \(SQLDialect.quoted(table))") }
      try CheckpointRows(connection: connection, key: mine.key).forget()
    }
    let present = try tables.objects()
    for table in function.tables where present[table.storedName.lowercased()] == nil {
      try tables.create(table)
    }
  }

  private func takeFence(_ function: FunctionIdentity) throws {
    let restart = refresh ? ", events = 0, epochs = 0, phase = excluded.phase, updated_at = excluded.updated_at" : ""
    let sql = """
      INSERT INTO _replay_functions AS mine VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, 0, 0, ?, ?, ?)
      ON CONFLICT (function, first, last) DO UPDATE SET fence = mine.fence + 1, owner = excluded.owner, format = excluded.format,
        version = excluded.version, shape = excluded.shape,
        reading = CASE excluded.reading WHEN '' THEN mine.reading ELSE excluded.reading END,
        command = CASE mine.epochs WHEN 0 THEN excluded.command ELSE mine.command END, tables = excluded.tables,
        views = excluded.views\(restart)
      """
    let values: [SQLValue] = [
      .integer(OwnTables.format), .integer(Int64(function.version)), .text(function.shape),
      .text(function.tableNames.joined(separator: ",")), .text(function.viewNames.joined(separator: ",")), .text(owner),
      .text(Phase.archive.rawValue), .text(now),
      .text(function.reading), .text(command),
    ]
    try connection.run(sql, key(function).values + values)
    if function.layout.isEmpty { return }
    try connection.run(
      """
      INSERT INTO _replay_layouts VALUES (?, ?, ?, ?)
      ON CONFLICT (function, first, last) DO UPDATE SET layout = excluded.layout
      """, key(function).values + [.text(function.layout)])
  }

  private func makeViews(_ function: FunctionIdentity, _ stored: [StoredFunction]) throws {
    let kept = Set(function.viewNames.map { $0.lowercased() })
    for old in Set(stored.flatMap(\.views)) where !kept.contains(old.lowercased()) {
      try connection.run("DROP VIEW IF EXISTS \(SQLDialect.quoted(old))")
    }
    let queries = function.views.map { (name: $0.name, query: tables.query(of: $0)) }
    try BuildRows(connection: connection).keep(queries, of: key(function))
    if function.isBeside { return }
    for view in function.views {
      do { try tables.make(view) } catch let error as ReplayError
        where error.code == .unexpected || error.code == .usage
      {
        throw refused(view.name, error)
      }
    }
  }

  /// A database may look at a view's columns only when it is read.
  private func validate(_ view: String) throws {
    do {
      try connection.run("SELECT * FROM \(SQLDialect.quoted(view)) LIMIT 0")
    } catch let error as ReplayError where error.code == .unexpected {
      throw refused(view, error)
    }
  }

  private func refused(_ view: String, _ error: ReplayError) -> ReplayError {
    ReplayError(
      .usage, "the view \(view) is not a SELECT that \(connection.dialect.program) can run", details: error.details,
      next: "correct the view's SELECT in the function")
  }

  private func key(_ function: FunctionIdentity) -> CheckpointKey {
    CheckpointKey(function: function.name, range: range)
  }

  private func read(_ function: FunctionIdentity, _ stored: [StoredFunction]) throws -> Opened {
    let key = key(function)
    let sql = "SELECT fence FROM _replay_functions WHERE \(CheckpointKey.condition)"
    guard let mine = stored.first(where: { $0.key.function == function.name && $0.key.range == range }),
      let fence = try connection.query(sql, key.values, { $0.integer(0) }).first
    else { throw unreadable("_replay_functions", "no row for \(function.name)") }
    var checkpoint = try CheckpointRows(connection: connection, key: key).read(mine, tables: function.tableNames)
    checkpoint.run = fence
    checkpoint.filter = try FilterRows(connection: connection, key: key).read()
    return Opened(checkpoint: checkpoint, fence: fence)
  }
}

/// What a database does in its own words when functions are opened, inside their one transaction.
package protocol TableMaking {
  /// The names in the database, in lower case, and each one's SQL where that is known.
  func objects() throws -> [String: String]
  func create(_ table: TableSchema) throws
  /// The view's SELECT in this database's words.
  func query(of view: FunctionIdentity.View) -> String
  /// Makes the view, or makes it anew where its SELECT has changed.
  func make(_ view: FunctionIdentity.View) throws
  /// Takes over the functions with programs, and makes what `missing` says is not there.
  func openPrograms(of functions: [FunctionIdentity], missing: (String) -> Bool) throws
}
