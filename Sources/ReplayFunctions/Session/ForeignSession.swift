import ReplayCore
import Synchronization

/// One lane's work with a function in another language: gathers events into batches, one partition's each, delivers them,
/// and applies what is answered.
final class ForeignSession: FunctionSession {
  struct Limits: Sendable {
    /// Events of one delivery, at most.
    var events = 100
    /// Bytes of one delivery, at most; one event may have more.
    var bytes = 6 << 20
    var bisects = true
    /// Events a second, of all lanes; nil: as many as there are.
    var rate: RateLimit?
    /// At most one event of a key in a delivery.
    var isPerKey = false
    /// Live, how long a batch that is not full waits for more events, from its first one on.
    var waitMilliseconds: Int64 = 0
    /// The length of the time windows that the function works in; nil: none.
    var windowSeconds: Int64?
    /// A clock in milliseconds that never goes back.
    var now: @Sendable () -> Int64 = monotonicMilliseconds
    /// The time of day, in milliseconds since 1970.
    var wall: @Sendable () -> Int64 = wallMilliseconds
  }

  /// The open batch of one partition.
  private final class Batch {
    var events: [HeldEvent] = []
    var bytes = 0
    var keys: Set<[UInt8]> = []
    /// When its first event came.
    let since: Int64

    init(since: Int64) { self.since = since }
  }

  /// The batch that is under way: the lane makes the next one while the function works on it.
  private struct Flight {
    let events: [HeldEvent]
    let bytes: Int
    var work: BatchWork
    /// What of it is to be answered next.
    var delivery: Delivery?
    /// Whether the function has it already.
    var isHandedOver = false
  }

  let worker: any FunctionWorker
  private let limits: Limits
  private let contract: FunctionContract
  private let answered: AnsweredChanges
  /// The function's name, for messages.
  let name: String
  private var open: [UInt32: Batch] = [:]
  private var flight: Flight?
  private(set) var heldBytes = 0
  private(set) var hasDelivered = false
  private var phase = Phase.archive
  private let isCancelled = Atomic<Bool>(false)
  private var log = DeliveryLog(run: 0) { _ in }
  private var keys = KeyRange.all
  /// What was delivered before this attempt began.
  private var before = DeliveredEvents()
  /// Of deliveries now; a higher one goes back to what was delivered before.
  private var attempt = 1
  var windows: SessionWindows?

  init(
    _ name: String, worker: any FunctionWorker, contract: FunctionContract, tables: [DeclaredTable], limits: Limits
  ) {
    self.name = name
    self.worker = worker
    self.contract = contract
    self.limits = limits
    answered = AnsweredChanges(tables: tables, hasState: limits.windowSeconds != nil)
  }

  func begin(_ log: DeliveryLog, keys range: KeyRange) {
    (self.log, keys) = (log, range)
    before = keepsMarks ? log.delivered : DeliveredEvents()
    attempt = log.nextAttempt(keys)
  }

  /// What was delivered beyond a commit is in no window's state there, so it is delivered again.
  private var keepsMarks: Bool { contract == .writesItself && limits.windowSeconds == nil }

  func resume(_ open: [Partition: OpenWindow]) {
    windows = limits.windowSeconds.map { SessionWindows(seconds: $0, open: open) }
  }

  func takeWindows() -> [Partition: OpenWindow] { windows?.takeChanged() ?? [:] }

  func apply(_ batch: ReplayCore.Batch, _ changes: Changes, _ left: LeftEvents) throws {
    phase = batch.phase
    // Keys that an earlier run parked stay so whatever this run's policy is.
    let keepsRecords = left.policy.choice != .fail || !left.parkedKeys.isEmpty
    for event in batch {
      let text: Text
      do { text = try event.key } catch let error as FieldError {
        throw EventFault(place: event.place, reasons: [error.text(of: Reads())])
      }
      if !before.isEmpty {
        let place = event.place
        if before.contains(keyHash: KeyHash.hash(text), place.partition, place.position) { continue }
      }
      let key = Array(text.bytes)
      let needsTime = windows != nil || left.policy.maxAgeMilliseconds != nil
      let time = needsTime ? worker.time(of: event) : nil
      if windows != nil { try turnWindow(event.place.partition, event.partitionIndex, time, changes, left) }
      // Behind what is held of its key, where anything may be.
      if flight == nil, open[event.partitionIndex] == nil, left.isParked(key) {
        left.queue(event.place, key: key, record: Array(event.wholeRecord.bytes))
        continue
      }
      let held = HeldEvent(
        place: event.place, partition: event.partitionIndex, key: key, time: time,
        encoded: try worker.encode(event, key: text, phase: phase),
        record: keepsRecords ? Array(event.wholeRecord.bytes) : [])
      try take(held, changes, left)
    }
  }

