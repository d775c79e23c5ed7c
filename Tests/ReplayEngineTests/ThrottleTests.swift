import Testing

@testable import ReplayEngine

/// How fast a run may go. Times in microseconds: 20 ms between probes, 5 s of them counted, a target of 10 ms.
@Suite struct ThrottleTests {
  private let target: Int64 = 10_000
  private let interval: Int64 = 20_000

  private func settings(full: Double = 3) -> Throttle.Settings { Throttle.Settings(target: target, full: full) }

  /// Tells the throttle of probes, one each interval; answers the time after them.
  @discardableResult private func probe(
    _ throttle: inout Throttle, _ latencies: [Int64], from now: Int64
  ) -> Int64 {
    var now = now
    for latency in latencies {
      now += max(interval, latency)
      throttle.hear(.answered(latency), now: now)
    }
    return now
  }

  private func good(_ count: Int) -> [Int64] { Array(repeating: 1_000, count: count) }

  // MARK: The window

  /// Nearest rank, by hand: of 1…100 the 99th, of 200 the 198th, of few the last one.
  @Test(arguments: [(1, 1), (2, 2), (99, 99), (100, 99), (101, 100), (199, 198), (200, 198), (250, 248)])
  func p99IsTheNearestRank(count: Int, expected: Int64) {
    var window = LatencyWindow(span: 1_000_000, interval: 1_000)
    for latency in (1...Int64(count)).shuffled() { window.add(latency: latency, now: 500) }
    #expect(window.p99 == expected)
  }

  /// A probe of 50 ms at 20 ms kept two from being sent, which would have waited 30 and 10.
  @Test(
    arguments: [
      (0, [0]), (1, [1]), (20_000, [20_000]), (20_001, [20_001, 1]), (50_000, [50_000, 30_000, 10_000]),
    ] as [(Int64, [Int64])]) func aSlowProbeCountsForThoseThatItKept(latency: Int64, expected: [Int64])
  {
    #expect(LatencyWindow.sent(latency: latency, interval: interval, limit: 250) == expected)
  }

  @Test func aStallCountsAtMostForAWholeWindow() {
    #expect(LatencyWindow.sent(latency: 3_600_000_000, interval: interval, limit: 250).count == 250)
  }

  @Test func oldProbesAreForgotten() {
    var window = LatencyWindow(span: 100, interval: 10)
    window.add(latency: 9, now: 1_000)
    window.add(latency: 1, now: 1_050)
    #expect(window.p99 == 9)
    window.add(latency: 2, now: 1_092)
    #expect(window.p99 == 2)
    window.forget(before: 2_000)
    #expect(window.p99 == nil)
  }

  // MARK: Falling

  /// Two slow ones of 250 are within 1 %; the third one is not.
  @Test func itFallsWithTheThirdSlowProbe() {
    for others in [0, 3, 40, 100] {
      var throttle = Throttle(settings(), now: 0)
      var now = probe(&throttle, good(others) + [12_000, 12_000], from: 0)
      let before = throttle.pace
      now = probe(&throttle, [12_000], from: now)
      #expect(throttle.pace < before, "after \(others) good ones")
    }
  }

