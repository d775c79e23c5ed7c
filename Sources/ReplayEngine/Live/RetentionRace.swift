import ReplayCore

/// Whether the archive's end will still be in the stream when the replay arrives there: one partition's first position
/// moves up as events pass retention, and the archive's end as the archive grows.
///
/// An observation in, a judgement out; the clock is the caller's.
public struct RetentionRace: Sendable {
  public enum Judgement: Sendable, Equatable {
    /// Nothing passes retention, or it never gets there in time.
    case safe
    /// At the present pace the stream's first position passes the archive's end in so many milliseconds.
    case leftMilliseconds(Int64)
    /// It has passed: the events in `end..<start` are in neither.
    case lost(end: Position, start: Position, events: UInt64?)
  }

  private var first: (at: Int64, start: Position)?
  public private(set) var judgement = Judgement.safe

  public init() {}

  /// At `now` (milliseconds) the stream begins at `start`, and the archive, as far as it has grown, ends at `end`.
  public mutating func observe(now: Int64, start: Position, archiveEnd end: Position) {
    // Behind the event at 99 is `99:1`; the stream's `100` is no hole.
    judgement =
      start.number > end.firstNumber
      ? .lost(end: end, start: start, events: start.number.distance(from: end.firstNumber)) : pace(now, start, end)
  }

  /// True where the archive's end will be gone when the replay, which needs so much longer, arrives there.
  public func isLost(in milliseconds: Int64) -> Bool {
    switch judgement {
    case .safe: false
    case .lost: true
    case .leftMilliseconds(let left): left < milliseconds
    }
  }

  private mutating func pace(_ now: Int64, _ start: Position, _ end: Position) -> Judgement {
    guard let first else {
      self.first = (now, start)
      return .safe
    }
    guard now > first.at, let passed = start.number.distance(from: first.start.number), passed > 0,
      let left = end.number.distance(from: start.number)
    else { return .safe }
    return .leftMilliseconds(Int64(clamping: UInt64(Double(left) * Double(now - first.at) / Double(passed))))
  }
}
