import ReplayCore

/// Looks, while the archive is replayed, whether the stream still has what comes behind it; asks the run to stop when it
/// does not, or when it will not any more once the replay arrives there.
public final class RetentionWatch: Sendable {
  /// Where a partition of the stream has to be entered, as far as is known now.
  public typealias Ends = @Sendable (any LiveSource) throws -> [Partition: Position]

  private struct State {
    var isOver = false
    var error: ReplayError?
  }

  private let state = Monitor(State())
  private let thread = Monitor<NamedThread?>(nil)
  /// Between two looks, in milliseconds.
  private let interval: Int
  private let now: @Sendable () -> Int64
  private let run: StopRequest
  private let ends: Ends
  private let arrival: @Sendable () -> Int64?

  /// `arrival`: milliseconds until the replay arrives at the archive's end, about; nil: not known yet.
  public init(
    interval: Int, now: @escaping @Sendable () -> Int64, stop run: StopRequest, ends: @escaping Ends,
    arrival: @escaping @Sendable () -> Int64?
  ) {
    self.interval = interval
    self.now = now
    self.run = run
    self.ends = ends
    self.arrival = arrival
  }

  /// `open`: a stream for the watch's own thread.
  public func start(_ open: @escaping @Sendable () throws -> any LiveSource) throws {
    let thread = try NamedThread("replay-retention") { [self] in watch(open) }
    self.thread.quietly { $0 = thread }
  }

  /// Ends the watch; what it found, where it stopped the run.
  public func finish() -> ReplayError? {
    state.change { $0.isOver = true }
    thread.quietly { thread in
      thread?.join()
      thread = nil
    }
    return state.quietly { $0.error }
  }

  private func watch(_ open: () throws -> any LiveSource) {
    // A stream that cannot be asked now is not lost: the handoff will ask again, and fail if it has to.
    guard let source = try? open() else { return }
    defer { source.close() }
    var races: [Partition: RetentionRace] = [:]
    while true {
      if state.wait(milliseconds: interval, { $0.isOver ? true : nil }) == true { return }
      guard let parts = try? source.partitions(), let ends = try? ends(source) else { continue }
      for part in parts {
        guard let end = ends[part.partition] else { continue }
        races[part.partition, default: RetentionRace()].observe(now: now(), start: part.start, archiveEnd: end)
        guard let error = lost(races[part.partition] ?? RetentionRace(), part, end, source) else { continue }
        state.change { $0.error = error }
        run.stop()
        return
      }
    }
  }

  private func lost(
    _ race: RetentionRace, _ part: LivePartition, _ end: Position, _ source: any LiveSource
  ) -> ReplayError? {
    if case .lost = race.judgement {
      return HandoffRun.error(.expired(part.partition, wanted: end, start: part.start), of: source)
    }
    guard let arrival = arrival(), race.isLost(in: arrival), case .leftMilliseconds(let left) = race.judgement else {
      return nil
    }
    return ReplayError(
      .expired, "the stream will have dropped what comes behind the archive: \(source.name)",
      details: [
        "partition \(part.partition): the stream begins at position \(part.start), the archive ends at \(end) or later",
        "at the present pace that is gone in \(left / 1000) s; the replay arrives in \(arrival / 1000) s",
      ], effect: "what was read whole is committed; nothing live was applied",
      next: "lengthen the stream's retention, or let the archive grow, then run the same command")
  }
}
