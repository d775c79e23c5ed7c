import ReplayCore
import Synchronization

/// A Lambda function in a process of its own: any runtime interface client, which asks a `RuntimeServer` for its batches.
final class LambdaWorker: FunctionWorker {
  struct Plan: Sendable {
    var command: [String]
    var directory: String?
    /// `app.handler`
    var handler: String
    var functionName: String
    var environment = ChildEnvironment()
    var limits = ChildLimits()
    var isIsolated = false
    var shape: any ShapedEvents
    var payload: PayloadField
  }

  private var tail = RecordTail()
  private let plan: Plan
  private let number: Int
  private var server: RuntimeServer?
  private var child: ChildProcess?
  private var startedPhase = Phase.archive
  private var hasStarted = false
  /// Since when a batch lies ready that `deliver` was not called for yet.
  private var begun: Int64?
  private var log = LastLines()
  private var noise = LastLines()
  private var restarts = RestartPolicy()
  private var calls: UInt64 = 0
  private let isCancelled = Atomic<Bool>(false)

  init(_ plan: Plan, number: Int) {
    self.plan = plan
    self.number = number
  }

  func time(of event: Event) -> Timestamp? { plan.shape.time(of: event) }

  func encode(_ event: Event, key: Text, phase: Phase) throws -> [UInt8] {
    try plan.shape.record(
      event, key: key, payload: event[plan.payload], tail: tail.bytes(event.partition.log, of: plan.shape))
  }

  func cancel() { isCancelled.store(true, ordering: .releasing) }

  func close() {
    // A client that waits for work is told that there is none, and ends.
    server?.close()
    child?.close(within: 200)
    (child, server) = (nil, nil)
    isCancelled.store(false, ordering: .releasing)
  }

  func begin(_ delivery: Delivery) throws -> Bool {
    begun = try offer(delivery)
    return true
  }

  /// Puts the batch where the process takes it from. Returns since when it is there.
  private func offer(_ delivery: Delivery) throws -> Int64 {
    let server = try started(delivery.phase)
    calls += 1
    let id = RequestID.text(worker: number, call: calls)
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:\(plan.functionName)"
    let invocation = RuntimeServer.Invocation(
      id: id, body: plan.shape.body(delivery), deadline: wallMilliseconds() + plan.limits.milliseconds,
      context: delivery.clientContext, arn: arn)
    server.desk.change { ($0.offered, $0.taken, $0.outcome) = (invocation, nil, nil) }
    return monotonicMilliseconds()
  }

  func deliver(_ delivery: Delivery) throws -> DeliveryOutcome {
    let since = try begun ?? offer(delivery)
    begun = nil
    guard let server else { return .failed(["its process is gone"]) }
    switch try awaitOutcome(server, since: since) {
    case .answered(let body):
      restarts.answered()
      return plan.shape.outcome(body, of: delivery)
    case .failed(let reasons): return .failed(reasons)
    }
  }

  /// The outcome of the call; of one that does not come, once its process is gone.
  private func awaitOutcome(_ server: RuntimeServer, since began: Int64) throws -> RuntimeServer.Outcome {
    var looked = began
    while true {
      if let outcome = server.desk.wait(milliseconds: 20, { $0.outcome }) { return outcome }
      if isCancelled.load(ordering: .acquiring) {
        stop()
        throw DeliveryCancelled()
      }
      drain()
      let now = monotonicMilliseconds()
      if let end = child?.hasEnded() {
        // It may have answered, and ended.
        if let outcome = server.desk.quietly({ $0.outcome }) { return outcome }
        return .failed(["its process \(end)"] + lastWords())
      }
      if now - began > plan.limits.milliseconds {
        let limit = ChildLimits.text(plan.limits.milliseconds)
        return .failed(["it did not answer within \(limit): its process was killed"] + lastWords())
      }
      if now - looked > 100 {
        looked = now
        if let reason = plan.limits.exceeded(by: child) { return .failed([reason] + lastWords()) }
      }
    }
  }

  private func drain() {
    guard let child else { return }
    log.drain(child.errors)
    noise.drain(child.output)
  }

