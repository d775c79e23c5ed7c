import ReplayCore
import Synchronization

/// Calls to a service, with the waiting that is no event's fault: until it is there, and while it says that it is busy.
final class HTTPCaller {
  struct Plan: Sendable {
    var address: HTTPAddress
    var signing: RequestSigning?
    var ownHeaders: [OwnHeader] = []
    /// From a call to its answer; and of all waits of one call for a busy service, together.
    var milliseconds: Int64 = 60_000
    /// How long a connection may be refused.
    var startMilliseconds: Int64 = 30_000
    var isThrottled = false

    /// Headers of every call.
    var headers: [String] { (signing?.headers ?? []) + ownHeaders.map(\.line) }

    /// The text without what is secret, which a service may repeat.
    func hidden(_ text: String) -> String {
      ((signing?.secrets ?? []) + ownHeaders.flatMap(\.secrets)).reduce(text) { $0.replacing($1, with: "(hidden)") }
    }
  }

  enum Result {
    case answered(HTTPAnswer)
    /// No answer, or none that counts.
    case failed([String])
    /// A kept connection was closed when the call went out on it: nothing says that the events are to blame.
    case lost
  }

  private let plan: Plan
  private var connection: HTTPConnection?
  private var hasAnswered = false
  /// Calls without an answer before the first one that had one.
  private var failures = 0
  /// As many as looking for one bad event by halves in the largest batch may take: more, and it is not the event.
  private static let mostFailures = 20
  private let isCancelled = Atomic<Bool>(false)

  init(_ plan: Plan) { self.plan = plan }

  func cancel() { isCancelled.store(true, ordering: .releasing) }

  func close() {
    connection = nil
    isCancelled.store(false, ordering: .releasing)
  }

  /// Throws where the service as a whole is at fault, whatever the event.
  func call(_ headers: [String], body: [UInt8]) throws -> Result {
    let connection = try connection ?? HTTPConnection(plan.address, signing: plan.signing)
    self.connection = connection
    var patience = ServicePatience(
      busyMilliseconds: plan.milliseconds, absentMilliseconds: plan.startMilliseconds, isThrottled: plan.isThrottled)
    while true {
      let outcome = try connection.post(
        headers + plan.headers, body: body, milliseconds: plan.milliseconds
      ) { isCancelled.load(ordering: .acquiring) }
      switch outcome {
      case .answered(let answer):
        hasAnswered = true
        switch patience.verdict(answer) {
        case .take: return .answered(answer)
        case .wait(let milliseconds): try wait(milliseconds)
        case .enough: return .failed(reasons(answer) + [busy(answer)])
        }
      case .notConnected(let reason):
        guard let milliseconds = patience.absent(now: monotonicMilliseconds()) else { throw unreachable(reason) }
        try wait(milliseconds)
      case .lost: return .lost
      case .untrusted(let reason): throw unreachable(reason)
      case .broken(let reason):
        failures += 1
        if !hasAnswered, failures >= HTTPCaller.mostFailures { throw silent(reason) }
        return .failed([reason])
      }
    }
  }

  private func wait(_ milliseconds: Int64) throws {
    try pause(milliseconds: milliseconds) { isCancelled.load(ordering: .acquiring) }
  }

  // MARK: Messages

  /// What an answer that is no success says.
  func reasons(_ answer: HTTPAnswer) -> [String] {
    let body = excerpt(answer.body)
    return ["it answered with status \(answer.status)" + (body.isEmpty ? "" : ": \(body)")]
  }

  func hidden(_ text: String) -> String { plan.hidden(text) }

  func excerpt(_ body: [UInt8]) -> String {
    if plan.headers.isEmpty { return body.withUnsafeBytes { ReplayError.excerpt(Text($0), limit: 300) } }
    var text = plan.hidden(String(decoding: body, as: UTF8.self))
    return text.withUTF8 { ReplayError.excerpt(Text(UnsafeRawBufferPointer($0)), limit: 300) }
  }

  private func busy(_ answer: HTTPAnswer) -> String {
    let asked = answer.retryAfter.map { ", and asked to be called again after \($0.prefix(40))" } ?? ""
    let limit = ChildLimits.text(plan.milliseconds)
    return "it was busy\(asked); a call waits for that \(limit), all together (--function-timeout)"
  }

  private func unreachable(_ reason: String) -> ReplayError {
    ReplayError(
      .unavailable, "the function's service cannot be reached: \(plan.address.shown)", details: [reason],
      next: "once it is there, run the same command")
  }

  private func silent(_ reason: String) -> ReplayError {
    ReplayError(
      .unavailable, "the function's service never answers: \(plan.address.shown)", details: [reason],
      next: "try it by hand with curl, then run the same command")
  }

  /// The service answers, and not as one that has this function.
  func refused(_ answer: HTTPAnswer) -> ReplayError {
    let isPermission = answer.status == 401 || answer.status == 403
    return ReplayError(
      isPermission ? .permission : .unavailable,
      isPermission
        ? "the service does not let this caller in: \(plan.address.shown)"
        : "the service has no such function: \(plan.address.shown)", details: reasons(answer),
      next: isPermission
        ? "mend the credentials or what they may do, then run the same command"
        : "correct the address, then run the same command")
  }
}
