import ReplayCore

/// Points readers at another build of a function, in one transaction: renames the tables, and everything that is kept under
/// the builds' names with them. Whoever runs one of the two builds is fenced, and finds itself under the other name.
struct BuildSwitch {
  let connection: any SQLConnection
  let tables: any TableSwitching
  let function: String
  let number: Int
  /// Who switches, for the run that is fenced.
  let owner: String
  let now: String

  struct Done: Sendable, Equatable {
    let serving: StoredBuild
    let kept: StoredBuild
  }

  /// Asks `verify` within the transaction, and does it. Errors: what `verify` throws, `.temporary` where readers are in the
  /// way, `.usage` where there is no such build or its tables cannot take the others' places.
  func run(_ verify: (_ from: BuildStanding, _ to: BuildStanding) throws -> Void) throws -> Done {
    let rows = BuildRows(connection: connection)
    for name in [function, FunctionBuild.name(function, number: number)].sorted() {
      try connection.lock(CheckpointKey(function: name, range: .all))
    }
    let builds = try rows.known(of: function)
    guard var serving = builds.serving, var target = builds.number(number), target.state != .pruned else {
      throw Self.unknown(function, number)
    }
    // The answer to a transaction that did it was lost.
    if target.number == serving.number { return Done(serving: serving, kept: builds.previous ?? serving) }
    let (old, new) = (try side(serving), try side(target))
    try verify(old.standing, new.standing)
    let views = try moveRows(old, new, keeping: FunctionBuild.name(function, number: serving.number))
    (serving.state, target.state, serving.since, target.since) = (.kept, .serving, now, now)
    for build in [serving, target] { try rows.put(build) }
    let holds = Holds(connection: connection, now: 0)
    for side in [old, new] { try holds.drop(side.stored.key.function) }
    try moveTables(old, new, serving.number, views)
    return Done(serving: target, kept: serving)
  }

  static func unknown(_ function: String, _ number: Int) -> ReplayError {
    ReplayError(
      .usage, "the store has no build \(number) of \(function)", effect: "nothing was changed",
      next: "see `replay status`")
  }

  private struct Side {
    let standing: BuildStanding
    let stored: StoredFunction
  }

  private func side(_ build: StoredBuild) throws -> Side {
    guard let stored = try StoredFunction.all(on: connection).first(where: { $0.key.function == build.name }) else {
      throw Self.unknown(function, build.number)
    }
    return Side(standing: try connection.standing(of: build, stored), stored: stored)
  }

  // MARK: Rows

  private typealias Views = (old: [(name: String, query: String)], new: [(name: String, query: String)])

  /// Gives each build's rows the other name; answers the views of both.
  private func moveRows(_ old: Side, _ new: Side, keeping name: String) throws -> Views {
    let rows = BuildRows(connection: connection)
    let views = (old: try rows.views(of: old.stored.key), new: try rows.views(of: new.stored.key))
    let fence = try connection.query("SELECT max(fence) FROM _replay_functions") { $0.integer(0) }.first ?? 0
    try move(old.stored.key, to: name, fence: fence + 1, tables: old.stored.tables.map { beside($0, old) }, views: [])
    try move(
      new.stored.key, to: function, fence: fence + 1, tables: new.stored.tables.map { plain($0, new) },
      views: views.new.map(\.name))
    return views
  }

  private func move(_ key: CheckpointKey, to name: String, fence: Int64, tables: [String], views: [String]) throws {
    for table in OwnTables.ofFunctions where try connection.has(table) {
      try connection.run(
        "UPDATE \(table) SET function = ? WHERE \(CheckpointKey.condition)", [.text(name)] + key.values)
    }
    try connection.run(
      """
      UPDATE _replay_functions SET function = ?, fence = ?, owner = ?, tables = ?, views = ?
      WHERE \(CheckpointKey.condition)
      """,
      [
        .text(name), .integer(fence), .text(owner), .text(tables.joined(separator: ",")),
        .text(views.joined(separator: ",")),
      ] + key.values)
  }

  private func beside(_ table: String, _ side: Side) -> String {
    FunctionBuild.table(table, number: side.standing.build.number)
  }

  /// As the function names it.
  private func plain(_ table: String, _ side: Side) -> String {
    FunctionBuild.plain(table, number: side.standing.build.number)
  }

  // MARK: Tables

  private func moveTables(_ old: Side, _ new: Side, _ number: Int, _ views: Views) throws {
    let wanted = new.stored.tables.map { plain($0, new) }.filter { !old.stored.tables.contains($0) }
    for name in wanted + old.stored.tables.map({ beside($0, old) }) {
      guard try connection.has(name.lowercased()) else { continue }
      throw ReplayError(
        .config, "the store already has something named \(name)",
        details: ["a table of \(function) is to have this name"],
        effect: "nothing was changed", next: "rename what is there, or the table in the function")
    }
    let obstacles = try tables.obstacles(old.stored.tables)
    if !obstacles.isEmpty {
      throw ReplayError(
        .config, "the tables that serve have what another table cannot be given", details: obstacles,
        effect: "nothing was changed", next: "drop it, switch, and make it again on the new tables")
    }
    let others = try tables.othersViews(over: old.stored.tables, but: old.stored.views + views.new.map(\.name))
    try tables.seize((old.stored.tables + new.stored.tables).sorted())
    for table in old.stored.tables { try tables.rename(table, to: beside(table, old)) }
    for table in new.stored.tables { try tables.rename(table, to: plain(table, new)) }
    let kept = Set(views.new.map { $0.name.lowercased() })
    for view in old.stored.views where !kept.contains(view.lowercased()) {
      try connection.run("DROP VIEW IF EXISTS \(SQLDialect.quoted(view))")
    }
    for view in views.new { try tables.make(view: view.name, query: view.query) }
    for view in others { try tables.make(view) }
  }
}

extension SQLConnection {
  /// How far a build is, on this connection's snapshot.
  func standing(of build: StoredBuild, _ stored: StoredFunction) throws -> BuildStanding {
    let rows = CheckpointRows(connection: self, key: stored.key)
    let left = try KeptRows(connection: self, key: stored.key).totals()
    return BuildStanding(
      build, phase: stored.phase, next: Dictionary(try rows.positions(), uniquingKeysWith: { $1 }),
      left: Int(left.parked + left.dead),
      filter: try FilterRows(connection: self, key: stored.key).read().words, events: stored.events,
      command: stored.command)
  }
}
