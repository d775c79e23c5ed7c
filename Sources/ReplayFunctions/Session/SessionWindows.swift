import ReplayCore

/// A session's windows, where its function has any.
struct SessionWindows {
  private let seconds: Int64
  private var windows: [Partition: TumblingWindow] = [:]
  /// Partitions whose window changed since it was asked last.
  private var changed: Set<Partition> = []

  /// `open`: those that are not over, as committed.
  init(seconds: Int64, open: [Partition: OpenWindow]) {
    self.seconds = seconds
    windows = open.mapValues { TumblingWindow(seconds: seconds, open: $0) }
  }

  subscript(partition: Partition) -> TumblingWindow {
    get { windows[partition] ?? TumblingWindow(seconds: seconds) }
    set {
      windows[partition] = newValue
      changed.insert(partition)
    }
  }

  func call(_ partition: Partition) -> WindowCall? {
    windows[partition]?.open.map { WindowCall(partition: partition, window: $0) }
  }

  /// The open windows that changed since it was asked last.
  mutating func takeChanged() -> [Partition: OpenWindow] {
    defer { changed = [] }
    return Dictionary(changed.compactMap { partition in windows[partition]?.open.map { (partition, $0) } }) { $1 }
  }
}

extension ForeignSession {
  /// Before the event is taken in: ends the open window that it is behind, and opens its own.
  func turnWindow(
    _ partition: Partition, _ index: UInt32, _ time: Timestamp?, _ changes: Changes, _ left: LeftEvents
  ) throws {
    guard let window = windows?[partition] else { return }
    if window.isEnded(by: time) {
      try deliver(index, changes, left)
      try land(changes, left)
      try endWindow(partition, isEarly: false, changes, left)
    }
    if windows?[partition].open == nil { windows?[partition].enter(time) }
  }

  /// Takes the state that a call answered; ends the window where that is too much.
  func takeState(_ outcome: DeliveryOutcome, _ call: WindowCall, _ changes: Changes, _ left: LeftEvents) throws {
    guard let state = outcome.answers.last?.answer["state"]?.text else { return }
    guard windows?[call.partition].answered(Array(state.utf8)) == false else { return }
    try endWindow(call.partition, isEarly: true, changes, left)
  }

  /// The final call. No event is to blame where it fails: the run stops then, whatever becomes of events.
  private func endWindow(_ partition: Partition, isEarly: Bool, _ changes: Changes, _ left: LeftEvents) throws {
    guard var call = windows?.call(partition) else { return }
    (call.isFinal, call.isEarly) = (true, isEarly)
    let policy = left.policy
    var work = BatchWork(
      count: 1, limits: BatchWork.Limits(retries: policy.retries, backoffMilliseconds: policy.backoffMilliseconds))
    while !work.next(without: { _ in false }).isEmpty {
      let (_, failure) = try apply(try worker.deliver(delivery([], call)), [], changes)
      guard let failure else { break }
      goBack()
      if !failure.isAttempt {
        work.lost(answered: 0)
        continue
      }
      switch work.ended(answered: 0, hasFailed: true, failedAt: 0) {
      case .goOn: break
      case .wait(let milliseconds): try rest(milliseconds)
      case .giveUp(_, let attempts, _): throw failed(call, failure.reasons, attempts)
      }
    }
    if isEarly { windows?[partition].renew() } else { windows?[partition].end() }
  }

  private func failed(_ call: WindowCall, _ reasons: [String], _ attempts: Int) -> ReplayError {
    ReplayError(
      .data, "the function \(name) failed the final call of a window",
      details: ["\(call)"] + reasons + (attempts > 1 ? ["after \(attempts) attempts"] : []),
      next: "mend the function, then run the same command")
  }
}
