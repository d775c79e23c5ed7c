import ReplayCore

/// What a handler's answer says of a batch, by the rules of `ReportBatchItemFailures`: success is null, `{}`, no list, a null
/// list or an empty one; the lowest named record and everything behind it has failed; an identifier that is empty, null,
/// misnamed or of no record of the batch fails all of it.
struct BatchResponse: Equatable {
  /// The first record that failed; nil: none did, or nobody can say which.
  var failedAt: Int?
  var reasons: [String] = []
  var hasFailed: Bool { !reasons.isEmpty }

  init(_ answer: JSONValue, count: Int, place: (JSONValue) -> Int?) {
    guard let list = answer["batchItemFailures"], !list.isNull else { return }
    guard let failures = list.array else {
      reasons = ["it answered batchItemFailures as \(list.kind), expected an array"]
      return
    }
    var lowest = count
    for failure in failures {
      guard let identifier = failure["itemIdentifier"] else {
        reasons = ["it answered a batch item failure without an itemIdentifier: all of the batch failed"]
        return
      }
      guard let place = place(identifier) else {
        reasons = ["it answered \(identifier.kind) as itemIdentifier, which is no record's: all of the batch failed"]
        return
      }
      lowest = min(lowest, place)
    }
    if failures.isEmpty { return }
    failedAt = lowest
    reasons = ["it named the event among its batchItemFailures"]
  }
}

extension ShapedEvents {
  /// What a handler's answer to a batch of these makes of it.
  func outcome(_ body: [UInt8], of delivery: Delivery) -> DeliveryOutcome {
    switch JSONReader.answer(body) {
    case .success(let answer): return outcome(answer, of: delivery)
    case .failure(let fault): return .failed([fault.reason])
    }
  }

  func outcome(_ answer: JSONValue, of delivery: Delivery) -> DeliveryOutcome {
    let response = BatchResponse(answer, count: delivery.events.count) { place(of: $0, in: delivery.events) }
    if response.hasFailed { return .failed(response.reasons, at: response.failedAt) }
    if let reason = delivery.window?.fault(in: answer) { return .failed([reason]) }
    return DeliveryOutcome(answers: [(delivery.events.count, answer)])
  }
}

extension Delivery {
  /// What a handler finds in its context: whether it is replayed, and which delivery of its events this is.
  var clientContext: String {
    let custom = [("replay_phase", phase.word), ("replay_run", "\(run)"), ("replay_attempt", "\(attempt)")]
    return "{\"custom\":{" + custom.map { "\"\($0.0)\":\"\($0.1)\"" }.joined(separator: ",") + "}}"
  }
}
