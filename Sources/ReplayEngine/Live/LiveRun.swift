import ReplayCore

/// Follows a stream: the same functions, in small batches, from where each stands, until it is told to stop.
///
/// One thread reads and commits; it applies too, unless functions work elsewhere and have lanes. What a commit holds is whole: changes, positions and the owner's number are
/// one transaction, so that a killed run goes on with the same command.
public final class LiveRun {
  private let setup: LiveSetup
  /// For each function, the next position of each partition; only live ones.
  private var frontiers: [[Partition: Position]]
  private let ahead: ArchivedAhead
  private let deliveries: [DeliveryLog]
  private var state = LiveState()

  /// `checkpoints`: for each function, where it stands in the stream.
  public init(_ setup: LiveSetup, _ checkpoints: [Checkpoint]) {
    self.setup = setup
    frontiers = checkpoints.map { $0.frontier.filter { $0.key.side == .live } }
    ahead = ArchivedAhead(checkpoints.map(\.archivedAhead))
    deliveries = DeliveryLog.all(setup.projections, checkpoints, in: setup.store)
    state.books = setup.projections.map { _ in Books() }
    (state.kept, state.windows) = (checkpoints.map(\.kept), checkpoints.map(\.windows))
  }

  /// An event that a function could not apply, or that is malformed: everything before it is to be committed, nothing
  /// from it on.
  struct Fault: Error {
    let error: ReplayError
    let partition: Partition
    let position: Position

    init(error: ReplayError, partition: Partition, position: Position) {
      (self.error, self.partition, self.position) = (error, partition, position)
    }

    /// Nil where the error is not one event's and its function's.
    init?(_ error: ReplayError) {
      guard let place = error.fault?.place else { return nil }
      self.init(error: error, partition: place.partition, position: place.position)
    }
  }

  /// Throws `ReplayError`, whose effect says what is committed.
  public func run() throws -> (outcome: LiveOutcome, state: LiveState) {
    var faults: [Partition: Fault] = [:]
    var leaving = Leaving(setup.projections, setup.options.onError)
    while true {
      let attempt = try LiveAttempt(
        setup, frontiers: frontiers, ahead: ahead, deliveries: deliveries, state: state, before: faults,
        badEvents: leaving.badEvents)
      defer { attempt.close() }
      do {
        let end = try attempt.run()
        (frontiers, state) = (attempt.frontiers, attempt.state)
        switch end {
        case .bounded(let fault): throw told(fault)
        case .caughtUp: return (.caughtUp, state)
        case .stopped: return (.stopped, state)
        case .changed: continue
        }
      } catch let next as Fault {
        (frontiers, state) = (attempt.frontiers, attempt.state)
        if leaving.takes(next.error) { continue }
        // Each lane may meet one of its own before others have got to theirs.
        if let known = faults[next.partition], next.position >= known.position { throw told(next) }
        faults[next.partition] = next
      }
    }
  }

  private func told(_ fault: Fault) -> ReplayError {
    var error = fault.error
    error.place = nil
    if error.effect == nil {
      error.effect = "everything before it in its partition is committed, nothing from it on"
    }
    return error
  }
}
