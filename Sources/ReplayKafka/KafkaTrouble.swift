import Synchronization

/// What librdkafka last complained about, from whichever of its threads, and since when no broker was reached.
final class KafkaTrouble: Sendable {
  typealias Log = @Sendable (_ level: Int32, _ line: String) -> Void

  private struct State {
    var last: String?
    var downSince: ContinuousClock.Instant?
    var heard = ContinuousClock.now
    var wasHeard = false
  }

  private let state = Mutex(State())
  private let options: KafkaOptions
  private let log: Log?

  init(options: KafkaOptions, log: Log?) {
    self.options = options
    self.log = log
  }

  /// The last broker error in librdkafka's words, without secrets.
  var last: String? { state.withLock { $0.last } }
  var downSince: ContinuousClock.Instant? { state.withLock { $0.downSince } }
  /// Whether a broker has ever answered.
  var wasHeard: Bool { state.withLock { $0.wasHeard } }
  /// When a broker answered last; before the first answer, the client's beginning.
  var heard: ContinuousClock.Instant { state.withLock { $0.heard } }

  func note(_ text: String) {
    let text = options.withoutSecrets(text)
    state.withLock { $0.last = text }
  }

  func noteDown(since: ContinuousClock.Instant = .now) {
    state.withLock { $0.downSince = $0.downSince ?? since }
  }

  func noteAnswer() {
    state.withLock { state in
      state.downSince = nil
      (state.heard, state.wasHeard) = (.now, true)
    }
  }

  /// Levels are syslog's: 3 is an error.
  func logged(level: Int32, _ line: String) {
    if level <= 3 { note(line) }
    log?(level, options.withoutSecrets(line))
  }
}
