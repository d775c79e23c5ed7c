/// A time window of one partition that is not over: which one, and what its function has made of its events so far.
public struct OpenWindow: Sendable, Hashable {
  /// Seconds since 1970.
  public var start: Int64
  /// The first second that is not in it.
  public var end: Int64
  /// The function's own: one JSON object.
  public var state: [UInt8]

  public init(start: Int64, end: Int64, state: [UInt8]) {
    self.start = start
    self.end = end
    self.state = state
  }
}