  /// By how far the third slowest was off: target ÷ latency, from a half to 0.85.
  @Test(arguments: [(10_001, 0.85), (12_500, 0.8), (16_000, 0.625), (20_000, 0.5), (900_000, 0.5)])
  func itFallsByHowFarItWasOff(latency: Int64, factor: Double) {
    var throttle = Throttle(settings(), now: 0)
    let first = throttle.pace
    probe(&throttle, [latency, latency, latency], from: 0)
    if latency < interval { #expect(abs(throttle.pace - first * factor) < 1e-9) }
    #expect(throttle.pace <= first * factor + 1e-9)
  }

  @Test func atTheTargetIsNotSlow() {
    var throttle = Throttle(settings(), now: 0)
    probe(&throttle, Array(repeating: 10_000, count: 20), from: 0)
    #expect(throttle.pace == 0.25)
  }

  /// What made it fall does not make it fall again: only what was sent since.
  @Test func itIsJudgedAnewAfterEachFall() {
    var throttle = Throttle(settings(), now: 0)
    var now = probe(&throttle, [15_000, 15_000, 15_000], from: 0)
    let fallen = throttle.pace
    now = probe(&throttle, good(10) + [15_000, 15_000], from: now)
    #expect(throttle.pace == fallen)
    probe(&throttle, [15_000], from: now)
    #expect(throttle.pace < fallen)
  }

  @Test func itNeverFallsBelowItsLeastPace() {
    var throttle = Throttle(settings(), now: 0)
    probe(&throttle, Array(repeating: 100_000, count: 500), from: 0)
    #expect(throttle.pace == 0.05)
    #expect(throttle.isSlowed)
  }

  // MARK: Waiting

  /// A probe that hangs is slow before it is answered, and no faster than probes would come.
  @Test func itFallsWhileAProbeIsNotAnswered() {
    var throttle = Throttle(settings(), now: 0)
    var (falls, last) = (0, throttle.pace)
    var paces: [Double] = []
    for tick in 1...60 {
      let waited = Int64(tick) * interval
      throttle.hear(.waiting(waited), now: 1_000_000 + waited)
      if throttle.pace < last { falls += 1 }
      last = throttle.pace
      paces.append(last)
    }
    // 20, 40, 60 ms: the probe and two that it kept.
    #expect(paces[1] == 0.25 && paces[2] < 0.25)
    #expect(falls >= 2 && falls <= 20)
    #expect(throttle.pace == 0.05)
  }

  @Test func aProbeThatIsNotAnsweredYetIsNotSlowByItself() {
    var throttle = Throttle(settings(), now: 0)
    for now in 1...500 { throttle.hear(.waiting(9_999), now: Int64(now)) }
    #expect(throttle.pace == 0.25)
  }

  // MARK: Rising

  /// Half a second of good probes each time: 0.25 × 1.5ⁿ up to the full pace of three threads.
  @Test func itRisesFastWhereNothingWasTooMuch() {
    var throttle = Throttle(settings(), now: 0)
    var (now, expected) = (Int64(0), 0.25)
    for _ in 0..<7 {
      now = probe(&throttle, good(25), from: now)
      expected = min(3, expected * 1.5)
      #expect(abs(throttle.pace - expected) < 1e-9)
    }
    #expect(throttle.pace == 3 && !throttle.isSlowed && throttle.share == 1)
  }

  /// Not before the slow ones have left the window, and one slow one since the last change waits too.
  @Test func itDoesNotRiseWhileTheP99IsBad() {
    var throttle = Throttle(settings(), now: 0)
    var now = probe(&throttle, good(25) + [15_000, 15_000, 15_000], from: 0)
    let fallen = throttle.pace
    now = probe(&throttle, good(240), from: now)
    #expect(throttle.pace == fallen)
    now = probe(&throttle, good(10), from: now)
    #expect(throttle.pace > fallen)
    let risen = throttle.pace
    probe(&throttle, [15_000] + good(100), from: now)
    #expect(throttle.pace == risen)
  }

  /// Near what was too much it goes by a twentieth at a time.
  @Test func itRisesSlowlyNearWhatWasTooMuch() {
    var throttle = Throttle(settings(), now: 0)
    var now = probe(&throttle, good(100), from: 0)
    let ceiling = throttle.pace
    now = probe(&throttle, [12_500, 12_500, 12_500], from: now)
    #expect(abs(throttle.pace - ceiling * 0.8) < 1e-9)
    now = probe(&throttle, good(251), from: now)
    let low = throttle.pace
    #expect(low > ceiling * 0.8 && low <= ceiling * 0.85)
    now = probe(&throttle, good(25), from: now)
    #expect(abs(throttle.pace - low * 1.05) < 1e-9)
    // Well above it nothing is known again.
    probe(&throttle, good(25 * 20), from: now)
    #expect(throttle.pace == 3)
  }

  // MARK: Failures

  @Test func aProbeThatFailsChangesNothing() {
    var throttle = Throttle(settings(), now: 0)
    probe(&throttle, good(60), from: 0)
    let pace = throttle.pace
    for second in 2..<20 { throttle.hear(.failed, now: Int64(second) * 1_000_000) }
    #expect(throttle.pace == pace && throttle.failures == 18 && throttle.isFailing)
    #expect(throttle.p99 == nil)
    // The first answer afterwards says that it is back; it rises once there are enough.
    throttle.hear(.answered(1_000), now: 20_000_000)
    #expect(!throttle.isFailing && throttle.pace == pace)
    probe(&throttle, good(24), from: 20_000_000)
    #expect(throttle.pace > pace)
  }

  // MARK: The account

  @Test func itCountsHowLongItWasSlowed() {
    var throttle = Throttle(settings(full: 0.3), now: 0)
    let now = probe(&throttle, good(25), from: 0)
    #expect(!throttle.isSlowed && throttle.slowedMicroseconds == now)
    probe(&throttle, good(100), from: now)
    #expect(throttle.slowedMicroseconds == now && throttle.probes == 125)
  }

  /// A database whose reads take longer the more is written, at random: `latency = 2 ms + 20 ms × pace` where it is busy. The
  /// pace settles where the p99 is about the target, and most probes are good.
  @Test(arguments: 0..<4) func itSettlesWhereTheTargetIsMet(seed: Int) {
    var random = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1
    func chance() -> Double {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(random >> 11) / Double(1 << 53)
    }
    var throttle = Throttle(settings(), now: 0)
    var (now, slow, paces) = (Int64(0), 0, [Double]())
    for number in 0..<5_000 {
      let latency = Int64(2_000 + 20_000 * throttle.pace * chance())
      now += max(interval, latency)
      throttle.hear(.answered(latency), now: now)
      guard number >= 1_000 else { continue }
      slow += latency > target ? 1 : 0
      paces.append(throttle.pace)
    }
    // At 0.4 no read is slow at all.
    let mean = paces.reduce(0, +) / Double(paces.count)
    #expect(mean > 0.3 && mean < 0.6, "seed \(seed): \(mean)")
    #expect(Double(slow) < 0.02 * 4_000, "seed \(seed): \(slow) of 4,000")
  }
}
