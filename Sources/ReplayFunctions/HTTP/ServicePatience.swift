/// How long one call waits for a service that says it is busy, or that is not there. Neither is a fault of an event, so
/// neither is an attempt. Pure.
struct ServicePatience {
  /// All waits of the call for a busy service, together.
  let busyMilliseconds: Int64
  /// From the first connection that was refused to the last.
  let absentMilliseconds: Int64
  /// Whether 429 says that the service is busy even where it does not say for how long: Lambda's does.
  var isThrottled = false
  private var waited: Int64 = 0
  private var busyInARow = 0
  private var absentSince: Int64?
  private var absentInARow = 0

  init(busyMilliseconds: Int64, absentMilliseconds: Int64, isThrottled: Bool = false) {
    self.busyMilliseconds = busyMilliseconds
    self.absentMilliseconds = absentMilliseconds
    self.isThrottled = isThrottled
  }

  enum Verdict: Equatable {
    /// The answer counts.
    case take
    case wait(milliseconds: Int64)
    /// It is busy for longer than the call waits.
    case enough
  }

  /// `Retry-After` is taken by its seconds; where it is a date, or there is none, the waits double from 100 ms to 5 s.
  mutating func verdict(_ answer: HTTPAnswer) -> Verdict {
    (absentSince, absentInARow) = (nil, 0)
    guard answer.status == 429 || answer.status == 503 else { return .take }
    guard answer.retryAfter != nil || isThrottled && answer.status == 429 else { return .take }
    busyInARow += 1
    let growing = min(Int64(100) << Int64(min(busyInARow - 1, 10)), 5_000)
    let seconds = answer.retryAfter.flatMap { Int64($0) }.map { max(0, min($0, 1_000_000)) } ?? 0
    let wait = seconds > 0 ? seconds * 1000 : growing
    guard waited + wait <= busyMilliseconds else { return .enough }
    waited += wait
    return .wait(milliseconds: wait)
  }

  /// After a connection that could not be made: how long until the next try; nil: it is given up.
  mutating func absent(now: Int64) -> Int64? {
    let since = absentSince ?? now
    absentSince = since
    absentInARow += 1
    guard now - since < absentMilliseconds else { return nil }
    return min(Int64(50) << Int64(min(absentInARow - 1, 10)), 1_000)
  }
}
