import Testing

@testable import ReplayFunctions

struct BatchWorkTests {
  static func work(_ count: Int, retries: Int = 0, bisects: Bool = true) -> BatchWork {
    BatchWork(
      count: count, limits: BatchWork.Limits(retries: retries, backoffMilliseconds: 10, bisects: bisects))
  }

  @Test func whatSucceedsIsDeliveredOnce() {
    var work = BatchWorkTests.work(3)
    #expect(work.next { _ in false } == [0, 1, 2])
    #expect(work.ended(answered: 3, hasFailed: false, failedAt: nil) == .goOn)
    #expect(work.next { _ in false } == [])
  }

  @Test func whatIsBeforeTheNamedOneGoesAloneAndThenTheNamedOneIsTriedAgain() {
    var work = BatchWorkTests.work(4, retries: 1)
    _ = work.next { _ in false }
    #expect(work.ended(answered: 0, hasFailed: true, failedAt: 2) == .goOn)
    #expect(work.next { _ in false } == [0, 1])
    #expect(work.ended(answered: 2, hasFailed: false, failedAt: nil) == .goOn)
    #expect(work.next { _ in false } == [2, 3])
    #expect(work.ended(answered: 0, hasFailed: true, failedAt: 0) == .wait(milliseconds: 10))
    #expect(work.next { _ in false } == [2, 3])
    #expect(work.ended(answered: 0, hasFailed: true, failedAt: 0) == .giveUp([2], attempts: 2))
    #expect(work.next { _ in false } == [3])
  }

  @Test func whatIsLostOnItsWayUsesUpNoAttempt() {
    var work = BatchWorkTests.work(3)
    _ = work.next { _ in false }
    work.lost(answered: 1)
    #expect(work.next { _ in false } == [1, 2])
    work.lost(answered: 0)
    #expect(work.next { _ in false } == [1, 2])
    #expect(work.ended(answered: 1, hasFailed: true, failedAt: 1) == .giveUp([2], attempts: 1))
    #expect(work.next { _ in false } == [])
  }

  @Test func aBatchWithoutHalvesFailsWhole() {
    var work = BatchWorkTests.work(3, retries: 2, bisects: false)
    for wait in [10, 20] as [Int64] {
      #expect(work.next { _ in false } == [0, 1, 2])
      #expect(work.ended(answered: 0, hasFailed: true, failedAt: nil) == .wait(milliseconds: wait))
    }
    _ = work.next { _ in false }
    #expect(work.ended(answered: 0, hasFailed: true, failedAt: nil) == .giveUp([0, 1, 2], attempts: 3))
    #expect(work.next { _ in false } == [])
  }

  @Test func whatIsTooOldIsTriedOnceAndNotAgain() {
    var work = BatchWorkTests.work(3, retries: 5)
    _ = work.next { _ in false }
    // Looking for the bad one by halves is no retry.
    #expect(work.ended(answered: 0, hasFailed: true, failedAt: nil, isTooOld: { _ in true }) == .goOn)
    #expect(work.next { _ in false } == [0])
    let end = work.ended(answered: 0, hasFailed: true, failedAt: nil, isTooOld: { _ in true })
    #expect(end == .giveUp([0], attempts: 1, isTooOld: true))
    #expect(work.next { _ in false } == [1, 2])
    #expect(work.ended(answered: 2, hasFailed: false, failedAt: nil, isTooOld: { _ in true }) == .goOn)
  }

  @Test func ageEndsRetriesAndNeverBeginsAny() {
    var work = BatchWorkTests.work(1, retries: 1)
    _ = work.next { _ in false }
    #expect(work.ended(answered: 0, hasFailed: true, failedAt: 0, isTooOld: { _ in false }) == .wait(milliseconds: 10))
    _ = work.next { _ in false }
    // Without retries left it is not for its age.
    #expect(work.ended(answered: 0, hasFailed: true, failedAt: 0, isTooOld: { _ in true }) == .giveUp([0], attempts: 2))
  }

  /// Of a batch that fails whole, the old ones in front are given up; the others are tried again.
  @Test func ofABatchWithoutHalvesTheOldOnesAreGivenUp() {
    var work = BatchWorkTests.work(4, retries: 2, bisects: false)
    _ = work.next { _ in false }
    let end = work.ended(answered: 0, hasFailed: true, failedAt: nil, isTooOld: { $0 < 2 })
    #expect(end == .giveUp([0, 1], attempts: 1, isTooOld: true))
    #expect(work.next { _ in false } == [2, 3])
    let again = work.ended(answered: 0, hasFailed: true, failedAt: nil, isTooOld: { $0 == 3 })
    #expect(again == .wait(milliseconds: 10), "the first of them is not too old")
  }

  /// Whatever fails and however it is told: every event is answered or given up, once, in order, and no good one is given up.
  @Test(arguments: 0..<200) func everyEventIsSettledOnceInOrder(seed: UInt64) {
    var dice = Dice(state: seed)
    let count = 1 + Int(dice.next() % 40)
    let bad = Set((0..<count).filter { _ in dice.next() % 5 == 0 })
    var work = BatchWorkTests.work(count, retries: Int(dice.next() % 3))
    var settled: [Int] = []
    var given: Set<Int> = []
    var deliveries = 0
    while true {
      let next = work.next { _ in false }
      if next.isEmpty { break }
      deliveries += 1
      #expect(deliveries < 10_000, "seed \(seed)")
      #expect(next.first == settled.count, "seed \(seed): nothing is passed over")
      guard let first = next.firstIndex(where: bad.contains) else {
        settled += next
        #expect(work.ended(answered: next.count, hasFailed: false, failedAt: nil) == .goOn)
        continue
      }
      // The function may answer for some of those before it, name the bad one, or neither.
      let answered = dice.next() % 2 == 0 ? Int(dice.next() % UInt64(first + 1)) : 0
      let named = dice.next() % 2 == 0 ? first : nil
      settled += next[..<answered]
      if case .giveUp(let lost, _, _) = work.ended(answered: answered, hasFailed: true, failedAt: named) {
        settled += lost
        given.formUnion(lost)
      }
    }
    #expect(settled == Array(0..<count), "seed \(seed)")
    #expect(given == bad, "seed \(seed)")
  }

  struct Dice {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 33
    }
  }
}

struct RestartPolicyTests {
  @Test func theFirstRestartIsAtOnceAndLaterOnesAreLater() {
    var policy = RestartPolicy()
    #expect((0..<5).map { _ in policy.ended() } == [0, 25, 50, 100, 200])
    for _ in 0..<20 { _ = policy.ended() }
    #expect(policy.ended() == 1_000)
    policy.answered()
    #expect(policy.ended() == 0)
  }

  @Test func oneThatNeverStartsIsGivenUp() {
    var policy = RestartPolicy()
    #expect(policy.failedToStart() == 200)
    #expect(policy.failedToStart() == 400)
    #expect(policy.failedToStart() == nil)
  }
}
