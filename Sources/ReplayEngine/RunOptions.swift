import ReplayCore

/// How a run goes about its work. Nothing here changes the result.
public struct RunOptions: Sendable {
  /// Parallel lines of work.
  public var lanes = 2
  /// Lanes of functions that work in processes or services of their own; nil: as many as others have.
  public var workers: Int?
  public var onError = FailurePolicy()
  /// What a store may keep of one function's events that were left, in bytes.
  public var maxKeptBytes = 256 << 20
  /// What a partition that was read to its end must have changed, in bytes of memory, to be written before the others
  /// are read; a twelfth of `commitBytes` where that is less. More than a small archive changes, whose cut stays one: a key that is in
  /// two partitions is noticed before anything of such an archive is written.
  public var earlyCommitBytes = 16 << 20
  /// A commit is due when the open changes hold this much memory,
  public var commitBytes = 192 << 20
  /// or this long after the one before, in milliseconds.
  public var commitMilliseconds: Int64 = 10_000
  /// or after this many events.
  public var commitEvents: UInt64 = .max
  /// Rows of keyed tables kept in memory between commits, in bytes, over all lanes.
  public var maxStateBytes = 1 << 30
  /// Rows of a lane's keyed tables, in bytes, that no longer fit the processor's nearer caches: above it events are held
  /// back and applied by parts of the key space.
  public var holdAboveBytes = 1 << 20
  /// After a request to stop: how long open work may take to reach a place where it can be committed.
  public var stopMilliseconds: Int64 = 1_500
  /// Of a plan of one partition, the records that are read of its last segment; nil: all. (Of several partitions the run
  /// ends where the last one is there, whatever is read of the others by then.)
  public var records: UInt64?
  /// What all work goes through, piece by piece, where others are to have their turn.
  package private(set) var gate: WorkGate?
  public var now: @Sendable () -> Int64

  /// `now`: a clock in milliseconds that never goes back.
  public init(now: @escaping @Sendable () -> Int64) { self.now = now }

  /// Has all work go through the gate, and none of it come in one large piece.
  package mutating func pass(through gate: WorkGate) {
    self.gate = gate
    commitBytes = min(commitBytes, RunOptions.gatedCommitBytes)
    // What is held back has to be worked through before each cut.
    holdAboveBytes = .max
  }

  /// A lane sorts and copies its changes at each cut, which nothing interrupts.
  static let gatedCommitBytes = 16 << 20
}

/// What a run says while it goes.
public enum RunEvent: Sendable {
  /// From the coordinator's thread, some twenty times a second.
  case progress(Progress)
  /// From the committing thread: a commit is durable. `events` and `rows` are those of this run so far.
  case committed(commits: UInt64, events: UInt64, rows: UInt64)
}

public struct Progress: Sendable {
  /// Compressed bytes read so far in this run.
  public var bytes: UInt64 = 0
  public var events: UInt64 = 0

  public init(bytes: UInt64, events: UInt64) {
    self.bytes = bytes
    self.events = events
  }
}

/// How a run may be asked to stop. Set from any thread, a signal handler's included.
public final class StopRequest: Sendable {
  private let flag = Flag()
  public init() {}
  public func stop() { flag.set() }
  public var isStopped: Bool { flag.isSet }
}

/// How a run ended.
public enum RunOutcome: Sendable, Equatable {
  case finished
  /// Nothing was left to do.
  case alreadyDone
  /// Stopped by request; what was read up to a common cut is committed.
  case stopped
}

/// The durable account of one run.
public struct RunReport: Sendable {
  public struct Function: Sendable {
    public let name: String
    /// Events that were left, by this run or before, and are kept.
    public var kept = KeptEvents()
    public let books: [(partition: Partition, books: Books)]
    public var total: Books { books.reduce(into: Books()) { $0 += $1.books } }
  }

  public var outcome: RunOutcome = .finished
  public var functions: [Function] = []
  public var frontier: [(partition: Partition, next: Position?, text: String)] = []
  /// Partitions whose own numbers begin above 0, as far as this run saw their beginnings.
  public var lateBeginnings: [(partition: Partition, number: WideNumber)] = []
  public var segmentsRead = 0
  public var segmentsSettledBefore = 0
  public var compressedBytes: UInt64 = 0
  public var decompressedBytes: UInt64 = 0
  public var frames = 0
  public var framesWithoutChecksum = 0
  /// Records decoded, and those of them that every function had settled before.
  public var records: UInt64 = 0
  public var recordsSettledBefore: UInt64 { records - min(records, functions.map(\.total.read).max() ?? 0) }
  public var rows: UInt64 = 0
  public var epochs: UInt64 = 0
  public var findings: [ChainFinding] = []
  public var milliseconds: Int64 = 0
  /// Where the commits' own time went, in milliseconds, beside the reading.
  public var commitMilliseconds: Int64 = 0
  public var mode = ""
}
