import ReplayCore

/// When what was applied live is committed: soon where the stream rests, in larger parts where it does not.
public struct LiveCommits: Sendable {
  public var intervalMilliseconds: Int64
  public var maxChangedBytes: Int
  /// At least so long between two commits, though the stream rests after each event: a commit costs the disk something.
  public var restMilliseconds: Int64 = 5
  private var last: Int64

  public init(intervalMilliseconds: Int64, maxChangedBytes: Int, now: Int64) {
    self.intervalMilliseconds = intervalMilliseconds
    self.maxChangedBytes = maxChangedBytes
    last = now - intervalMilliseconds
  }

  /// `hasWork`: something moved since the last commit. `rests`: the stream had nothing more to say just now. What was
  /// delivered is committed in time, and takes along what is `waiting` for more; that alone waits as long as it may.
  public func isDue(
    now: Int64, hasWork: Bool, rests: Bool, changedBytes: Int, waiting: SessionWait? = nil
  ) -> Bool {
    guard hasWork else { return false }
    if changedBytes > maxChangedBytes { return true }
    if let waiting {
      return waiting.milliseconds <= 0 || waiting.hasDelivered && now - last >= intervalMilliseconds
    }
    return now - last >= (rests ? min(restMilliseconds, intervalMilliseconds) : intervalMilliseconds)
  }

  /// How long to wait for the stream, in milliseconds, so that open work is not left lying.
  public func patience(now: Int64, hasWork: Bool, idle: Int, waiting: SessionWait? = nil) -> Int {
    guard hasWork else { return idle }
    var left = restMilliseconds - (now - last)
    if let waiting {
      left = min(waiting.milliseconds, waiting.hasDelivered ? intervalMilliseconds - (now - last) : .max)
    }
    return max(0, Int(min(Int64(idle), left)))
  }

  public mutating func committed(now: Int64) { last = now }
}
