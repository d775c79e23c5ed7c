import ReplayCore
import Testing

@testable import ReplayFunctions

/// What a session says of the batches that wait for more, so that a commit may wait too.
struct BatchWindowTests {
  private func session() -> SessionUnderTest {
    var limits = ForeignSession.Limits()
    (limits.events, limits.waitMilliseconds) = (3, 1_000)
    return SessionUnderTest(limits: limits)
  }

  private func records(_ range: Range<Int>) -> [String] { range.map { SessionUnderTest.record($0) } }

  @Test func aBatchWaitsFromItsFirstEventOn() throws {
    let test = session()
    #expect(test.session.waitMilliseconds == nil)
    try test.give(records(0..<1))
    #expect(test.session.waitMilliseconds == 1_000)
    test.clock.now = 400
    try test.give(records(1..<2))
    #expect(test.session.waitMilliseconds == 600, "the second event does not make it wait longer")
    #expect(!test.session.hasDelivered)
    test.clock.now = 5_000
    #expect(test.session.waitMilliseconds == 0)
    try test.settle()
    #expect(test.worker.given == [[0, 1]])
    #expect(test.session.waitMilliseconds == nil)
  }

  @Test func aFullBatchDoesNotWaitAndTheOldestOfSeveralCounts() throws {
    let test = session()
    try test.give(records(0..<3))
    #expect(test.session.waitMilliseconds == nil)
    #expect(test.session.hasDelivered)
    test.clock.now = 100
    try test.give(records(3..<4), partition: "1")
    test.clock.now = 200
    try test.give(records(4..<5), partition: "2")
    test.clock.now = 300
    #expect(test.session.waitMilliseconds == 800)
    try test.settle()
    #expect(!test.session.hasDelivered)
    #expect(test.worker.given == [[0, 1, 2], [3], [4]])
  }

  @Test func whatIsDroppedDoesNotWait() throws {
    let test = session()
    try test.give(records(0..<1))
    test.session.abandon()
    #expect(test.session.waitMilliseconds == nil)
  }
}

/// An event that keeps failing, and how old it may be.
struct RecordAgeTests {
  /// Each number is tried as often as there is a reason to.
  @Test(arguments: [
    // The event's second, the age at which it fails first, attempts that are made.
    (seconds: Int64(1_000), wall: Int64(1_060), attempts: 4), (1_000, 1_061, 1), (999, 1_060, 1),
  ]) func whatIsTooOldIsNotTriedAgain(seconds: Int64, wall: Int64, attempts: Int) throws {
    var policy = FailurePolicy(.deadLetter, retries: 3, backoffMilliseconds: 0)
    policy.maxAgeMilliseconds = 60_000
    let test = SessionUnderTest(policy) { _ in .failed(["no"], at: 0) }
    test.clock.wall = wall * 1_000
    try test.give([SessionUnderTest.record(7, seconds: seconds)])
    try test.settle()
    #expect(test.worker.given == Array(repeating: [7], count: attempts))
    let left = test.left.take().events
    #expect(left.count == 1)
    #expect(left.first?.attempts == attempts)
    let isForAge = left.first?.error?.contains("older than 60 seconds (--max-record-age)") ?? false
    #expect(isForAge == (attempts == 1))
  }

  /// It is a limit of retries only: what does not fail is applied however old it is, and who has no time has no age.
  @Test func ageAloneLeavesNothingOut() throws {
    var policy = FailurePolicy(.park, retries: 1, backoffMilliseconds: 0)
    policy.maxAgeMilliseconds = 60_000
    let old = SessionUnderTest(policy)
    old.clock.wall = 1_000_000_000
    try old.give([SessionUnderTest.record(1, seconds: 5)])
    try old.settle()
    #expect(old.worker.given == [[1]])
    #expect(old.left.take().events.isEmpty)

    let timeless = SessionUnderTest(policy) { _ in .failed(["no"], at: 0) }
    timeless.clock.wall = 1_000_000_000
    try timeless.give([SessionUnderTest.record(1)])
    try timeless.settle()
    #expect(timeless.worker.given == [[1], [1]])
  }
}
