import ReplayCore

/// A Lambda function behind Lambda's own Invoke call: at AWS, or behind the runtime interface emulator.
final class InvokeWorker: FunctionWorker {
  struct Plan: Sendable {
    var calls: HTTPCaller.Plan
    var shape: any ShapedEvents
    var payload: PayloadField
  }

  private var tail = RecordTail()
  private let plan: Plan
  private let caller: HTTPCaller

  init(_ plan: Plan) {
    self.plan = plan
    caller = HTTPCaller(plan.calls)
  }

  func cancel() { caller.cancel() }
  func close() { caller.close() }

  func time(of event: Event) -> Timestamp? { plan.shape.time(of: event) }

  func encode(_ event: Event, key: Text, phase: Phase) throws -> [UInt8] {
    try plan.shape.record(
      event, key: key, payload: event[plan.payload], tail: tail.bytes(event.partition.log, of: plan.shape))
  }

  func deliver(_ delivery: Delivery) throws -> DeliveryOutcome {
    var context = JSONWriter()
    let text = Array(delivery.clientContext.utf8)
    text.withUnsafeBytes { context.base64(Text($0)) }
    let encoded = String(decoding: context.bytes.dropFirst().dropLast(), as: UTF8.self)
    let headers =
      delivery.headers + [
        "Content-Type: application/json", "X-Amz-Client-Context: \(encoded)",
      ]
    switch try caller.call(headers, body: plan.shape.body(delivery)) {
    case .failed(let reasons): return .failed(reasons)
    case .lost: return DeliveryOutcome(failure: .lost)
    case .answered(let answer): return try outcome(answer, delivery)
    }
  }

  private func outcome(_ answer: HTTPAnswer, _ delivery: Delivery) throws -> DeliveryOutcome {
    guard answer.status == 200 else {
      if [401, 403, 404].contains(answer.status) { throw caller.refused(answer) }
      return .failed(caller.reasons(answer))
    }
    if answer.functionError != nil { return .failed(FunctionError.reasons(answer.body)) }
    // A handler that returns nothing is answered as null. The emulator answers nothing where the function's process ended.
    if answer.body.isEmpty { return .failed(["it answered nothing: its process may have ended"]) }
    switch JSONReader.answer(answer.body) {
    case .failure(let fault): return .failed([caller.hidden(fault.reason)])
    case .success(let value) where FunctionError.isError(value): return .failed(FunctionError.reasons(answer.body))
    case .success(let value): return plan.shape.outcome(value, of: delivery)
    }
  }
}
