import ReplayCore

/// An event as a test writes it.
public struct LiveDraft: Sendable, Hashable {
  /// Nil: a tombstone.
  public var payload: [UInt8]?
  public var key: [UInt8]?
  /// A JSON array, `[{"key":"…","value":"…"}]`.
  public var headers: [UInt8]?
  /// Milliseconds since 1970.
  public var time: Int64?

  public init(payload: [UInt8]?, key: [UInt8]? = nil, headers: [UInt8]? = nil, time: Int64? = nil) {
    self.payload = payload
    self.key = key
    self.headers = headers
    self.time = time
  }

  public init(_ payload: String, key: String? = nil, headers: String? = nil, time: Int64? = nil) {
    self.init(
      payload: Array(payload.utf8), key: key.map { Array($0.utf8) }, headers: headers.map { Array($0.utf8) }, time: time
    )
  }
}

/// How a scripted stream breaks its word, for tests of those who must notice.
public enum LiveFault: Sendable, Hashable {
  /// The event comes again, in a delivery of its own.
  case duplicate
  /// The event comes after the one that follows it, in one delivery.
  case reorder
  /// The event never comes, though its position is passed.
  case lose
  /// `caughtUp` is said before the event as if the stream ended in front of it; the event comes nevertheless.
  case earlyCaughtUp
}

/// One partition of a scripted stream: what is in its log, and what is to go wrong in it.
struct ScriptedPartition {
  struct Entry {
    let number: UInt64
    let draft: LiveDraft
  }

  /// Why nothing behind the transaction's first position can be read yet.
  struct Transaction {
    let first: UInt64
    let holdsCaughtUp: Bool
  }

  let parents: [Partition]
  /// In ascending order; numbers that are missing here are compacted away, aborted, or control records.
  var entries: [Entry] = []
  var start: UInt64
  /// The number of the next record.
  var tail: UInt64
  var transaction: Transaction?
  var isClosed = false
  var faults: [UInt64: LiveFault] = [:]

  init(start: UInt64, parents: [Partition]) {
    self.start = start
    self.parents = parents
    tail = start
  }

  /// Behind the last record that may be read.
  var end: UInt64 { max(start, transaction?.first ?? tail) }

  /// The first entry at or behind the number.
  func index(of number: UInt64) -> Int {
    var (low, high) = (0, entries.count)
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].number < number { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// How far one reader is in one partition.
struct ScriptedCursor {
  /// The number to be delivered next.
  var next: UInt64
  /// What an error calls it.
  var wanted: Position
  /// The end that was told, as long as nothing came behind it.
  var toldEnd: UInt64?
  var isToldClosed = false
  /// To be delivered again.
  var again: ScriptedPartition.Entry?

  init(_ position: Position) {
    next = position.number.low + (position.index > 0 ? 1 : 0)
    wanted = position
  }
}
