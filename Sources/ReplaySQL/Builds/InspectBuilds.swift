import ReplayCore

extension SQLInspector {
  package func builds(of function: String?) throws -> [StoredBuild] {
    try reading { connection in try BuildRows(connection: connection).builds(of: function) }
  }

  package func snapshot<Found>(of function: String, _ read: (BuildSnapshot) throws -> Found) throws -> Found {
    let found = try reading { connection in [try read(try BuildSnapshot(of: function, on: connection))] }
    guard let found = found.first else { throw unknown(function) }
    return found
  }

  package func beginBuild(of function: String, asOf past: String?, now: Timestamp) throws -> StoredBuild {
    try changing { connection in
      let rows = BuildRows(connection: connection)
      let builds = try rows.known(of: function)
      guard let serving = builds.serving else { throw unknown(function) }
      let begun = try past.map { try Self.past(builds, of: $0, on: connection) } ?? builds.building
      if let begun { return begun }
      if builds.count == 1 { try rows.put(serving) }
      let number = (builds.map(\.number).max() ?? 0) + 1
      let build = StoredBuild(
        function, number: number, state: past == nil ? .building : .past, since: now.description)
      try rows.put(build)
      return build
    }
  }

  /// The one that is made of the same events.
  private static func past(
    _ builds: [StoredBuild], of filter: String, on connection: any SQLConnection
  ) throws -> StoredBuild? {
    try builds.first { build in
      let key = CheckpointKey(function: build.name, range: .all)
      return try build.state == .past && FilterRows(connection: connection, key: key).read().words == filter
    }
  }

  package func record(_ comparison: StoredBuild.Comparison, of build: StoredBuild) throws {
    try changing { try BuildRows(connection: $0).put(comparison, of: build) }
  }

  package func hold(_ build: StoredBuild, at bounds: [Partition: Position], now: Timestamp) throws {
    try changing { try Holds(connection: $0, now: now.microseconds / 1000).put(bounds, of: build.name) }
  }

  package func release(_ build: StoredBuild) throws {
    try changing { try Holds(connection: $0, now: 0).drop(build.name) }
  }

  package func bounds(of name: String, now: Timestamp) throws -> [Partition: Position] {
    let found = try reading { [try Holds(connection: $0, now: now.microseconds / 1000).bounds(of: name)] }
    return found.first ?? [:]
  }

  package func switchBuild(
    of function: String, to number: Int, by owner: String, now: Timestamp,
    _ verify: (_ from: BuildStanding, _ to: BuildStanding) throws -> Void
  ) throws -> (serving: StoredBuild, kept: StoredBuild) {
    let done = try changing { connection in
      try BuildSwitch(
        connection: connection, tables: switching(on: connection), function: function, number: number, owner: owner,
        now: now.description
      ).run(verify)
    }
    return (done.serving, done.kept)
  }

  package func equipBuild(of function: String, _ number: Int) throws {
    try changing { connection in
      let builds = try BuildRows(connection: connection).known(of: function)
      let stored = try StoredFunction.all(on: connection)
      guard let target = builds.number(number), target.state != .serving, target.state != .pruned,
        let new = stored.first(where: { $0.key.function == target.name }),
        let old = stored.first(where: { $0.key.function == function })
      else { return }
      for table in new.tables {
        let twin = old.tables.first { FunctionBuild.table($0, number: number) == table }
        if let twin { try switching(on: connection).equip(table, like: twin, build: number) }
      }
    }
  }

  package func prune(_ build: StoredBuild, now: Timestamp) throws {
    try changing { connection in
      let key = CheckpointKey(function: build.name, range: .all)
      try connection.lock(key)
      let rows = BuildRows(connection: connection)
      guard var known = try rows.known(of: build.function).number(build.number), known.state != .serving else {
        throw ReplayError(
          .usage, "build \(build.number) of \(build.function) serves now", effect: "nothing was dropped",
          next: "see `replay status`")
      }
      if known.state == .pruned { return }
      let stored = try StoredFunction.all(on: connection).first { $0.key.function == known.name }
      for table in stored?.tables ?? [] { try connection.run("DROP TABLE IF EXISTS \(SQLDialect.quoted(table))") }
      for table in OwnTables.ofFunctions + ["_replay_functions"] {
        try connection.run("DELETE FROM \(table) WHERE \(CheckpointKey.condition)", key.values)
      }
      (known.state, known.since) = (.pruned, now.description)
      try rows.put(known)
    }
  }

  /// A write transaction in a store that an older replay may have made.
  private func changing<Result>(_ body: (any SQLConnection) throws -> Result) throws -> Result {
    try writing { connection in
      guard try OwnTables.exist(on: connection) else {
        throw ReplayError(
          .usage, "no function has run into this store yet: \(place)", effect: "nothing was changed",
          next: "see `replay run`")
      }
      try OwnTables.create(on: connection)
      return try body(connection)
    }
  }
}
