import CSQLite
import ReplayCore

extension SQLiteStore {
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
      guard let stored = try StoredFunction.all(on: connection).first(where: { $0.key.function == function }) else {
        throw ReplayError(.usage, "the store has no function \(function): \(path)", next: "see `replay status`")
      }
      try connection.run(
        "UPDATE _replay_functions SET fence = fence + 1, owner = ?, phase = ? WHERE \(CheckpointKey.condition)",
        [.text(owner), .text(phase.rawValue)] + stored.key.values)
      let rows = CheckpointRows(connection: connection, key: stored.key)
      var checkpoint = Checkpoint(
        frontier: Dictionary(try rows.positions(), uniquingKeysWith: { $1 }).filter { $0.key.side == .live },
        phase: phase)
      checkpoint.lastEvents = try rows.lastEvents()
      checkpoint.archivedAhead = try rows.archivedAhead()
      try connection.run("COMMIT")
      return checkpoint
    } catch {
      connection.rollback()
      throw error
    }
  }
}
