import ReplayCore

extension CheckpointRows {
  /// What is of a stream.
  fileprivate func followed(_ phase: Phase) throws -> Checkpoint {
    var checkpoint = Checkpoint(
      frontier: Dictionary(try positions(), uniquingKeysWith: { $1 }).filter { $0.key.side == .live }, phase: phase)
    checkpoint.lastEvents = try lastEvents()
    checkpoint.archivedAhead = try archivedAhead()
    checkpoint.kept = try KeptRows(connection: connection, key: key).totals()
    checkpoint.filter = try FilterRows(connection: connection, key: key).read()
    return checkpoint
  }
}

extension SQLInspector {
  package func followed(_ function: String) throws -> Checkpoint {
    let found = try reading { connection in
      let stored = try stored(function, on: connection)
      return [try CheckpointRows(connection: connection, key: stored.key).followed(stored.phase)]
    }
    guard let checkpoint = found.first else { throw unknown(function) }
    return checkpoint
  }

  private func stored(_ function: String, on connection: any SQLConnection) throws -> StoredFunction {
    guard let stored = try StoredFunction.all(on: connection).first(where: { $0.key.function == function }) else {
      throw unknown(function)
    }
    return stored
  }

  func unknown(_ function: String) -> ReplayError {
    ReplayError(.usage, "the store has no function \(function): \(place)", next: "see `replay status`")
  }

  package func handOver(_ function: String, to owner: String, phase: Phase) throws -> Checkpoint {
    try writing { connection in
      try OwnTables.checkFormat(on: connection)
      let stored = try stored(function, on: connection)
      try connection.run(
        "UPDATE _replay_functions SET fence = fence + 1, owner = ?, phase = ? WHERE \(CheckpointKey.condition)",
        [.text(owner), .text(phase.rawValue)] + stored.key.values)
      return try CheckpointRows(connection: connection, key: stored.key).followed(phase)
    }
  }
}
