import ReplayCore

/// What `open` does inside its one transaction: refuses what does not fit, makes what is missing, takes the fences.
struct Opening {
  let connection: Connection
  let range: KeyRange
  let refresh: Bool
  let owner: String
  /// The command line of this run: kept of a function that nothing was committed for. Else a commit brings it, so that
  /// a run that came to nothing does not take the place of one that works.
  let command: String
  /// The time, as text.
  let now: String

  struct Opened {
    let checkpoint: Checkpoint
    let fence: Int64
  }

  func run(_ functions: [FunctionIdentity]) throws -> [Opened] {
    try OwnTables.create(on: connection)
    let stored = try StoredFunction.all(on: connection)
    for function in functions {
      let refusal = Refusal(function: function, range: range, refresh: refresh, path: connection.path)
      try refusal.check(against: stored, objects: try objects())
    }
    for function in functions { try prepare(function, stored.filter { $0.key.function == function.name }) }
    for function in functions { try takeFence(function) }
    for function in functions { try makeViews(function, stored.filter { $0.key.function == function.name }) }
    for view in functions.flatMap(\.views) { try validate(view) }
    let opened = try StoredFunction.all(on: connection)
    return try functions.map { try read($0, opened) }
  }

  /// The names in the database, in lower case, and each one's SQL.
  private func objects() throws -> [String: String] {
    let rows = try connection.query("SELECT lower(name), coalesce(sql, '') FROM sqlite_schema") {
      ($0.text(0), $0.text(1))
    }
    return Dictionary(rows, uniquingKeysWith: { first, _ in first })
  }

  private func prepare(_ function: FunctionIdentity, _ stored: [StoredFunction]) throws {
    if refresh, let mine = stored.first {
      for view in mine.views { try connection.run("DROP VIEW IF EXISTS \(TableSQL.quoted(view))") }
      for table in mine.tables { try connection.run("DROP TABLE IF EXISTS \(TableSQL.quoted(table))") }
      try CheckpointRows(connection: connection, key: mine.key).forget()
    }
    let present = try objects()
    for table in function.tables where present[table.name.lowercased()] == nil {
      try connection.run(TableSQL(schema: table).create)
    }
  }

  private func takeFence(_ function: FunctionIdentity) throws {
    let restart = refresh ? ", events = 0, epochs = 0, phase = excluded.phase, updated_at = excluded.updated_at" : ""
    let sql = """
      INSERT INTO _replay_functions VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, 0, 0, ?, ?, ?)
      ON CONFLICT DO UPDATE SET fence = fence + 1, owner = excluded.owner, format = excluded.format,
        version = excluded.version, shape = excluded.shape, 
        reading = CASE excluded.reading WHEN '' THEN reading ELSE excluded.reading END,
        command = CASE epochs WHEN 0 THEN excluded.command ELSE command END, tables = excluded.tables, views = excluded.views\(restart)
      """
    let values: [Value] = [
      .integer(OwnTables.format), .integer(Int64(function.version)), .text(function.shape),
      .text(function.tables.map(\.name).joined(separator: ",")),
      .text(function.views.map(\.name).joined(separator: ",")), .text(owner), .text(Phase.archive.rawValue), .text(now),
      .text(function.reading), .text(command),
    ]
    try connection.run(sql, key(function).values + values)
    if function.layout.isEmpty { return }
    try connection.run(
      "INSERT OR REPLACE INTO _replay_layouts VALUES (?, ?, ?, ?)", key(function).values + [.text(function.layout)])
  }

  private func makeViews(_ function: FunctionIdentity, _ stored: [StoredFunction]) throws {
    let kept = Set(function.views.map { $0.name.lowercased() })
    for old in Set(stored.flatMap(\.views)) where !kept.contains(old.lowercased()) {
      try connection.run("DROP VIEW IF EXISTS \(TableSQL.quoted(old))")
    }
    let present = try objects()
    for view in function.views {
      let sql = "CREATE VIEW \(TableSQL.quoted(view.name)) AS \(view.select)"
      if present[view.name.lowercased()] == sql { continue }
      try connection.run("DROP VIEW IF EXISTS \(TableSQL.quoted(view.name))")
      do {
        try connection.run(sql)
      } catch let error as ReplayError where error.code == .unexpected || error.code == .usage {
        throw Opening.refused(view, error)
      }
    }
  }

  /// SQLite looks at a view's columns only when it is read.
  private func validate(_ view: FunctionIdentity.View) throws {
    do {
      try connection.run("SELECT * FROM \(TableSQL.quoted(view.name)) LIMIT 0")
    } catch let error as ReplayError where error.code == .unexpected {
      throw Opening.refused(view, error)
    }
  }

  private static func refused(_ view: FunctionIdentity.View, _ error: ReplayError) -> ReplayError {
    ReplayError(
      .usage, "the view \(view.name) is not a SELECT that SQLite can run", details: error.details,
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
    var checkpoint = try CheckpointRows(connection: connection, key: key).read(mine, tables: function.tables)
    checkpoint.run = fence
    return Opened(checkpoint: checkpoint, fence: fence)
  }
}
