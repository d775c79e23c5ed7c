import ReplayCore

/// A store as others see it: beside whoever writes it, and without opening a function. Errors of all: `.missing` where
/// there is no such store, `.config` where it is none or a newer replay's.
package protocol StoreInspector: Sendable {
  /// The path or the address, for messages.
  var place: String { get }
  /// What each function is known for. Changes nothing.
  func inspect() throws -> [FunctionStatus]
  /// How far each function is. Changes nothing.
  func positions() throws -> [FunctionPositions]
  /// The same to be asked again and again.
  func watch() -> any PositionsWatching
  /// The layout that was kept of each function that has one. Changes nothing.
  func layouts() throws -> [(function: String, layout: String)]
  /// The events that functions could not apply, of one or of all, in their order. Changes nothing.
  func failed(function: String?, _ filter: KeptFilter, withRecords: Bool) throws -> [FailedEvent]
  /// Forgets events for good, in one transaction. Where a key is no longer parked thereby, the function is taken away
  /// from whoever runs it, who would go on queueing that key's events.
  func dropFailed(function: String?, _ filter: KeptFilter, by owner: String) throws -> [DroppedEvents]
  /// Where the function stands in its stream just now; a run may move it on. Changes nothing.
  func followed(_ function: String) throws -> Checkpoint
  /// Takes the function away from whoever runs it, and notes that another consumer goes on with its stream; or, `phase`
  /// live, that none does after all. Answers the function's checkpoint, as far as it is of a stream, which does not move
  /// any more. Errors: `.usage` where the store has no such function, `.temporary` where it is locked.
  func handOver(_ function: String, to owner: String, phase: Phase) throws -> Checkpoint

  /// The builds of one function, or of all that were ever built anew. Changes nothing.
  func builds(of function: String?) throws -> [StoredBuild]
  /// What `read` makes of the function's builds in one snapshot. Changes nothing.
  func snapshot<Found>(of function: String, _ read: (BuildSnapshot) throws -> Found) throws -> Found
  /// The build that is made beside the one that serves: a new one where none is. `past`: a view of the past, of which
  /// events in words. Errors: `.usage` where nothing serves.
  func beginBuild(of function: String, asOf past: String?, now: Timestamp) throws -> StoredBuild
  /// Gives the build's tables the indexes and rights of those that serve. Once, before the switch: it reads the tables.
  func equipBuild(of function: String, _ number: Int) throws
  /// Points readers at another build, in one transaction, in which `verify` may throw. The build that served stays beside
  /// it. Answers the same where it serves already. Errors: `.temporary` where readers are in the way for now, `.config`
  /// where the tables cannot be switched.
  func switchBuild(
    of function: String, to number: Int, by owner: String, now: Timestamp,
    _ verify: (_ from: BuildStanding, _ to: BuildStanding) throws -> Void
  ) throws -> (serving: StoredBuild, kept: StoredBuild)
  /// Drops the build's tables and all that is known of it but its number.
  func prune(_ build: StoredBuild, now: Timestamp) throws
  /// Lets whoever follows the build's stream not go beyond these positions for the next ten seconds, or until `release`.
  func hold(_ build: StoredBuild, at bounds: [Partition: Position], now: Timestamp) throws
  func release(_ build: StoredBuild) throws
  /// Where the checkpoint of this name is held; empty where it is not.
  func bounds(of name: String, now: Timestamp) throws -> [Partition: Position]
  /// Keeps what a comparison came to.
  func record(_ comparison: StoredBuild.Comparison, of build: StoredBuild) throws
}

extension StoreInspector {
  package func failed(function: String?, _ filter: KeptFilter) throws -> [FailedEvent] {
    try failed(function: function, filter, withRecords: false)
  }

  package func handOver(_ function: String, to owner: String) throws -> Checkpoint {
    try handOver(function, to: owner, phase: .handedOver)
  }
}

/// Asks one store again and again how far its functions are.
package protocol PositionsWatching {
  mutating func positions() throws -> [FunctionPositions]
}

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

/// An inspector of a SQL database: it only lends connections, what is asked is asked here.
package protocol SQLInspector: StoreInspector {
  /// What `read` makes of the store: one snapshot, beside a running writer. Changes nothing. Empty where no function was
  /// ever opened in it.
  func reading<Found>(_ read: (any SQLConnection) throws -> [Found]) throws -> [Found]
  /// Runs `body` in one write transaction, which is rolled back where `body` throws.
  func writing<Result>(_ body: (any SQLConnection) throws -> Result) throws -> Result
  /// How this database switches builds, within a transaction of `writing`.
  func switching(on connection: any SQLConnection) throws -> any TableSwitching
}

extension SQLInspector {
  package func positions() throws -> [FunctionPositions] {
    try reading { connection in
      try StoredFunction.all(on: connection).map { stored in
        let rows = CheckpointRows(connection: connection, key: stored.key)
        return FunctionPositions(
          name: stored.key.function, phase: stored.phase,
          next: Dictionary(try rows.positions(), uniquingKeysWith: { $1 }))
      }
    }
  }

  package func layouts() throws -> [(function: String, layout: String)] {
    try reading { connection in
      guard try connection.has("_replay_layouts") else { return [] }
      return try connection.query("SELECT function, layout FROM _replay_layouts ORDER BY function") {
        ($0.text(0), $0.text(1))
      }
    }
  }
}
