import ReplayCore

/// Runs functions over blocks into changes that are thrown away: what a run costs without its cuts and its store, for
/// `replay bench`. One a thread; the events of a key must come to one of them in order, as they would to a lane.
public final class ThrowAway {
  public struct Limits: Sendable {
    /// Open changes above this are dropped where a run would commit them.
    public var changedBytes: Int
    /// Rows of keyed tables above this are forgotten, so that a long archive fits the memory.
    public var stateBytes: Int
    /// As a run's.
    public var holdAboveBytes: Int

    public init(changedBytes: Int, stateBytes: Int, holdAboveBytes: Int) {
      self.changedBytes = changedBytes
      self.stateBytes = stateBytes
      self.holdAboveBytes = holdAboveBytes
    }
  }

  private let make: () throws -> Lane
  private let limits: Limits
  private var lane: Lane

  /// `partitions`: those of the plan, for messages.
  public init(_ projections: [any Projection], _ extraction: Extraction, partitions: [Partition], limits: Limits) throws
  {
    self.limits = limits
    make = {
      try Lane(
        projections, extraction, store: CountingStore(), partitions: partitions,
        isFresh: projections.map { _ in true }, holdAbove: limits.holdAboveBytes)
    }
    lane = try make()
  }

  /// Throws `ReplayError` with the event that a function could not apply.
  public func apply(_ block: RecordBlock) throws {
    try told {
      try lane.apply(block)
      let load = lane.load
      if load.stateBytes > limits.stateBytes {
        try lane.settle()
        lane = try make()
      } else if load.changedBytes > limits.changedBytes {
        _ = try lane.cut()
      }
    }
  }

  /// Applies what is held back.
  public func finish() throws { try told { try lane.settle() } }

  private func told(_ body: () throws -> Void) throws {
    do { try body() } catch let fault as HeldEventFault { throw fault.error }
  }
}

/// A store that counts the rows it is given and keeps none: everything of a run but the database.
public final class CountingStore: Store {
  public let name = "nothing"
  public let capability = StoreCapability.atomicEpoch

  public init() {}

  public func open(_ functions: [FunctionIdentity], range: KeyRange, refresh: Bool) throws -> [Checkpoint] {
    if let function = functions.first(where: { $0.program != nil }) {
      throw ReplayError.noPrograms(function.name, in: name)
    }
    return functions.map { _ in Checkpoint() }
  }

  public func commit(_ epoch: EpochCommit) throws -> CommitOutcome {
    let sets = epoch.functions.flatMap(\.changes)
    return .committed(rows: sets.reduce(0) { $0 + UInt64($1.count + $1.deletes.count) })
  }

  public func takenOver() throws -> Takeover? { nil }

  public func kept(of function: String, _ filter: KeptFilter, after number: Int64, limit: Int) throws -> [KeptEvent] {
    []
  }

  /// Only ever asked for rows that were committed and then left the memory: those are gone.
  public func load(_ table: TableSchema, keys: [Text], into rows: KeyedRows) throws {
    throw ReplayError(
      .usage, "rows of \(table.name) left the memory, and without a commit nothing keeps them",
      next: "raise --max-state-bytes, or measure with the commit")
  }

  public func close() throws {}
}
