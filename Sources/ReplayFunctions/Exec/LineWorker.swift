import ReplayCore
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A program that reads one event a line from its standard input and answers one line for each on its standard output. A
/// line on its standard error fails the event that it is about to answer.
final class LineWorker: FunctionWorker {
  struct Plan: Sendable {
    var command: [String]
    var environment = ChildEnvironment()
    var limits = ChildLimits()
    var isIsolated = false
    var payload: PayloadField
    var id: TextField
    var time: TimeField
    /// Whether one line holds all events of a delivery, and one line answers them.
    var isBatched = false
  }

  /// One answer's length, at most.
  static let maxLineBytes = 6 << 20

  private let plan: Plan
  private var child: ChildProcess?
  private var startedPhase = Phase.archive
  private var restarts = RestartPolicy()
  private var hasAnswered = false
  /// Deliveries that failed before the first that did not.
  private var failures = 0
  /// As many as looking for one bad event by halves in the largest batch may take: more, and it is not the event.
  private static let mostFailures = 20
  private var received: [UInt8] = []
  /// Of `received`, the bytes that hold no line's end.
  private var searched = 0
  private var log = LastLines()
  private let isCancelled = Atomic<Bool>(false)

  init(_ plan: Plan) { self.plan = plan }

  /// `{"partition":"0","position":"30","id":…,"key":…,"event":<payload>}`, but for its first members, which a delivery says.
  func time(of event: Event) -> Timestamp? { event.time(plan.time) }

  func encode(_ event: Event, key: Text, phase: Phase) throws -> [UInt8] {
    let place = event.place
    var writer = JSONWriter()
    writer.raw("\"partition\":")
    writer.string(place.partition.description)
    writer.raw(",\"position\":")
    writer.string(place.position.description)
    if let id = try? event[ifPresent: plan.id] {
      writer.raw(",\"id\":")
      writer.string(id)
    }
    writer.raw(",\"key\":")
    writer.string(key)
    writer.raw(",\"event\":")
    writer.oneLine(event[plan.payload])
    writer.raw("}")
    return writer.bytes
  }

  func cancel() { isCancelled.store(true, ordering: .releasing) }

  func close() {
    // What it has answered it may still have to write somewhere.
    child?.close(within: 1_000)
    child = nil
    isCancelled.store(false, ordering: .releasing)
  }

  private func lines(_ delivery: Delivery) -> [UInt8] {
    var writer = JSONWriter()
    let head = "\"phase\":\"\(delivery.phase.word)\",\"run\":\(delivery.run),\"attempt\":\(delivery.attempt),"
    if plan.isBatched { writer.raw("{\(head)\"events\":[") }
    for (place, event) in delivery.events.enumerated() {
      writer.raw(plan.isBatched ? (place == 0 ? "{" : ",{") : "{\(head)")
      writer.raw(event.encoded)
      if !plan.isBatched { writer.raw("\n") }
    }
    if plan.isBatched { writer.raw("]}\n") }
    return writer.bytes
  }

  func deliver(_ delivery: Delivery) throws -> DeliveryOutcome {
    let child = try started(delivery.phase)
    try verify(within: 0)
    var exchange = Exchange(sent: lines(delivery), wanted: plan.isBatched ? 1 : delivery.events.count)
    let reasons = try run(&exchange, child)
    let share = plan.isBatched ? delivery.events.count : 1
    var outcome = DeliveryOutcome()
    for line in exchange.answers {
      switch JSONReader.answer(line) {
      case .success(let answer): outcome.answers.append((share, answer))
      case .failure(let fault):
        // Lines behind it may answer anything.
        stop()
        outcome.failure = DeliveryOutcome.Failure(
          at: plan.isBatched ? nil : outcome.answered, reasons: [fault.reason])
        return outcome
      }
    }
    guard let reasons else {
      (hasAnswered, _) = (true, restarts.answered())
      return outcome
    }
    // One that answers others is no wreck: it need not wait before it is started again.
    if !exchange.answers.isEmpty { restarts.answered() }
    stop()
    failures += 1
    if !hasAnswered, failures >= LineWorker.mostFailures { throw neverAnswers(reasons) }
    // Which of two pipes was written first cannot be seen, so with several events under way nobody knows whose the fault is.
    let isKnown = !plan.isBatched && delivery.events.count == 1
    // Whatever it has answered to an event that it complains of counts for nothing.
    outcome.answers = []
    outcome.failure = DeliveryOutcome.Failure(at: isKnown ? 0 : nil, reasons: reasons)
    return outcome
  }

  // MARK: The exchange

  private struct Exchange {
    let sent: [UInt8]
    let wanted: Int
    var place = 0
    var answers: [[UInt8]] = []
  }

