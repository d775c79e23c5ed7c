import ReplayCore

/// How many rows go at once where others are to have their turn between them: so many as take some milliseconds.
struct SliceSize: Equatable {
  var rows: Int

  /// Long enough that its statements' own cost is small, short beside what a reader notices.
  static let aimMicroseconds: Int64 = 5_000
  static let least = 20
  static let most = 20_000

  /// A slice of `count` rows took so long. A smaller one, which the last rows are, says nothing.
  mutating func took(_ microseconds: Int64, for count: Int) {
    guard count == rows else { return }
    let factor = Double(SliceSize.aimMicroseconds) / Double(max(1, microseconds))
    rows = min(max(Int(Double(rows) * min(max(factor, 0.5), 2)), SliceSize.least), SliceSize.most)
  }
}

/// The same as at once, in one transaction too.
extension RowSending {
  func delete(_ keys: [[Cell]], through gate: WorkGate, _ slice: inout SliceSize) throws {
    var left = keys[...]
    while !left.isEmpty {
      let now = left.prefix(slice.rows)
      left = left.dropFirst(now.count)
      try timed(gate, &slice, now.count) {
        try delete(now)
        try connection.batch(sql.emptyNewRows)
      }
    }
  }

  /// The table has its primary key.
  func write(_ sets: [RowSet], through gate: WorkGate, _ slice: inout SliceSize) throws {
    var (rest, left) = (RowSet.InOrder(sets), sets.reduce(0) { $0 + $1.count })
    guard left > 0 else { return }
    // One for all slices: snapshots of others are slow where a transaction has many.
    try connection.batch("SAVEPOINT \(RowSending.mark)")
    while left > 0 {
      let (rows, count) = (rest, min(left, slice.rows))
      left -= count
      do {
        try timed(gate, &slice, count) {
          rest = try send(rows, count)
          try connection.batch(sql.upsert, doing: merging)
          if left > 0 { try connection.batch(sql.emptyNewRows) }
        }
      } catch let error as PostgresError where error.isOverflow {
        try connection.batch("ROLLBACK TO SAVEPOINT \(RowSending.mark)")
        // The slice went with it. No key is in two of them, so the row is there as it was.
        _ = try send(rows, count)
        throw try overflowing(error)
      }
    }
    try connection.batch("RELEASE SAVEPOINT \(RowSending.mark)")
  }

  private func timed(_ gate: WorkGate, _ slice: inout SliceSize, _ count: Int, _ body: () throws -> Void) throws {
    try gate.working {
      let began = gate.now()
      try body()
      slice.took(gate.now() - began, for: count)
    }
  }
}
