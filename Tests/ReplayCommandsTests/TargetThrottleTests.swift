import ReplayCore
import Synchronization
import Testing

@testable import ReplayCommands
@testable import ReplayEngine

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A database that answers as it is told.
final class FakeProbe: LatencyProbe {
  struct State: Sendable {
    var milliseconds = 0
    var isAway = false
    var asks = 0
    var isUp = false
  }
  let state = Mutex(State())
  private let now: @Sendable () -> Int64
  private let asked = Mutex<Int64>(0)

  init(now: @escaping @Sendable () -> Int64) { self.now = now }

  var isCounted: Bool { true }

  func connect() throws {
    if state.withLock({ $0.isAway }) { throw ReplayError(.unavailable, "away", details: ["it is switched off"]) }
    state.withLock { $0.isUp = true }
  }

  func ask() throws {
    asked.withLock { $0 = now() }
    state.withLock { $0.asks += 1 }
  }

  func hasAnswered(within milliseconds: Int) throws -> Bool {
    let due = asked.withLock { $0 } + Int64(state.withLock { $0.milliseconds }) * 1000
    let end = min(due, now() + Int64(milliseconds) * 1000)
    while now() < end { usleep(200) }
    return now() >= due
  }

  func hangUp() { state.withLock { $0.isUp = false } }
}

@Suite struct TargetThrottleTests {
  private final class Said: Sendable {
    let lines = Mutex<[String]>([])
  }
  private let said = Said()

  private func throttle(target: Int64 = 20_000, isStopping: @escaping @Sendable () -> Bool = { false })
    -> TargetThrottle
  {
    TargetThrottle(
      Throttle.Settings(target: target, full: 3), now: Clock.microseconds, isStopping: isStopping,
      say: { [said] line in said.lines.withLock { $0.append(line) } })
  }

  private func until(_ what: String, _ condition: () -> Bool) {
    for _ in 0..<2_000 where !condition() { usleep(10_000) }
    #expect(condition(), "\(what)")
  }

  @Test func aFastTargetSlowsNothing() throws {
    let (throttle, probe) = (throttle(), FakeProbe(now: Clock.microseconds))
    #expect(throttle.gate.pace == 0.25, "it begins with care")
    try throttle.watching(probe) { until("full pace") { throttle.gate.pace == .infinity } }
    #expect(!probe.state.withLock { $0.isUp }, "the connection is gone with the run")
    #expect(throttle.account.share == 1 && throttle.account.probes >= 150)
    let asks = probe.state.withLock { $0.asks }
    usleep(100_000)
    #expect(probe.state.withLock { $0.asks } == asks, "no thread is left")
  }

  @Test func aSlowTargetSlowsTheRun() throws {
    let (throttle, probe) = (throttle(), FakeProbe(now: Clock.microseconds))
    probe.state.withLock { $0.milliseconds = 60 }
    try throttle.watching(probe) { until("least pace") { throttle.gate.pace == 0.05 } }
    let account = throttle.account
    #expect(account.highestP99 >= 60_000 && account.slowed > 0)
    #expect(account.short.contains("slowed to 1.7%"), "\(account.short)")
  }

  /// While a question waits behind a lock for ever, the run is slowed, and can end.
  @Test func aTargetThatDoesNotAnswerHoldsNothingUp() throws {
    let (throttle, probe) = (throttle(), FakeProbe(now: Clock.microseconds))
    probe.state.withLock { $0.milliseconds = 3_600_000 }
    try throttle.watching(probe) { until("least pace") { throttle.gate.pace == 0.05 } }
    #expect(throttle.account.probes == 0)
  }

  @Test func whoIsToStopIsNotSlowed() throws {
    let stop = StopRequest()
    let throttle = throttle { stop.isStopped }
    let probe = FakeProbe(now: Clock.microseconds)
    probe.state.withLock { $0.milliseconds = 30 }
    try throttle.watching(probe) {
      until("slowed") { throttle.gate.pace < 0.25 }
      stop.stop()
      until("free") { throttle.gate.pace == .infinity }
    }
  }

  @Test func aProbeThatFailsIsSaidOnceAndTheRunGoesOn() throws {
    let (throttle, probe) = (throttle(), FakeProbe(now: Clock.microseconds))
    probe.state.withLock { $0.isAway = true }
    try throttle.watching(probe) {
      until("two failures") { throttle.account.failures >= 2 }
      #expect(throttle.gate.pace == 0.25 && throttle.account.short.contains("not probed"))
      probe.state.withLock { $0.isAway = false }
      until("back") { throttle.account.probes > 0 }
    }
    #expect(
      said.lines.withLock { $0 } == [
        "replay: warning: the target database cannot be probed, the run keeps its pace: it is switched off",
        "replay: throttle  the target database is probed again",
      ])
  }

  @Test func anErrorOfTheRunEndsTheProbeToo() throws {
    struct Failed: Error {}
    let (throttle, probe) = (throttle(), FakeProbe(now: Clock.microseconds))
    #expect(throws: Failed.self) { try throttle.watching(probe) { throw Failed() } }
    #expect(!probe.state.withLock { $0.isUp })
  }
}

/// What an account says, as text that was written by hand.
@Suite struct ThrottleAccountTests {
  private let account = ThrottleAccount(
    target: 20_000, p99: 31_240, highestP99: 1_250_000, share: 0.125, slowed: 12_340_000, rested: 9_000_000,
    lasted: 30_000_000, probes: 1_500, failures: 2, isFailing: false)

  @Test func forPeople() {
    #expect(account.short == "p99 31.2 ms, slowed to 13%")
    #expect(
      account.line
        == "throttle  slowed for 12 s of 30 s, 9.00 s of it at rest; p99 in the target 31.2 ms, at most 1.25 s, "
        + "asked for 20.0 ms (1,500 probes, 2 failed)")
  }

  @Test func asMetrics() {
    var out = MetricsText()
    account.add(to: &out)
    let samples = out.text.split(separator: "\n").filter { !$0.hasPrefix("#") }
    #expect(
      samples == [
        "replay_target_p99_seconds 0.031240", "replay_target_max_p99_seconds 0.020000",
        "replay_target_probes_total 1500",
        "replay_target_probe_failures_total 2", "replay_throttle_share 0.1250",
        "replay_throttle_slowed_seconds_total 12.340000", "replay_throttle_rest_seconds_total 9.000000",
      ])
  }
}