  /// Writes the events and reads the answers, both as they go: neither side may wait for the other to take in what it
  /// wrote. Returns what failed.
  private func run(_ exchange: inout Exchange, _ child: ChildProcess) throws -> [String]? {
    let began = monotonicMilliseconds()
    let limit = hasAnswered ? plan.limits.milliseconds : max(plan.limits.milliseconds, plan.limits.startMilliseconds)
    var looked = began
    while exchange.answers.count < exchange.wanted {
      if isCancelled.load(ordering: .acquiring) {
        stop()
        throw DeliveryCancelled()
      }
      var polled = [
        pollfd(fd: child.output, events: Int16(POLLIN), revents: 0),
        pollfd(fd: child.errors, events: Int16(POLLIN), revents: 0),
        pollfd(fd: exchange.place < exchange.sent.count ? child.input : -1, events: Int16(POLLOUT), revents: 0),
      ]
      _ = poll(&polled, nfds_t(polled.count), 20)
      if polled[2].revents != 0, !write(&exchange, to: child.input) { exchange.place = exchange.sent.count }
      let isOpen = polled[0].revents == 0 || read(&exchange, from: child.output)
      log.drain(child.errors)
      if !log.lines.isEmpty {
        // The rest of what it says, such as a stack trace, comes at once or not at all.
        try pause(milliseconds: 20) { isCancelled.load(ordering: .acquiring) }
        log.drain(child.errors)
        return log.take()
      }
      if received.count > LineWorker.maxLineBytes {
        return ["it answered a line of more than \(LineWorker.maxLineBytes) bytes"]
      }
      let now = monotonicMilliseconds()
      if exchange.answers.count < exchange.wanted, !isOpen {
        let end = ended(child)
        return ["its process \(end) before it had answered"] + log.take().map { "  it said: \($0)" }
      }
      if now - began > limit { return ["it did not answer within \(ChildLimits.text(limit)): its process was killed"] }
      if now - looked > 100 {
        looked = now
        if let reason = plan.limits.exceeded(by: child) { return [reason] }
      }
    }
    if exchange.answers.count > exchange.wanted || !received.isEmpty { throw answersTooMuch() }
    return nil
  }

  /// A line too many shifts every answer behind it to another event. It may come a moment later than the last answer.
  func verify() throws { try verify(within: 5) }

  private func verify(within milliseconds: Int32) throws {
    guard let child else { return }
    var polled = pollfd(fd: child.output, events: Int16(POLLIN), revents: 0)
    guard poll(&polled, 1, milliseconds) > 0, polled.revents & Int16(POLLIN) != 0 else { return }
    throw answersTooMuch()
  }

  private func answersTooMuch() -> ReplayError {
    stop()
    return ReplayError(
      .data, "the function answers more lines than it is given: \(plan.command.joined(separator: " "))",
      details: ["which answer is which event's cannot be known"],
      next: "let it print one line for each line, and everything else elsewhere; then run the same command")
  }

  private func ended(_ child: ChildProcess) -> String {
    for _ in 0..<50 {
      log.drain(child.errors)
      if let end = child.hasEnded() { return end }
      _ = Monitor(()).wait(milliseconds: 10) { _ -> Void? in nil }
    }
    return "closed its standard output"
  }

  /// False where the pipe is closed.
  private func write(_ exchange: inout Exchange, to pipe: Int32) -> Bool {
    let count = exchange.sent.withUnsafeBytes { bytes in
      writeSome(pipe, bytes[exchange.place...])
    }
    if count > 0 { exchange.place += count }
    return count > 0 || errno == EAGAIN || errno == EINTR
  }

  /// False where the pipe is closed.
  private func read(_ exchange: inout Exchange, from pipe: Int32) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    let count = buffer.withUnsafeMutableBytes { readSome(pipe, $0) }
    if count > 0 { received += buffer[..<count] }
    while let end = received[searched...].firstIndex(of: 0x0a) {
      exchange.answers.append(Array(received[..<end]))
      received.removeSubrange(...end)
      searched = 0
    }
    searched = received.count
    return count > 0 || count < 0 && (errno == EAGAIN || errno == EINTR)
  }

  // MARK: The process

  private func stop() {
    child?.close()
    child = nil
    received = []
    searched = 0
    _ = log.take()
  }

  private func neverAnswers(_ reasons: [String]) -> ReplayError {
    ReplayError(
      .unavailable, "the function never answers: \(plan.command.joined(separator: " "))", details: reasons,
      next: "try it by hand: a JSON line to its standard input is to be answered with one line, at once")
  }

  private func started(_ phase: Phase) throws -> ChildProcess {
    if let child, child.hasEnded() == nil, startedPhase == phase { return child }
    if hasAnswered, startedPhase == phase {
      let wait = restarts.ended()
      try pause(milliseconds: wait) { isCancelled.load(ordering: .acquiring) }
    }
    stop()
    startedPhase = phase
    var process = ChildProcess.Plan(command: plan.command)
    process.isIsolated = plan.isIsolated
    process.environment = plan.environment.values(phase: phase)
    let made = try ChildProcess(process)
    child = made
    return made
  }
}
