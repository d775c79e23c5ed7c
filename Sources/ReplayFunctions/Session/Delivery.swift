import ReplayCore

/// An event that a session holds until it is delivered and answered.
struct HeldEvent {
  let place: EventPlace
  /// The place of its partition in the plan.
  let partition: UInt32
  let key: [UInt8]
  /// The event's own time; nil where nobody asks for it, or it has none that can be read.
  let time: Timestamp?
  /// The event as the function is given it.
  let encoded: [UInt8]
  /// As archived, for who keeps it where it cannot be applied; empty where nobody would.
  let record: [UInt8]
}

/// Some events of one partition, to be handed to a function in one call.
struct Delivery {
  let events: [HeldEvent]
  let phase: Phase
  /// Rises with each run on the same store.
  let run: Int64
  /// Rises within the run whenever events are delivered again. Of one attempt, the events of a key rise.
  let attempt: Int
  /// Of a function with time windows, what the call says of its own; without events it is a window's last.
  var window: WindowCall?
}

/// What came of a delivery: the answers for its first events, and what then failed, if anything did.
struct DeliveryOutcome {
  struct Failure {
    /// The event at fault, by its place in the delivery; nil where the function does not say which.
    let at: Int?
    /// One line each.
    let reasons: [String]
    /// Whether it counts as one of the events' attempts; if not, they are delivered again at once.
    var isAttempt = true

    /// The call was lost on its way, or its answer was.
    static let lost = Failure(at: nil, reasons: [], isAttempt: false)
  }

  /// One answer for so many events, in their order. Those behind them were not applied.
  var answers: [(events: Int, answer: JSONValue)] = []
  var failure: Failure?

  var answered: Int { answers.reduce(0) { $0 + $1.events } }

  static func failed(_ reasons: [String], at place: Int? = nil) -> DeliveryOutcome {
    DeliveryOutcome(failure: Failure(at: place, reasons: reasons))
  }
}

/// One lane's way to a function: a process, or connections to a service. Used by one thread at a time, but for `cancel`.
protocol FunctionWorker: AnyObject {
  /// The event as `deliver` will hand it over. Called once an event.
  func encode(_ event: Event, key: Text, phase: Phase) throws -> [UInt8]
  /// The event's own time; nil where it has none that can be read.
  func time(of event: Event) -> Timestamp?
  /// Hands the delivery over and answers true, where that need not wait for the function; `deliver` then is called for it in
  /// any case.
  func begin(_ delivery: Delivery) throws -> Bool
  /// Waits for the answer. Throws only what is wrong with the function as a whole, whatever the event: that it cannot be
  /// started. Never returns while a call that it gave up could still change anything.
  func deliver(_ delivery: Delivery) throws -> DeliveryOutcome
  /// Before a cut: throws where the function answers more than it was asked, so that no answer can be trusted.
  func verify() throws
  /// From any thread: a call that is waited for is given up.
  func cancel()
  func close()
}

extension FunctionWorker {
  func begin(_ delivery: Delivery) throws -> Bool { false }
  func verify() throws {}
}

/// The call was given up, since the run is to stop.
struct DeliveryCancelled: Error {}

/// Waits so long, unless it is cancelled meanwhile.
func pause(milliseconds: Int64, unless isCancelled: () -> Bool) throws(DeliveryCancelled) {
  let until = monotonicMilliseconds() + milliseconds
  let nothing = Monitor(())
  while true {
    if isCancelled() { throw DeliveryCancelled() }
    let left = until - monotonicMilliseconds()
    if left <= 0 { return }
    _ = nothing.wait(milliseconds: Int(min(left, 20))) { _ -> Void? in nil }
  }
}
