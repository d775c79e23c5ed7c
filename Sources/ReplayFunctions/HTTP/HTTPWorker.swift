import ReplayCore

/// How CloudEvents go over HTTP.
public enum HTTPForm: String, Sendable, CaseIterable {
  /// One call an event: attributes are `ce-` headers, the body is the data's own bytes.
  case binary
  /// One call an event: one JSON object.
  case structured
  /// One call a delivery: a JSON array. Only for services that ask for it.
  case batched
}

/// A function behind HTTP that takes CloudEvents.
final class HTTPWorker: FunctionWorker {
  struct Plan: Sendable {
    var calls: HTTPCaller.Plan
    var form: HTTPForm
    /// Whether an answer's body counts.
    var contract: FunctionContract
    var payload: PayloadField
    var type: TextField
    var time: TimeField
  }

  private let plan: Plan
  private let caller: HTTPCaller

  init(_ plan: Plan) {
    self.plan = plan
    caller = HTTPCaller(plan.calls)
  }

  func cancel() { caller.cancel() }
  func close() { caller.close() }

  func time(of event: Event) -> Timestamp? { event.time(plan.time) }

  /// In the binary form headers and body, parted as HTTP does it; else the JSON object. A payload that is a CloudEvent is
  /// handed on byte by byte.
  func encode(_ event: Event, key: Text, phase: Phase) -> [UInt8] {
    let payload = event[plan.payload]
    let known = CloudEvent(payload.bytes)
    if known != nil, plan.form != .binary { return Array(payload.bytes) }
    let type = ((try? event[ifPresent: plan.type]) ?? nil).map { String($0) }
    let time = (try? event[ifPresent: plan.time]) ?? nil
    let made = known ?? CloudEvent(payload, at: event.place, key: key, type: type, time: time)
    guard plan.form == .binary else { return made.json }
    return Array(made.headers.map { $0 + "\n" }.joined().utf8) + [0x0a] + made.data
  }

  func deliver(_ delivery: Delivery) throws -> DeliveryOutcome {
    guard plan.form != .batched else { return try deliverWhole(delivery) }
    var outcome = DeliveryOutcome()
    for (place, event) in delivery.events.enumerated() {
      let headers =
        delivery.headers + [
          "replay-partition: \(HeaderText.encoded(event.place.partition.name))",
          "replay-position: \(event.place.position)",
        ]
      let (own, body) = parted(event.encoded)
      switch try answer(try caller.call(headers + own, body: body)) {
      case .success(let answer): outcome.answers.append((1, answer))
      case .failure(let failure):
        outcome.failure = failure.isLost ? .lost : DeliveryOutcome.Failure(at: place, reasons: failure.reasons)
        return outcome
      }
    }
    return outcome
  }

  private func deliverWhole(_ delivery: Delivery) throws -> DeliveryOutcome {
    var writer = JSONWriter()
    for (place, event) in delivery.events.enumerated() {
      writer.raw(place == 0 ? "[" : ",")
      writer.raw(event.encoded)
    }
    writer.raw("]")
    let headers =
      delivery.headers + [
        "Content-Type: application/cloudevents-batch+json"
      ]
    switch try answer(try caller.call(headers, body: writer.bytes)) {
    case .success(let answer): return DeliveryOutcome(answers: [(delivery.events.count, answer)])
    case .failure(let failure):
      return failure.isLost ? DeliveryOutcome(failure: .lost) : .failed(failure.reasons)
    }
  }

  private func parted(_ encoded: [UInt8]) -> (headers: [String], body: [UInt8]) {
    guard plan.form == .binary else { return (["Content-Type: application/cloudevents+json"], encoded) }
    var headers: [String] = []
    var place = 0
    while let end = encoded[place...].firstIndex(of: 0x0a), end > place {
      headers.append(String(decoding: encoded[place..<end], as: UTF8.self))
      place = end + 1
    }
    return (headers, Array(encoded[(place + 1)...]))
  }

  private struct Failure: Error {
    var reasons: [String] = []
    var isLost = false
  }

  /// What the answer is to its events. An empty one is one without changes.
  private func answer(_ result: HTTPCaller.Result) throws -> Result<JSONValue, Failure> {
    switch result {
    case .failed(let reasons): return .failure(Failure(reasons: reasons))
    case .lost: return .failure(Failure(isLost: true))
    case .answered(let answer):
      guard answer.isSuccess else { return .failure(Failure(reasons: caller.reasons(answer))) }
      guard plan.contract == .changes, !answer.body.allSatisfy({ $0 <= 0x20 }) else { return .success(.object([])) }
      return JSONReader.answer(answer.body).mapError { Failure(reasons: [caller.hidden($0.reason)]) }
    }
  }
}

extension Delivery {
  /// What every call says of itself.
  var headers: [String] { ["replay-phase: \(phase.word)", "replay-run: \(run)", "replay-attempt: \(attempt)"] }
}
