import ArgumentParser
import ReplayCore

/// What becomes of events that a function cannot apply.
struct FailureOptions: ParsableArguments {
  enum Choice: String, ExpressibleByArgument, CaseIterable {
    case fail, retry, park
    case deadLetter = "dead-letter"
  }

  @Option(
    help: ArgumentHelp(
      """
      An archived event that a function cannot apply: fail stops there; retry tries again first; park keeps it and the \
      later events of its key in the store; dead-letter keeps it alone.
      """, valueName: "choice"))
  var onError = Choice.fail
  @Option(help: ArgumentHelp("The same of the stream's events (default: park).", valueName: "choice"))
  var onErrorLive: Choice?
  @Option(help: "How often such an event is tried again first (default: 0, with retry 5).")
  var retries: Int?
  @Option(help: "Seconds before the first of these; each next one waits twice as long.")
  var retryBackoff = 0.1
  @Option(
    help:
      "Of the stream's events: one that fails and is older than so many seconds, by its own time, is not tried again.")
  var maxRecordAge: Int?
  @Option(help: "What the store may keep of one function's events that could not be applied, in bytes.")
  var maxParkedBytes = 256 << 20

  func validate() throws {
    if let retries, !(0...10_000).contains(retries) { throw ValidationError("--retries must be from 0 to 10,000.") }
    if let maxRecordAge {
      if !(60...604_800).contains(maxRecordAge) {
        throw ValidationError("--max-record-age must be from 60 to 604,800 seconds.")
      }
      if live.retries == 0 {
        throw ValidationError(
          "--max-record-age ends retries, and none is made: give --retries too, or --on-error-live retry.")
      }
    }
    if !(0...3_600).contains(retryBackoff) {
      throw ValidationError("--retry-backoff must be from 0 to 3,600 seconds.")
    }
    if maxParkedBytes < 1 { throw ValidationError("--max-parked-bytes must be above 0.") }
  }

  /// What is said of a stream's events wants a stream.
  func verify(_ stream: StreamOptions) throws {
    if stream.live == nil, onErrorLive != nil { throw ValidationError("--on-error-live needs --live.") }
  }

  var archived: FailurePolicy { policy(onError) }
  var live: FailurePolicy {
    var policy = policy(onErrorLive ?? .park)
    policy.maxAgeMilliseconds = maxRecordAge.map { Int64($0) * 1000 }
    return policy
  }

  private func policy(_ choice: Choice) -> FailurePolicy {
    let after: FailurePolicy.Choice =
      switch choice {
      case .fail, .retry: .fail
      case .park: .park
      case .deadLetter: .deadLetter
      }
    return FailurePolicy(
      after, retries: retries ?? (choice == .retry ? 5 : 0), backoffMilliseconds: Int64(retryBackoff * 1000))
  }
}

extension FailurePolicy {
  /// Whether a read of the archive has to find partition keys that its functions do not ask for: to park by, or to show.
  func needsKey(_ kept: [KeptEvents], keysFiles: Bool) -> Bool {
    choice == .park || kept.contains { !$0.parkedKeys.isEmpty } || (choice == .deadLetter && !keysFiles)
  }
}
