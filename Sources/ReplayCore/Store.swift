/// Who writes: the function's name, its version and the shape of its tables.
public struct FunctionIdentity: Sendable, Hashable {
  public let name: String
  public let version: Int
  public let tables: [TableSchema]
  public let views: [View]
  /// The function's own name and the build that is meant; nil where nobody says.
  public let build: Build?
  /// What the store runs over gathered events: it makes the tables then, and `tables` and `views` are empty.
  public let program: StoreProgram?
  /// Where its fields are read from in this archive; empty where nobody says. A store refuses another one: rows of two
  /// readings do not belong together.
  public let reading: String
  /// Where all parts of an event are, as the caller writes it: kept, and given back to who has the archive no more. Empty
  /// where nobody says: then what was kept stays.
  public let layout: String
  /// Which events the run gives to the function; nil where nobody says: then what was kept stays. A store that was filled
  /// through another filter refuses it.
  public let filter: FilterStatement?

  public struct Build: Sendable, Hashable {
    public let function: String
    public let number: Int
    public let isServing: Bool
  }

  /// The tables stand beside those that serve; the views, which are of these, are only kept.
  public var isBeside: Bool { build.map { !$0.isServing } ?? false }

  public struct View: Sendable, Hashable {
    public let name: String
    public let select: String
    /// The same for PostgreSQL.
    public let postgresSelect: String
  }

  public init(
    _ projection: any Projection, anatomy: Anatomy? = nil, layout: String = "", filter: FilterStatement? = nil
  ) {
    self.layout = layout
    self.filter = filter
    name = projection.name
    version = projection.version
    tables = projection.tables.map(\.schema)
    let postgres = Dictionary(projection.postgresViews.map { ($0.name, $0.select) }, uniquingKeysWith: { $1 })
    views = projection.views.map {
      View(name: $0.name, select: $0.select, postgresSelect: postgres[$0.name] ?? $0.select)
    }
    program = projection.program
    build = (projection as? FunctionBuild).map {
      Build(function: $0.function.name, number: $0.number, isServing: $0.isServing)
    }
    reading = anatomy.map { FunctionIdentity.reading(projection, $0) } ?? ""
  }

  private static func reading(_ projection: any Projection, _ anatomy: Anatomy) -> String {
    let key = projection.isMergeOnly ? [] : ["key: \(anatomy.key)"]
    let named = projection.reads.fields.filter { $0 != .payload(JSONPath(members: [])) }
    let window = projection.windowSeconds.map { ["windows: \($0) s"] } ?? []
    return (key + named.map { "\($0.name): \(anatomy.absolute($0))" } + window).joined(separator: ", ")
  }

  /// One line that changes when the version or a table's shape does.
  public var shape: String { program?.shape ?? tables.map(\.fingerprint).joined(separator: "; ") }

  /// The names of the tables and views that are the function's own.
  public var tableNames: [String] { program?.names(of: .table) ?? tables.map(\.storedName) }
  public var viewNames: [String] { isBeside ? [] : program?.names(of: .view) ?? views.map(\.name) }
}

/// The range of key hashes that a checkpoint covers: `first...last` of `KeyHash`. One worker covers all.
public struct KeyRange: Sendable, Hashable {
  public let first: UInt64
  public let last: UInt64

  public init(first: UInt64, last: UInt64) {
    self.first = first
    self.last = last
  }

  public static let all = KeyRange(first: 0, last: .max)
}

/// A segment that lies wholly below the frontier: what it was when it was settled.
public struct SettledSegment: Sendable, Hashable {
  public let partition: Partition
  public let entry: SegmentEntry
  /// CRC-64 of its compressed bytes.
  public let digest: UInt64
  public let records: UInt64
  /// The next position after it.
  public let end: Position

  public init(partition: Partition, entry: SegmentEntry, digest: UInt64, records: UInt64, end: Position) {
    self.partition = partition
    self.entry = entry
    self.digest = digest
    self.records = records
    self.end = end
  }
}

/// A segment that was read up to the frontier and not to its end: what it was then.
public struct HalfReadSegment: Sendable, Hashable {
  public let partition: Partition
  public let entry: SegmentEntry
  /// Compressed bytes at its front that hold only what is settled, up to the end of a frame; their CRC-64.
  public let prefixBytes: UInt64
  public let prefixDigest: UInt64

  public init(partition: Partition, entry: SegmentEntry, prefixBytes: UInt64, prefixDigest: UInt64) {
    self.partition = partition
    self.entry = entry
    self.prefixBytes = prefixBytes
    self.prefixDigest = prefixDigest
  }
}

/// A function's durable state in a store.
public struct Checkpoint: Sendable {
  public var frontier: [Partition: Position]
  public var phase: Phase
  public var settled: [SettledSegment]
  /// At most one a partition.
  public var halfRead: [HalfReadSegment]
  /// What flags let through in all runs.
  public var findings: [ChainFinding] = []
  /// For partitions with gaps in what was read: behind the last one. An overlap that reaches before it cannot be resolved.
  public var gapEnds: [Partition: Position] = [:]
  /// The last event that was taken of each partition of a stream, to know the stream again.
  public var lastEvents: [Partition: PrintedEvent] = [:]
  /// Of partitions of a stream, positions whose events were applied from the archive, ascending: they are left out live.
  public var archivedAhead: [Partition: [Position]] = [:]
  /// Events settled so far, in all runs.
  public var events: UInt64
  public var epochs: UInt64
  /// Of a function that writes by itself: what it was given beyond the frontier.
  public var delivered: [DeliveryMark] = []
  /// Of a function with time windows, those that are not over.
  public var windows: [Partition: OpenWindow] = [:]
  /// The events that the tables are made of.
  public var filter = FilterStatement()
  /// Rises with each run that opens the function.
  public var run: Int64 = 0
  /// True where the function's tables have no rows yet.
  public var isFresh: Bool
  /// Events that were left and are kept.
  public var kept = KeptEvents()

