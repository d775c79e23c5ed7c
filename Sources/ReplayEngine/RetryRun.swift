import ReplayCore

/// Applies the events that one function could not apply once more, in their order. What succeeds leaves the store's
/// keeping in the commit that writes its rows; what fails again stays, and so does everything behind it in its key.
///
/// The store's fence is the run's: whoever else runs the function cannot commit any more.
public struct RetryRun {
  public struct Report: Sendable {
    public fileprivate(set) var applied: UInt64 = 0
    public fileprivate(set) var failedAgain: UInt64 = 0
    /// Not tried: behind one that failed again.
    public fileprivate(set) var behind: UInt64 = 0
    public fileprivate(set) var rows: UInt64 = 0
    public fileprivate(set) var commits: UInt64 = 0
    public fileprivate(set) var isStopped = false
  }

  private let projection: any Projection
  private let extraction: Extraction
  private let store: any Store
  private let policy: FailurePolicy
  private let decode: (KeptEvent) throws -> RecordBlock
  private let stop: StopRequest
  private let deliveries: DeliveryLog
  /// Events of one commit, at most.
  private let commitEvents: Int

  /// `store`: opened with this function. `decode` answers a block with the event alone, at its place; valid until the next.
  /// Of `policy` only the retries count. `number`: the run's own, which rises with each run of the function.
  public init(
    _ projection: any Projection, _ extraction: Extraction, store: any Store, number: Int64,
    policy: FailurePolicy, stop: StopRequest, commitEvents: Int = 1000,
    decode: @escaping (KeptEvent) throws -> RecordBlock
  ) {
    self.projection = projection
    self.extraction = extraction
    self.store = store
    self.policy = policy
    self.stop = stop
    // What was tried again is not behind the positions that are done.
    deliveries = DeliveryLog(run: number) { _ in }
    self.commitEvents = commitEvents
    self.decode = decode
  }

  /// Tries the events of the filter; of a parked key, always all.
  public func run(_ filter: KeptFilter) throws -> Report {
    var report = Report()
    for state in [LeftEvent.State.dead, .parked] where (filter.state ?? state) == state {
      var own = filter
      own.state = state
      for part in try parts(own) { try Pass(self, part).run(&report) }
    }
    return report
  }

  /// A queue is not taken apart: what names one of its events names its key.
  private func parts(_ filter: KeptFilter) throws -> [KeptFilter] {
    guard filter.state == .parked, filter.partition != nil || filter.position != nil else { return [filter] }
    var (keys, number): (Set<[UInt8]>, Int64) = ([], 0)
    while true {
      let found = try store.kept(of: projection.name, filter, after: number, limit: commitEvents)
      guard let last = found.last else { break }
      number = last.number
      keys.formUnion(found.map(\.event.key))
    }
    return keys.sorted { $0.lexicographicallyPrecedes($1) }.map { KeptFilter(state: .parked, key: $0) }
  }

  /// Events of one state.
  private final class Pass {
    let run: RetryRun
    let filter: KeptFilter
    private var lane: Lane?
    private var badEvents = BadEvents()
    /// Keys whose first event failed again.
    private var parkedKeys: Set<[UInt8]> = []

    init(_ run: RetryRun, _ filter: KeptFilter) {
      self.run = run
      self.filter = filter
    }

    func run(_ report: inout Report) throws {
      defer { lane?.abandon() }
      var number: Int64 = 0
      while !run.stop.isStopped {
        let events = try run.store.kept(of: run.projection.name, filter, after: number, limit: run.commitEvents)
        guard let last = events.last else { return }
        try settle(events, &report)
        number = last.number
      }
      report.isStopped = true
    }

    /// Applies and commits the events; anew where the store's program refuses one.
    private func settle(_ events: [KeptEvent], _ report: inout Report) throws {
      while let cut = try apply(events) {
        do { return try commit(events, cut, &report) } catch let refused as RefusedEvent {
          lane?.abandon()
          lane = nil
          guard let fault = refused.error.fault, badEvents.add(fault) else { throw refused.error }
        }
      }
    }

    /// What the lane made of the events; made anew without those whose fault comes to light late.
    private func apply(_ events: [KeptEvent]) throws -> LaneCut? {
      while true {
        do {
          let lane = try lane ?? makeLane()
          self.lane = lane
          for event in events { try lane.apply(run.decode(event)) }
          return try lane.cut().first
        } catch let error as ReplayError {
          lane?.abandon()
          lane = nil
          guard let fault = error.fault, badEvents.add(fault) else { throw error }
        }
      }
    }

    private func makeLane() throws -> Lane {
      var policy = run.policy
      policy.choice = filter.state == .dead ? .deadLetter : .park
      return try Lane(
        [run.projection], run.extraction, store: run.store, partitions: [], isFresh: [false],
        deliveries: [run.deliveries], holdAbove: .max,
        onError: policy, parkedKeys: [parkedKeys], badEvents: [badEvents])
    }

    private func commit(_ events: [KeptEvent], _ cut: LaneCut, _ report: inout Report) throws {
      let left = Dictionary(cut.left.map { ($0.place.identity, $0) }, uniquingKeysWith: { $1 })
      var change = EpochCommit.Function(
        name: run.projection.name, changes: cut.merged.map { $0.sorted() } + cut.keyed, frontier: [:], settled: [],
        events: 0)
      change.gathered = [cut.gathered].compactMap { $0 }.filter { $0.count > 0 }
      change.changes.removeAll { $0.count == 0 && $0.deletes.isEmpty }
      var (applied, behind): (UInt64, UInt64) = (0, 0)
      for event in events {
        let again = left[event.event.place.identity]
        if let again, again.error == nil {
          behind += 1
          continue
        }
        change.retried.append(RetriedEvent(number: event.number, error: again?.error))
        if again == nil { applied += 1 } else if filter.state == .parked { parkedKeys.insert(event.event.key) }
      }
      report.behind += behind
      if change.retried.isEmpty { return }
      switch try run.store.commit(EpochCommit(functions: [change])) {
      case .committed(let rows): report.rows += rows
      case .fenced(let function, let owner):
        throw ReplayError.takenOver(
          Takeover(function: function, by: owner), run.store, effect: "nothing of the last commit was written")
      case .unknown:
        throw ReplayError(
          .temporary, "the store did not say whether the last commit was written",
          details: ["store \(run.store.name)"], effect: "it is there whole, or not at all",
          next: "run the same command: what was applied is no longer kept")
      }
      report.commits += 1
      report.applied += applied
      report.failedAgain += UInt64(change.retried.count) - applied
    }
  }
}
