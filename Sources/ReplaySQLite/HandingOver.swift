import CSQLite
import ReplayCore

extension CheckpointRows {
  /// What is of a stream.
  fileprivate func followed(_ phase: Phase) throws -> Checkpoint {
    var checkpoint = Checkpoint(
      frontier: Dictionary(try positions(), uniquingKeysWith: { $1 }).filter { $0.key.side == .live }, phase: phase)
    checkpoint.lastEvents = try lastEvents()
    checkpoint.archivedAhead = try archivedAhead()
    checkpoint.kept = try KeptRows(connection: connection, key: key).totals()
    return checkpoint
  }
}

extension SQLiteStore {
  /// Where the function stands in its stream just now; a run may move it on. Changes nothing. Errors as of `handOver`.
  public static func followed(_ function: String, in path: String) throws -> Checkpoint {
    let found = try StoreFile.reading(path) { connection in
      let stored = try stored(function, on: connection, path)
      return [try CheckpointRows(connection: connection, key: stored.key).followed(stored.phase)]
    }
    guard let checkpoint = found.first else { throw unknown(function, path) }
    return checkpoint
  }

  private static func stored(_ function: String, on connection: Connection, _ path: String) throws -> StoredFunction {
    guard let stored = try StoredFunction.all(on: connection).first(where: { $0.key.function == function }) else {
      throw unknown(function, path)
    }
    return stored
  }

  private static func unknown(_ function: String, _ path: String) -> ReplayError {
    ReplayError(.usage, "the store has no function \(function): \(path)", next: "see `replay status`")
  }

  /// Takes the function away from whoever runs it, and notes that another consumer goes on with its stream; or, `phase`
  /// live, that none does after all. Answers the function's checkpoint, as far as it is of a stream,
  /// which does not move any more.
  ///
  /// Errors: `.usage` where the store has no such function, `.temporary` where it is locked.
  public static func handOver(
    _ function: String, in path: String, to owner: String, phase: Phase = .handedOver, busyTimeoutMilliseconds: Int32
  ) throws -> Checkpoint {
    let connection = try Connection(
      path, path: path, flags: SQLITE_OPEN_READWRITE, busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    try connection.run("BEGIN IMMEDIATE")
    do {
      try OwnTables.checkFormat(on: connection)
      let stored = try stored(function, on: connection, path)
      try connection.run(
        "UPDATE _replay_functions SET fence = fence + 1, owner = ?, phase = ? WHERE \(CheckpointKey.condition)",
        [.text(owner), .text(phase.rawValue)] + stored.key.values)
      let rows = CheckpointRows(connection: connection, key: stored.key)
      let checkpoint = try rows.followed(phase)
      try connection.run("COMMIT")
      return checkpoint
    } catch {
      connection.rollback()
      throw error
    }
  }
}
