import ReplayCore

/// The numbers that a run took when it opened its functions. Who opens a function after it takes a higher one, and from
/// then on nothing of this run is written.
package struct Fences: Sendable {
  private let range: KeyRange
  private let numbers: [String: Int64]

  package init(range: KeyRange = .all, _ numbers: [String: Int64] = [:]) {
    self.range = range
    self.numbers = numbers
  }

  /// With those of functions that were opened now, over these keys.
  package func adding(_ taken: [(String, Int64)], range: KeyRange) -> Fences {
    Fences(range: range, numbers.merging(taken) { $1 })
  }

  /// Who took a function of the epoch over; asked inside its transaction and before anything is written, whatever the
  /// epoch holds.
  package func takeover(of epoch: EpochCommit, on connection: any SQLConnection) throws -> Takeover? {
    // In the same order by all runs: each has the rows that it asked for locked.
    for function in epoch.functions.map(\.name).sorted() {
      guard let mine = numbers[function] else {
        throw ReplayError(.unexpected, "the function \(function) was not opened in this store")
      }
      if let taken = try takeover(of: function, from: mine, locking: connection.dialect.rowLock, on: connection) {
        return taken
      }
    }
    return nil
  }

  /// Who took any of the functions over.
  package func takeover(on connection: any SQLConnection) throws -> Takeover? {
    for (function, mine) in numbers.sorted(by: { $0.key < $1.key }) {
      if let taken = try takeover(of: function, from: mine, on: connection) { return taken }
    }
    return nil
  }

  package func key(_ function: String) -> CheckpointKey { CheckpointKey(function: function, range: range) }

  private func takeover(
    of function: String, from mine: Int64, locking: String = "", on connection: any SQLConnection
  ) throws -> Takeover? {
    let sql = "SELECT fence, owner FROM _replay_functions WHERE \(CheckpointKey.condition)\(locking)"
    let stored = try connection.query(sql, key(function).values) { ($0.integer(0), $0.text(1)) }.first
    if let stored, stored.0 == mine { return nil }
    return Takeover(function: function, by: stored?.1 ?? "nobody: its row is gone from the store")
  }
}