  /// Puts the event into its partition's batch; delivers that where it is full.
  private func take(_ event: HeldEvent, _ changes: Changes, _ left: LeftEvents) throws {
    let size = event.encoded.count + 1
    if let batch = open[event.partition], !batch.events.isEmpty,
      batch.bytes + size > limits.bytes || limits.isPerKey && batch.keys.contains(event.key)
    {
      try deliver(event.partition, changes, left)
    }
    let batch = open[event.partition] ?? Batch(since: limits.waitMilliseconds > 0 ? limits.now() : 0)
    if batch.events.isEmpty { open[event.partition] = batch }
    batch.events.append(event)
    batch.bytes += size
    if limits.isPerKey { batch.keys.insert(event.key) }
    heldBytes += size
    if batch.events.count >= limits.events { try deliver(event.partition, changes, left) }
  }

  func flush(_ changes: Changes, _ left: LeftEvents) throws {
    for partition in open.keys.sorted() { try deliver(partition, changes, left) }
    try land(changes, left)
  }

  func settle(_ changes: Changes, _ left: LeftEvents) throws {
    try flush(changes, left)
    try worker.verify()
    hasDelivered = false
  }

  var mayWait: Bool { limits.waitMilliseconds > 0 }

  var waitMilliseconds: Int64? {
    guard limits.waitMilliseconds > 0, let oldest = open.values.map(\.since).min() else { return nil }
    return max(0, oldest + limits.waitMilliseconds - limits.now())
  }

  func abandon() {
    // Whatever it answers now counts for nothing; but until it has answered, it is still at work on those events.
    if let flight, flight.isHandedOver, let delivery = flight.delivery { _ = try? worker.deliver(delivery) }
    flight = nil
    open = [:]
    heldBytes = 0
    hasDelivered = false
    isCancelled.store(false, ordering: .releasing)
  }

  func close() { worker.close() }

  func cancel() {
    isCancelled.store(true, ordering: .releasing)
    worker.cancel()
  }

  // MARK: Delivering

  /// The partition's batch is as full as it gets: hands it over, once the one that is under way is done.
  func deliver(_ partition: UInt32, _ changes: Changes, _ left: LeftEvents) throws {
    try land(changes, left)
    guard let batch = open.removeValue(forKey: partition) else { return }
    let policy = left.policy
    let work = BatchWork(
      count: batch.events.count,
      limits: BatchWork.Limits(
        retries: policy.retries, backoffMilliseconds: policy.backoffMilliseconds, bisects: limits.bisects))
    var flight = Flight(events: batch.events, bytes: batch.bytes, work: work)
    guard let first = try next(&flight, left) else { return }
    flight.delivery = first
    self.flight = flight
    self.flight?.isHandedOver = try worker.begin(first)
  }

  /// What of the batch is delivered next; nil where nothing is left of it.
  private func next(_ flight: inout Flight, _ left: LeftEvents) throws -> Delivery? {
    let events = flight.events
    let given = flight.work.next { !left.parkedKeys.isEmpty && self.isQueued(events[$0], left) }
    guard !given.isEmpty else {
      heldBytes -= flight.bytes
      return nil
    }
    try limits.rate?.take(given.count) { isCancelled.load(ordering: .acquiring) }
    return delivery(given.map { events[$0] }, windows?.call(events[given[0]].place.partition))
  }

  func delivery(_ events: [HeldEvent], _ window: WindowCall?) -> Delivery {
    hasDelivered = true
    return Delivery(events: events, phase: phase, run: log.run, attempt: attempt, window: window)
  }

  /// What is delivered now goes back to what was delivered before.
  func goBack() { attempt = log.nextAttempt(keys) }

  /// Between two attempts.
  func rest(_ milliseconds: Int64) throws {
    try pause(milliseconds: milliseconds) { isCancelled.load(ordering: .acquiring) }
  }