  /// Ends the process, and tells what it said last.
  private func lastWords() -> [String] {
    stop()
    return (noise.take() + log.take()).suffix(10).map { "  it said: \($0)" }
  }

  private func stop() {
    child?.kill()
    drain()
    child?.close()
    server?.close()
    (child, server) = (nil, nil)
  }

  // MARK: The process

  /// The server of a process that waits for work, or soon will.
  private func started(_ phase: Phase) throws -> RuntimeServer {
    if let server, child?.hasEnded() == nil, startedPhase == phase { return server }
    // It ended between two calls, or was ended in the last one; or it works in the phase before.
    if hasStarted, startedPhase == phase { try wait(milliseconds: restarts.ended()) }
    (startedPhase, hasStarted) = (phase, true)
    while true {
      stop()
      guard let failed = try begin() else { break }
      stop()
      guard let pause = restarts.failedToStart() else { throw cannotStart(failed) }
      try wait(milliseconds: pause)
    }
    restarts.started()
    guard let server else { throw cannotStart(["its server is gone"]) }
    return server
  }

  private func wait(milliseconds: Int64) throws {
    try pause(milliseconds: milliseconds) { isCancelled.load(ordering: .acquiring) }
  }

  /// Starts a process and waits until it asks for work; else what it said of why it does not.
  private func begin() throws -> [String]? {
    var process = ChildProcess.Plan(command: plan.command)
    process.directory = plan.directory
    process.isIsolated = plan.isIsolated
    process.needsServer = plan.isIsolated
    let early = plan.isIsolated ? nil : try RuntimeServer()
    process.environment = environment(early?.address ?? "127.0.0.1:9001")
    let child = try ChildProcess(process)
    self.child = child
    let server = try early ?? RuntimeServer(listening: child.listening)
    self.server = server
    let began = monotonicMilliseconds()
    while true {
      let state = server.desk.wait(milliseconds: 20) { desk -> Bool? in
        desk.initError != nil ? false : desk.nexts > 0 ? true : nil
      }
      if state == true { return nil }
      if isCancelled.load(ordering: .acquiring) {
        stop()
        throw DeliveryCancelled()
      }
      drain()
      if let reasons = server.desk.quietly({ $0.initError }) { return reasons + lastWords() }
      if let end = child.hasEnded() { return ["its process \(end) before it asked for work"] + lastWords() }
      if monotonicMilliseconds() - began > plan.limits.startMilliseconds {
        return ["it did not ask for work within \(ChildLimits.text(plan.limits.startMilliseconds))"] + lastWords()
      }
    }
  }

  private func environment(_ address: String) -> [(name: String, value: String)] {
    plan.environment.values(
      phase: startedPhase,
      with: [
        ("AWS_LAMBDA_RUNTIME_API", address), ("_HANDLER", plan.handler),
        ("LAMBDA_TASK_ROOT", absolutePath(plan.directory ?? ".")),
        ("AWS_LAMBDA_FUNCTION_NAME", plan.functionName), ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "\(plan.limits.residentBytes >> 20)"),
        ("AWS_REGION", "us-east-1"), ("AWS_DEFAULT_REGION", "us-east-1"),
      ])
  }

  private func cannotStart(_ reasons: [String]) -> ReplayError {
    let isClientMissing = reasons.contains { $0.contains("No module named awslambdaric") }
    return ReplayError(
      .unavailable, "the function \(plan.functionName) does not start: \(plan.command.joined(separator: " "))",
      details: reasons,
      next: isClientMissing
        ? "install the runtime interface client for this Python: pip install awslambdaric"
        : "mend the function, then run the same command")
  }
}

/// A request's id in the form of AWS's, which handlers may parse: a UUID that names the worker and the call.
enum RequestID {
  static func text(worker: Int, call: UInt64) -> String {
    func hex(_ number: UInt64, _ digits: Int) -> String {
      let text = String(number, radix: 16)
      return String(repeating: "0", count: max(0, digits - text.count)) + text.suffix(digits)
    }
    return "\(hex(UInt64(worker), 8))-0000-4000-8000-\(hex(call, 12))"
  }
}
