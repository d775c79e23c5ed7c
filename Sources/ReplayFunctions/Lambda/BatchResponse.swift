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
