import Synchronization

/// What is to become of an event that a function cannot apply.
public struct FailurePolicy: Sendable, Hashable {
  public enum Choice: String, Sendable, CaseIterable {
    /// The run stops at the event; everything before it is committed.
    case fail
    /// The event's key is parked: its later events queue in order behind the bad one, other keys go on.
    case park
    /// The event is stored with its error; later events of its key are applied.
    case deadLetter = "dead-letter"
  }
  public var choice: Choice
  /// How often an event is tried again before that.
  public var retries: Int
  /// Before the first retry; doubled with each.
  public var backoffMilliseconds: Int64
  /// An event whose own time is longer ago is tried once, and not again; nil: its age does not matter.
  public var maxAgeMilliseconds: Int64?

  public init(_ choice: Choice = .fail, retries: Int = 0, backoffMilliseconds: Int64 = 100) {
    self.choice = choice
    self.retries = retries
    self.backoffMilliseconds = backoffMilliseconds
  }
}

/// An event that was settled without being applied: stored in its epoch's own transaction.
public struct LeftEvent: Sendable {
  public enum State: String, Sendable, CaseIterable {
    /// The bad event itself, or one of its key that came later.
    case parked
    case dead
  }
  public let place: EventPlace
  public let state: State
  public let key: [UInt8]
  /// The record as archived; of a stream the payload.
  public let record: [UInt8]
  /// What was wrong; nil for an event that is parked behind a bad one and was never tried.
  public let error: String?
  public let attempts: Int

  /// What it counts for against the limit of what a store keeps of one function.
  public var byteCount: Int { key.count + record.count + (error?.utf8.count ?? 0) }

  public init(place: EventPlace, state: State, key: [UInt8], record: [UInt8], error: String?, attempts: Int) {
    self.place = place
    self.state = state
    self.key = key
    self.record = record
    self.error = error
    self.attempts = attempts
  }
}

/// One lane's and one function's events that were not applied since the last cut, and the keys that are parked.
public final class LeftEvents {
  public let policy: FailurePolicy
  /// Bytes: two texts that Swift holds for equal may be two keys.
  public private(set) var parkedKeys: Set<[UInt8]>
  private var hashes: Set<UInt64>
  private var events: [LeftEvent] = []
  public private(set) var byteCount = 0
  /// Of the last events that were handed over.
  private var handedOver: CommitReceipt?

  public init(_ policy: FailurePolicy, parkedKeys: Set<[UInt8]> = []) {
    self.policy = policy
    self.parkedKeys = parkedKeys
    hashes = Set(parkedKeys.map(LeftEvents.hash))
  }

  private static func hash(_ key: [UInt8]) -> UInt64 { key.withUnsafeBytes { Text($0).keyHash } }

  /// Whether events of this key are to be left, untried.
  public func isParked(_ key: [UInt8]) -> Bool { !parkedKeys.isEmpty && parkedKeys.contains(key) }

  /// The same of a key that is not copied unless it may be one of them.
  public func isParked(_ key: Text) -> Bool {
    !parkedKeys.isEmpty && hashes.contains(key.keyHash) && parkedKeys.contains(Array(key.bytes))
  }

  /// Leaves an event that could not be applied; false where the policy is to fail. An event without a key (its bytes are
  /// none) has no others behind it, and is a dead letter under either policy.
  public func leave(
    _ place: EventPlace, key: [UInt8], record: [UInt8], error: String, attempts: Int
  ) -> Bool {
    switch policy.choice {
    case .fail: return false
    case .park where !key.isEmpty:
      parkedKeys.insert(key)
      hashes.insert(LeftEvents.hash(key))
      add(LeftEvent(place: place, state: .parked, key: key, record: record, error: error, attempts: attempts))
    case .park, .deadLetter:
      add(LeftEvent(place: place, state: .dead, key: key, record: record, error: error, attempts: attempts))
    }
    return true
  }

  /// Leaves an event of a parked key behind the others.
  public func queue(_ place: EventPlace, key: [UInt8], record: [UInt8]) {
    add(LeftEvent(place: place, state: .parked, key: key, record: record, error: nil, attempts: 0))
  }

  private func add(_ event: LeftEvent) {
    events.append(event)
    byteCount += 200 + event.byteCount
  }

  /// Hands over what was left since the last cut. The receipt is to be signed once that is durable; nil where nothing
  /// was left.
  public func take() -> (events: [LeftEvent], receipt: CommitReceipt?) {
    defer { (events, byteCount) = ([], 0) }
    if events.isEmpty { return ([], nil) }
    let receipt = CommitReceipt()
    handedOver = receipt
    return (events, receipt)
  }

  /// True where something was left that no commit is known to hold: a kill would have it forgotten by whoever takes it for
  /// done.
  public var hasUncommitted: Bool { byteCount > 0 || handedOver.map { !$0.isSigned } ?? false }
}

/// Whether what a lane handed over is durable: signed by who commits, looked at by the lane, which has gone on meanwhile.
public final class CommitReceipt: Sendable {
  private let signed = Atomic<Bool>(false)

  public func sign() { signed.store(true, ordering: .releasing) }
  public var isSigned: Bool { signed.load(ordering: .acquiring) }
}
