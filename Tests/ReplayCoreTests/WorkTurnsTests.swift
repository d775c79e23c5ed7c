import Synchronization
import Testing

@testable import ReplayCore

/// Whose turn it is. Times in microseconds.
struct WorkTurnsTests {
  @Test func whoIsNotSlowedNeverWaits() {
    var turns = WorkTurns(pace: .infinity)
    for _ in 0..<100 { #expect(turns.ask(alone: true, now: 0) == .begin) }
    for _ in 0..<100 { turns.ended(alone: true, tookMicroseconds: 1_000_000, now: 0) }
    #expect(turns.ask(alone: true, now: 0) == .begin)
    #expect(turns.restedMicroseconds == 0)
  }

  /// Pace, and how many may work at once.
  @Test(arguments: [(0.05, 1), (0.99, 1), (1, 1), (1.9, 1), (2, 2), (3.5, 3)]) func soManyWorkAtOnce(
    pace: Double, many: Int
  ) {
    var turns = WorkTurns(pace: pace)
    for _ in 0..<many { #expect(turns.ask(alone: true, now: 0) == .begin) }
    for _ in 0..<3 { #expect(turns.ask(alone: true, now: 0) == .wait(microseconds: 1_000_000)) }
    // What has workers of its own is not counted.
    #expect(turns.ask(alone: false, now: 0) == .begin)
    turns.ended(alone: false, tookMicroseconds: 0, now: 0)
    #expect(turns.ask(alone: true, now: 0) != .begin)
    turns.ended(alone: true, tookMicroseconds: 0, now: 0)
    #expect(turns.ask(alone: true, now: 0) == .begin)
  }

  /// Pace, work, and the rest after it: work ÷ (work + rest) is the pace, up to a second; less than 2 ms is saved up.
  @Test(arguments: [
    (0.5, 4_000, 4_000), (0.25, 1_000, 3_000), (0.05, 5_000, 95_000), (0.5, 1_999, 0), (0.1, 10_000_000, 1_000_000),
    (1, 10_000, 0), (2, 10_000, 0), (0.05, 0, 0),
  ]) func allRestAfterWork(pace: Double, took: Int64, rest: Int64) {
    for alone in [true, false] {
      var turns = WorkTurns(pace: pace)
      _ = turns.ask(alone: alone, now: 0)
      turns.ended(alone: alone, tookMicroseconds: took, now: 7)
      for other in [true, false] {
        var asked = turns
        #expect(asked.ask(alone: other, now: 7) == (rest == 0 ? .begin : .wait(microseconds: rest)))
        if rest > 0 {
          var early = turns
          #expect(early.ask(alone: other, now: 6 + rest) == .wait(microseconds: 1))
        }
        var later = turns
        #expect(later.ask(alone: other, now: 7 + rest) == .begin)
      }
      #expect(turns.restedMicroseconds == rest)
    }
  }

  @Test func shortRestsAreSavedUp() {
    var turns = WorkTurns(pace: 0.5)
    for _ in 0..<2 {
      #expect(turns.ask(alone: true, now: 0) == .begin)
      turns.ended(alone: true, tookMicroseconds: 1_000, now: 0)
    }
    #expect(turns.ask(alone: true, now: 0) == .wait(microseconds: 2_000))
  }

  @Test func anotherPaceEndsARest() {
    var turns = WorkTurns(pace: 0.05)
    _ = turns.ask(alone: true, now: 0)
    turns.ended(alone: true, tookMicroseconds: 50_000, now: 0)
    #expect(turns.ask(alone: true, now: 0) != .begin)
    turns.pace = .infinity
    #expect(turns.ask(alone: true, now: 0) == .begin)
  }

  /// Any pieces of work of one thread, one after another: over a long time their share is the pace.
  @Test(arguments: 0..<50) func theShareOfWorkIsThePace(seed: Int) {
    var random = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1
    func chance(_ range: ClosedRange<Int64>) -> Int64 {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return range.lowerBound + Int64(random >> 33) % (range.upperBound - range.lowerBound + 1)
    }
    let pace = Double(chance(5...99)) / 100
    var (turns, now, worked) = (WorkTurns(pace: pace), Int64(0), Int64(0))
    for _ in 0..<2_000 {
      while case .wait(let microseconds) = turns.ask(alone: true, now: now) { now += microseconds }
      let took = chance(10...9_000)
      (now, worked) = (now + took, worked + took)
      turns.ended(alone: true, tookMicroseconds: took, now: now)
    }
    let share = Double(worked) / Double(now)
    #expect(abs(share - pace) < 0.01, "seed \(seed): \(share) at a pace of \(pace)")
  }

  /// Threads: no more than two inside at a pace of two, all come through, and a thread that waits hears of a new pace.
  @Test func threadsWaitForTheirTurn() throws {
    let clock = ContinuousClock()
    let start = clock.now
    let gate = WorkGate(pace: 2) { Int64((clock.now - start) / .microseconds(1)) }
    let inside = Mutex((now: 0, most: 0, all: 0))
    var threads: [NamedThread] = []
    for _ in 0..<6 {
      threads.append(
        try NamedThread("test-gate") {
          for _ in 0..<50 {
            gate.working {
              inside.withLock { ($0.now, $0.most, $0.all) = ($0.now + 1, max($0.most, $0.now + 1), $0.all + 1) }
              inside.withLock { $0.now -= 1 }
            }
          }
        })
    }
    for thread in threads { thread.join() }
    #expect(inside.withLock { $0.all } == 300)
    #expect(inside.withLock { $0.most } <= 2)
    // A rest of a second, cut short.
    gate.pace = 0.001
    gate.working { while clock.now - start < .milliseconds(20) {} }
    let waiting = try NamedThread("test-gate") { gate.working {} }
    gate.pace = .infinity
    waiting.join()
  }
}
