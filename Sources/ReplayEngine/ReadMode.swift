import ReplayCore

/// How order per key is kept, decided once from what the functions and the archive are.
public enum ReadMode: String, Sendable {
  /// Every table merges: events are applied in any order, each worker into its own changes.
  case free = "any order (all tables merge)"
  /// The archive's partitions separate the keys: a partition is read by one worker at a time, into its own changes.
  case byPartition = "partition by partition"
  /// Keys cross files: records go to lanes by key hash.
  case routed = "routed to lanes by key"

  /// `parks`: events of parked keys are to queue in order, whatever the tables are.
  public init(projections: [any Projection], plan: ArchivePlan, lanes: Int, parks: Bool = false) {
    if projections.contains(where: \.hasSessions) {
      // A lane is a worker, however many partitions there are.
      self = .routed
    } else if projections.allSatisfy(\.isMergeOnly), !parks {
      self = .free
    } else if lanes == 1 || (plan.partitionsSeparateKeys && plan.partitions.count > 1) {
      self = .byPartition
    } else {
      self = .routed
    }
  }

  /// How many read at once at most. There are as many threads as lanes: who has nothing to read helps.
  func readers(of lanes: Int, partitions: Int) -> Int {
    self == .byPartition ? max(1, min(lanes, partitions)) : max(1, lanes)
  }

  func lanes(lanes: Int, partitions: Int) -> Int { self == .byPartition ? max(1, partitions) : max(1, lanes) }
}

extension DeliveryLog {
  /// One for each function.
  static func all(
    _ projections: [any Projection], _ checkpoints: [Checkpoint], in store: any Store
  ) -> [DeliveryLog] {
    zip(projections, checkpoints).map { projection, checkpoint in
      let name = projection.name
      return DeliveryLog(run: checkpoint.run, marks: checkpoint.delivered) { try store.keep($0, of: name) }
    }
  }
}

/// Everything that a run is made of.
public struct RunSetup: Sendable {
  public let projections: [any Projection]
  public let plan: ArchivePlan
  public let extraction: Extraction
  public let source: any SegmentSource
  public let decoder: any Decoder
  public let store: any Store
  public let rule: any ChainRule
  public let options: RunOptions
  public let stop: StopRequest
  public let observe: @Sendable (RunEvent) -> Void
  public let filter: EventFilter
  public let mode: ReadMode

  /// `hasParkedKeys`: some function has them from before. `extraction` was made for `filter`.
  public init(
    projections: [any Projection], plan: ArchivePlan, extraction: Extraction, source: any SegmentSource,
    decoder: any Decoder, store: any Store, rule: any ChainRule, options: RunOptions, stop: StopRequest,
    hasParkedKeys: Bool = false, filter: EventFilter = EventFilter(), observe: @escaping @Sendable (RunEvent) -> Void
  ) {
    self.projections = projections
    self.plan = plan
    self.extraction = extraction
    self.source = source
    self.decoder = decoder
    self.store = store
    self.rule = rule
    self.options = options
    self.stop = stop
    self.observe = observe
    self.filter = filter
    mode = ReadMode(
      projections: projections, plan: plan, lanes: options.lanes,
      parks: hasParkedKeys || options.onError.choice == .park)
  }
}