  public init(
    frontier: [Partition: Position] = [:], phase: Phase = .archive, settled: [SettledSegment] = [],
    halfRead: [HalfReadSegment] = [], events: UInt64 = 0, epochs: UInt64 = 0, isFresh: Bool = true
  ) {
    self.frontier = frontier
    self.phase = phase
    self.settled = settled
    self.halfRead = halfRead
    self.events = events
    self.epochs = epochs
    self.isFresh = isFresh
  }
}

/// One consistent cut: every change below one frontier, and that frontier, for one transaction.
public struct EpochCommit: Sendable {
  public struct Function: Sendable {
    public var name: String
    public var changes: [RowSet]
    /// Of a function with a program, the events it is to run over, lane by lane; one key's are in one of them, in order.
    public var gathered: [GatheredRows] = []
    /// Partitions that moved, with their next position.
    public var frontier: [Partition: Position]
    public var settled: [SettledSegment]
    /// Where partitions that moved stand in the middle of a segment; what was known of them before is forgotten.
    public var halfRead: [HalfReadSegment]
    /// Of the partitions in `frontier`, those with gaps in what was read: behind the last one.
    public var gapEnds: [Partition: Position] = [:]
    /// What a flag let through in this epoch, to be kept.
    public var findings: [ChainFinding] = []
    /// Events settled in this epoch.
    public var events: UInt64
    /// Those of them that were not applied and are kept, in the order of each key.
    public var left: [LeftEvent] = []
    /// Events that were left before and tried again.
    public var retried: [RetriedEvent] = []
    /// The phase from now on; nil: as it was.
    public var phase: Phase?
    /// Of partitions of a stream that moved, the last event that was taken.
    public var lastEvents: [Partition: PrintedEvent] = [:]
    /// Positions of a stream that are to be left out live, for all time.
    public var archivedAhead: [Partition: [Position]] = [:]
    /// Windows that are open now, each in the place of its partition's last one.
    public var windows: [Partition: OpenWindow] = [:]

    public init(
      name: String, changes: [RowSet], frontier: [Partition: Position], settled: [SettledSegment],
      halfRead: [HalfReadSegment] = [], events: UInt64
    ) {
      self.name = name
      self.changes = changes
      self.frontier = frontier
      self.settled = settled
      self.halfRead = halfRead
      self.events = events
    }
  }

  public var functions: [Function]
  public init(functions: [Function]) { self.functions = functions }
}

/// How a commit ended.
public enum CommitOutcome: Sendable, Equatable {
  case committed(rows: UInt64)
  /// Another run took the function over; nothing of this epoch was written.
  case fenced(function: String, by: String)
  /// The answer was lost: read the checkpoint again before anything else.
  case unknown
}

/// A function that another run owns now.
public struct Takeover: Sendable, Hashable {
  public let function: String
  public let owner: String

  public init(function: String, by owner: String) {
    self.function = function
    self.owner = owner
  }
}

/// What a store can promise.
public enum StoreCapability: Sendable {
  /// All of an epoch is in one transaction.
  case atomicEpoch
  /// Rows are written one by one, each idempotent by its journal.
  case idempotentRows
}

/// The database written to. Owns the transaction, the checkpoint and the fence.
public protocol Store: AnyObject, Sendable {
  var name: String { get }
  var capability: StoreCapability { get }

  /// Makes the tables where they are missing, takes the fence of every function and returns their checkpoints in the
  /// same order. Refuses a function whose version or tables changed, and a program that it cannot run. `refresh` empties
  /// them first.
  func open(_ functions: [FunctionIdentity], range: KeyRange, refresh: Bool) throws -> [Checkpoint]
  /// Writes one epoch, whole or not at all. Throws `RefusedEvent` where a program fails at one event.
  func commit(_ epoch: EpochCommit) throws -> CommitOutcome
  /// Who took one of the functions over that this run opened; nil: they are still its own. A commit asks the same: this
  /// is for a run that has nothing to commit. Writes nothing.
  func takenOver() throws -> Takeover?
  /// The function's events that were left, as committed: those behind `number` in their order, at most `limit` and, but
  /// for the first, of 16 MiB together.
  func kept(of function: String, _ filter: KeptFilter, after number: Int64, limit: Int) throws -> [KeptEvent]
  /// Gives each key's rows to `rows`, from the last committed epoch. Called from lanes; may wait.
  func load(_ table: TableSchema, keys: [Text], into rows: KeyedRows) throws
  func close() throws
  /// Keeps how far a function that writes by itself was served beyond the last commit. Durable against the end of this
  /// process, not of the machine. A commit that reaches the mark forgets it.
  func keep(_ mark: DeliveryMark, of function: String) throws
}

extension Store {
  /// A store that keeps nothing.
  public func keep(_ mark: DeliveryMark, of function: String) throws {}
}
