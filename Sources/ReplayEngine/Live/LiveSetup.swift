import ReplayCore

/// How a live run goes about its work. Nothing here changes the result.
public struct LiveOptions: Sendable {
  /// Between two commits while the stream does not rest, in milliseconds, at most.
  public var commitMilliseconds: Int64 = 1_000
  public var commitBytes = 64 << 20
  /// Rows of keyed tables kept in memory, in bytes.
  public var maxStateBytes = 1 << 30
  /// How long to wait for a stream that rests before looking whether to stop, in milliseconds.
  public var idleMilliseconds = 50
  /// Ends once everything that was there is applied and committed.
  public var untilCaughtUp = false
  /// Lanes of functions that work in processes or services of their own; others have one.
  public var workers = 1
  /// Events that are read ahead of such lanes, in bytes, at most.
  public var maxAheadBytes = 64 << 20
  public var onError = FailurePolicy()
  /// What a store may keep of one function's events that were left, in bytes.
  public var maxKeptBytes = 256 << 20
  /// What all work goes through, piece by piece, where others are to have their turn.
  package private(set) var gate: WorkGate?
  public var now: @Sendable () -> Int64

  /// `now`: a clock in milliseconds that never goes back.
  public init(now: @escaping @Sendable () -> Int64) { self.now = now }

  /// Has all work go through the gate, and none of it come in one large piece.
  package mutating func pass(through gate: WorkGate) {
    self.gate = gate
    commitBytes = min(commitBytes, RunOptions.gatedCommitBytes)
  }
}

/// Everything that a live run is made of.
public struct LiveSetup {
  public let projections: [any Projection]
  public let extraction: Extraction
  public let source: any LiveSource
  public let decoder: any PayloadDecoder
  public let store: any Store
  public let options: LiveOptions
  public let stop: StopRequest
  /// What stands for a payload, to know the stream again; of nil, for a tombstone.
  public let print: (UnsafeRawBufferPointer?) -> PayloadPrint
  /// From the run's own thread: after every commit, when a partition has caught up, and when the stream is lost or found.
  public let observe: (LiveState) -> Void
  public let filter: EventFilter

  /// `extraction` was made for `filter`.
  public init(
    projections: [any Projection], extraction: Extraction, source: any LiveSource, decoder: any PayloadDecoder,
    store: any Store, options: LiveOptions, stop: StopRequest, filter: EventFilter = EventFilter(),
    print: @escaping (UnsafeRawBufferPointer?) -> PayloadPrint, observe: @escaping (LiveState) -> Void
  ) {
    self.projections = projections
    self.extraction = extraction
    self.source = source
    self.decoder = decoder
    self.store = store
    self.options = options
    self.stop = stop
    self.print = print
    self.observe = observe
    self.filter = filter
  }
}

/// How far a live run is.
public struct LiveState: Sendable {
  public struct Part: Sendable {
    public let partition: Partition
    /// What is committed ends here.
    public var committed: Position
    /// What is applied, or is with a lane that will, ends here.
    public var next: Position
    /// The stream's end, as far as it was seen.
    public var end: Position
    /// When it was last seen that everything there was had been applied; nil: not yet. Milliseconds of the run's clock.
    public var caughtUpAt: Int64?
    public var isClosed = false

    /// Positions that are not applied and committed yet, about: not all of them need be filled.
    public var gap: UInt64 { end.number.distance(from: committed.firstNumber) ?? 0 }
    public var isCaughtUp: Bool { isClosed || (caughtUpAt != nil && committed >= end) }
  }

  public var parts: [Part] = []
  /// One entry for each function: since the run began.
  public var books: [Books] = []
  /// For each function, the events that were left, by this run or before, and are kept.
  public var kept: [KeptEvents] = []
  /// For each function, its windows that are not over, as committed.
  var windows: [[Partition: OpenWindow]] = []
  public var commits: UInt64 = 0
  public var rows: UInt64 = 0

  /// Why the stream is not heard of, though it is waited for; nil: it can be reached.
  public var outage: String?

  /// Of a stream that cannot be reached nobody knows where it ends.
  public var isCaughtUp: Bool { outage == nil && parts.allSatisfy(\.isCaughtUp) }
  public var gap: UInt64 { parts.reduce(0) { $0 + $1.gap } }
}

/// How a live run ended.
public enum LiveOutcome: Sendable {
  case caughtUp
  /// Stopped by request; what was applied is committed.
  case stopped
}