  /// Waits for the batch that is under way, and delivers what of it has to be delivered again.
  func land(_ changes: Changes, _ left: LeftEvents) throws {
    guard var flight else { return }
    self.flight = nil
    while let delivery = flight.delivery {
      let outcome = try worker.deliver(delivery)
      let (answered, failure) = try apply(outcome, delivery.events, changes)
      if failure != nil { goBack() }
      try mark(delivery.events.prefix(answered), left)
      if let failure, !failure.isAttempt {
        flight.work.lost(answered: answered)
        flight.delivery = try next(&flight, left)
        continue
      }
      if failure == nil, let window = delivery.window { try takeState(outcome, window, changes, left) }
      let events = flight.events
      let isTooOld = { (place: Int) in self.isTooOld(events[place], left.policy) }
      switch flight.work.ended(
        answered: answered, hasFailed: failure != nil, failedAt: failure?.at, isTooOld: isTooOld)
      {
      case .goOn: break
      case .wait(let milliseconds): try rest(milliseconds)
      case .giveUp(let lost, let attempts, let isTooOld):
        let age = isTooOld ? left.policy.maxAgeMilliseconds.map(ForeignSession.tooOld) : nil
        try give(up: lost.map { events[$0] }, attempts, (failure?.reasons ?? []) + [age].compactMap { $0 }, left)
      }
      flight.delivery = try next(&flight, left)
    }
  }

  /// Keeps that these events are done, so that they are not delivered again. Not behind an event that is left and not yet
  /// committed: that would be forgotten.
  private func mark(_ events: ArraySlice<HeldEvent>, _ left: LeftEvents) throws {
    guard keepsMarks, let last = events.last, !left.hasUncommitted else { return }
    try log.delivered(last.place.partition, keys, next: last.place.position.successor)
  }

  /// Whether the event's age forbids to try it again.
  private func isTooOld(_ event: HeldEvent, _ policy: FailurePolicy) -> Bool {
    guard let limit = policy.maxAgeMilliseconds, let time = event.time else { return false }
    return limits.wall() - time.microseconds / 1000 > limit
  }

  private static func tooOld(_ milliseconds: Int64) -> String {
    "older than \(milliseconds / 1000) seconds (--max-record-age): not tried again"
  }

  /// Whether the event is of a key that was parked meanwhile; it then is behind the bad one.
  private func isQueued(_ event: HeldEvent, _ left: LeftEvents) -> Bool {
    guard left.isParked(event.key) else { return false }
    left.queue(event.place, key: event.key, record: event.record)
    return true
  }

  private func give(up events: [HeldEvent], _ attempts: Int, _ reasons: [String], _ left: LeftEvents) throws {
    for event in events {
      let told = reasons + (attempts > 1 ? ["after \(attempts) attempts"] : [])
      let isLeft = left.leave(
        event.place, key: event.key, record: event.record, error: told.joined(separator: "\n"), attempts: attempts)
      guard isLeft else {
        throw EventFault(place: event.place, reasons: told, excerpt: excerpt(event))
      }
    }
  }

  private func excerpt(_ event: HeldEvent) -> String {
    event.encoded.withUnsafeBytes { ReplayError.excerpt(Text($0), limit: 200) }
  }

  /// Applies the answers, as far as they are good: how many events they are for, and what is wrong behind them.
  func apply(
    _ outcome: DeliveryOutcome, _ events: [HeldEvent], _ changes: Changes
  ) throws -> (answered: Int, failure: DeliveryOutcome.Failure?) {
    guard contract == .changes else { return (outcome.answered, outcome.failure) }
    var done = 0
    for (count, answer) in outcome.answers {
      let share = events[done..<done + count]
      do {
        try answered.apply(answer, to: changes) { key in
          share.first { $0.key.elementsEqual(key.utf8) }?.partition
        }
      } catch let fault as AnsweredChanges.Fault {
        return (done, DeliveryOutcome.Failure(at: count == 1 ? done : nil, reasons: [fault.reason]))
      } catch let error as KeyedRows.KeyInTwoPartitions {
        throw error
      } catch {
        // Part of the answer may be applied: it cannot be taken back but with the whole epoch.
        throw ReplayError(
          .data, "the function \(name) answered changes that its tables cannot hold", details: ["\(error)"],
          next: "mend the function, then run the same command")
      }
      done += count
    }
    return (done, outcome.failure)
  }
}
