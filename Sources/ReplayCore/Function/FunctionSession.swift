/// One lane's own part of a function's work, where the function needs one: a worker process, a connection. Used by one
/// thread at a time, from the lane's first event to the end of its attempt; a lane that begins anew may be given the same
/// session again.
public protocol FunctionSession: AnyObject {
  /// Before an attempt's first event. `range`: the hashes of the keys that this lane has.
  func begin(_ log: DeliveryLog, keys range: KeyRange)
  /// Takes the batch in. Its changes may come later, in a call for a later batch or in `settle`, but those of one key come in
  /// the order of its events. Throws `EventFault` where an event cannot be applied and `left` does not take it.
  func apply(_ batch: Batch, _ changes: Changes, _ left: LeftEvents) throws
  /// Applies everything that was taken in, since nothing more is there now; no cut need follow.
  func flush(_ changes: Changes, _ left: LeftEvents) throws
  /// The same, and after it a cut is made.
  func settle(_ changes: Changes, _ left: LeftEvents) throws
  /// After `begin`: the windows that are not over, as committed.
  func resume(_ windows: [Partition: OpenWindow])
  /// After `settle`: the open windows that changed since it was asked last, to be committed with what was applied.
  func takeWindows() -> [Partition: OpenWindow]
  /// Forgets what was taken in and not applied: the epoch is dropped.
  func abandon()
  /// From any thread: a call that is being waited for is given up; `apply` or `settle` then throws.
  func cancel()
  /// What is held and not applied, in bytes.
  var heldBytes: Int { get }
  /// Whether what was taken in may ever wait for more, live.
  var mayWait: Bool { get }
  /// Milliseconds that what was taken in may still wait for more to be delivered with it; nil where nothing waits.
  var waitMilliseconds: Int64? { get }
  /// Whether something was delivered since `settle`: a commit is to follow.
  var hasDelivered: Bool { get }
}

extension FunctionSession {
  public func flush(_ changes: Changes, _ left: LeftEvents) throws { try settle(changes, left) }
  public var mayWait: Bool { false }
  public var waitMilliseconds: Int64? { nil }
  public var hasDelivered: Bool { true }
  public func resume(_ windows: [Partition: OpenWindow]) {}
  public func takeWindows() -> [Partition: OpenWindow] { [:] }
}

/// What the functions of a lane wait for, so that a commit, which delivers everything, may wait too.
public struct SessionWait: Sendable, Equatable {
  /// Until the first of them has waited long enough.
  public var milliseconds: Int64
  /// Whether some function was given events that no commit holds yet.
  public var hasDelivered: Bool

  public init(milliseconds: Int64, hasDelivered: Bool) {
    self.milliseconds = milliseconds
    self.hasDelivered = hasDelivered
  }
}

/// Where an event is, for who keeps it longer than its batch.
public struct EventPlace: Sendable {
  public let segment: Segment
  /// The record's ordinal in the segment.
  public let ordinal: UInt64
  public let position: Position
  public var partition: Partition { segment.partition }
  /// The event's mark in its segment.
  public var mark: UInt64 { segment.mark(atOrAfter: position) }

  public init(segment: Segment, ordinal: UInt64, position: Position) {
    self.segment = segment
    self.ordinal = ordinal
    self.position = position
  }
}

extension EventPlace: CustomStringConvertible {
  /// One line for a person.
  public var description: String {
    (partition.side == .live ? "stream \(segment.name), " : "segment \(segment.name), record \(ordinal + 1), ")
      + "position \(position) of partition \(partition)"
  }
}

extension EventPlace {
  /// What tells it from every other event of a run. Positions alone do not where an archive may have doubles.
  public struct Identity: Hashable, Sendable {
    let segment: String
    let partition: Partition
    let position: Position
    /// Nil for a stream, which counts its blocks' records from 0.
    let ordinal: UInt64?
  }

  public var identity: Identity {
    Identity(
      segment: segment.name, partition: partition, position: position,
      ordinal: partition.side == .live ? nil : ordinal)
  }
}

/// What a function could not do: marks a `ReplayError` as being about one event and the function, and not about the
/// archive, the stream or the store. Such an event may be left; every other error stops the run.
public struct FunctionFault: Sendable {
  public let function: String
  public let place: EventPlace
  /// What was wrong, in lines.
  public let reason: String

  public init(function: String, place: EventPlace, reason: String) {
    self.function = function
    self.place = place
    self.reason = reason
  }
}

/// An event that a function could not apply, with what it said.
public struct EventFault: Error {
  public let place: EventPlace
  /// What is wrong, one line each, the first one a sentence of its own.
  public let reasons: [String]
  public let excerpt: String

  public init(place: EventPlace, reasons: [String], excerpt: String = "") {
    self.place = place
    self.reasons = reasons
    self.excerpt = excerpt
  }
}

extension RecordBlock {
  package func place(of record: Int) -> EventPlace {
    EventPlace(segment: segment(of: record), ordinal: ordinal(of: record), position: position(at: record))
  }
}

extension Event {
  public var place: EventPlace { block._withUnsafeGuaranteedRef { $0.place(of: record) } }

  /// The record as archived; of a stream the payload. Only where the function asked for one of them.
  public var wholeRecord: Text { self[RecordField()] }

  /// The place of the event's partition in the plan.
  public var partitionIndex: UInt32 { block._withUnsafeGuaranteedRef { $0.partitionIndex(of: record) } }
}
