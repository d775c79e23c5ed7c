import ReplayCore

/// The tumbling windows of one partition, one after another: which one an event belongs to, when one is over, and the state
/// that a function hands from call to call. Pure: events' times and answers in.
///
/// Windows begin at whole multiples of their length since 1970. Only an event ends a window, never the clock: so they are
/// the same in every replay, and live. An event that comes late, or has no time, belongs to the window that is open.
struct TumblingWindow: Equatable {
  /// What the state may have at most, in bytes: a window whose function answers more ends early.
  static let maxStateBytes = 1 << 20
  private static let fresh = Array("{}".utf8)

  /// The length.
  let seconds: Int64
  /// Nil until the partition's first event.
  private(set) var open: OpenWindow?

  init(seconds: Int64, open: OpenWindow? = nil) {
    self.seconds = seconds
    self.open = open
  }

  /// True where the open window is over once an event of this time has come.
  func isEnded(by time: Timestamp?) -> Bool {
    guard let open, let time else { return false }
    return TumblingWindow.second(time) >= open.end
  }

  /// Opens the window of an event where none is open.
  mutating func enter(_ time: Timestamp?) {
    guard open == nil else { return }
    let second = time.map(TumblingWindow.second) ?? 0
    let start = second - TumblingWindow.remainder(second, seconds)
    open = OpenWindow(start: start, end: start + seconds, state: TumblingWindow.fresh)
  }

  /// Takes the state that a call answered. False where it is more than it may be: then the window ends early.
  mutating func answered(_ state: [UInt8]) -> Bool {
    open?.state = state
    return state.count <= TumblingWindow.maxStateBytes
  }

  /// After the final call of a window that was over.
  mutating func end() { open = nil }

  /// After the final call of a window that ended early: it goes on with nothing.
  mutating func renew() { open?.state = TumblingWindow.fresh }

  private static func second(_ time: Timestamp) -> Int64 {
    (time.microseconds - remainder(time.microseconds, 1_000_000)) / 1_000_000
  }

  /// From 0, of negative numbers too.
  private static func remainder(_ number: Int64, _ divisor: Int64) -> Int64 {
    let rest = number % divisor
    return rest < 0 ? rest + divisor : rest
  }
}

/// What a call says of its window.
struct WindowCall: Equatable {
  let partition: Partition
  let window: OpenWindow
  /// The window's last call, which has no events.
  var isFinal = false
  var isEarly = false

  /// The members that an event has beside its records, without braces.
  func members(_ arn: String) -> [UInt8] {
    var writer = JSONWriter()
    writer.raw("\"window\":{\"start\":")
    writer.string(WindowCall.text(window.start))
    writer.raw(",\"end\":")
    writer.string(WindowCall.text(window.end))
    writer.raw("},\"state\":")
    writer.raw(window.state)
    writer.raw(",\"shardId\":")
    writer.string(partition.shard)
    writer.raw(",\"eventSourceARN\":")
    writer.string(arn)
    writer.raw(",\"isFinalInvokeForWindow\":\(isFinal),\"isWindowTerminatedEarly\":\(isEarly)")
    return writer.bytes
  }

  /// Why an answer fails its call: it must have a state, an object. What the last call answers of it is not looked at.
  func fault(in answer: JSONValue) -> String? {
    if isFinal { return nil }
    guard let state = answer["state"] else {
      return "it answered no state, which a call of a window must, as {\"state\": {…}}"
    }
    return state.members == nil ? "it answered \(state.kind) as state, expected an object" : nil
  }

  /// `2026-01-31T08:15:00Z`
  static func text(_ second: Int64) -> String {
    String(Timestamp(microseconds: second * 1_000_000).description.dropLast(5)) + "Z"
  }
}

extension WindowCall: CustomStringConvertible {
  /// For messages.
  var description: String {
    "the window from \(WindowCall.text(window.start)) to \(WindowCall.text(window.end)) of \(partition)"
  }
}
