/// Of one partition, how far the events of some keys were delivered beyond the last commit: of those whose key's hash is in
/// `range`, all before `next`.
public struct DeliveryMark: Sendable, Hashable {
  public let partition: Partition
  public let range: KeyRange
  public let next: Position

  public init(partition: Partition, range: KeyRange, next: Position) {
    self.partition = partition
    self.range = range
    self.next = next
  }
}

/// Events that a function that writes by itself was given and has answered: all that marks stand for. Looked at for every
/// event, so a value without a lock.
public struct DeliveredEvents: Sendable {
  fileprivate var marks: [Partition: [KeyRange: Position]] = [:]

  public init() {}

  public var isEmpty: Bool { marks.isEmpty }

  public func contains(keyHash: UInt64, _ partition: Partition, _ position: Position) -> Bool {
    guard let marks = marks[partition] else { return false }
    return marks.contains { range, next in position < next && range.first <= keyHash && keyHash <= range.last }
  }

  fileprivate mutating func add(_ mark: DeliveryMark) {
    let known = marks[mark.partition, default: [:]][mark.range] ?? .zero
    marks[mark.partition, default: [:]][mark.range] = max(known, mark.next)
  }
}

/// What a function that writes by itself was given and has answered, of one run: kept in the store after each delivery, so
/// that what is delivered again after a kill is what was under way. Shared by all lanes and attempts of the run.
public final class DeliveryLog: Sendable {
  private struct State: Sendable {
    var delivered = DeliveredEvents()
    var attempts: [KeyRange: Int] = [:]
  }
  private let state: Monitor<State>
  private let keep: @Sendable (DeliveryMark) throws -> Void
  /// Rises with each run on the same store.
  public let run: Int64

  /// `marks`: those of earlier runs. `keep` makes one durable against the end of this process.
  public init(run: Int64, marks: [DeliveryMark] = [], keep: @escaping @Sendable (DeliveryMark) throws -> Void) {
    self.run = run
    self.keep = keep
    var known = State()
    for mark in marks { known.delivered.add(mark) }
    state = Monitor(known)
  }

  /// A number for deliveries of these keys that go back to what was delivered before: from 1, higher than all before.
  public func nextAttempt(_ range: KeyRange) -> Int {
    state.quietly { state in
      state.attempts[range, default: 0] += 1
      return state.attempts[range, default: 0]
    }
  }

  /// What was delivered until now, by this run and earlier ones.
  public var delivered: DeliveredEvents { state.quietly { $0.delivered } }

  /// Every event before `next` whose key's hash is in `range` was delivered and answered.
  public func delivered(_ partition: Partition, _ range: KeyRange, next: Position) throws {
    let mark = DeliveryMark(partition: partition, range: range, next: next)
    try keep(mark)
    state.quietly { $0.delivered.add(mark) }
  }
}

extension KeyRange {
  /// The hashes that lane `lane` of `count` has.
  public init(lane: Int, of count: Int) {
    let span = UInt128(1) << 64
    func first(_ lane: Int) -> UInt128 { (UInt128(lane) * span + UInt128(count) - 1) / UInt128(count) }
    self.init(first: UInt64(first(lane)), last: UInt64(truncatingIfNeeded: first(lane + 1) - 1))
  }
}
