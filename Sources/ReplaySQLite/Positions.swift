import ReplayCore

/// How far one function is: what a store knows of it without a look at its rows or segments.
public struct FunctionPositions: Sendable {
  public let name: String
  public let phase: Phase
  /// The next position of each partition; of both sides.
  public let next: [Partition: Position]

  public init(name: String, phase: Phase, next: [Partition: Position]) {
    self.name = name
    self.phase = phase
    self.next = next
  }
}

extension SQLiteStore {
  /// How far each function is, from one snapshot and beside a running writer: light enough to be asked a hundred times a
  /// second. Changes nothing and makes no file. Errors as of `inspect`.
  public static func positions(_ path: String) throws -> [FunctionPositions] {
    try StoreFile.reading(path) { connection in
      try StoredFunction.all(on: connection).map { stored in
        let rows = CheckpointRows(connection: connection, key: stored.key)
        return FunctionPositions(
          name: stored.key.function, phase: stored.phase,
          next: Dictionary(try rows.positions(), uniquingKeysWith: { $1 }))
      }
    }
  }
}
