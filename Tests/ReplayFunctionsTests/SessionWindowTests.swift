import ReplayCore
import ReplayTesting
import Testing

@testable import ReplayFunctions

/// A session's calls of one window after another: what each is given, and what a failure leaves of the state.
struct SessionWindowTests {
  private static let length: Int64 = 60

  /// Adds the numbers up in the state, as `{"sum":…,"calls":…}`.
  private static func adding(_ delivery: Delivery) throws -> DeliveryOutcome {
    let (sum, calls) = state(delivery)
    let more = delivery.numbers.reduce(0, +)
    let next = JSONValue.object([("sum", .number("\(sum + more)")), ("calls", .number("\(calls + 1)"))])
    return DeliveryOutcome(answers: [(delivery.events.count, .object([("state", next)]))])
  }

  private static func state(_ delivery: Delivery) -> (sum: Int, calls: Int) {
    let state = try? delivery.window?.window.state.withUnsafeBytes { try JSONReader.read($0) }
    func number(_ name: String) -> Int { if case .number(let text)? = state?[name] { Int(text) ?? -1 } else { 0 } }
    return (number("sum"), number("calls"))
  }

  /// A call in a line: `60: 1 2 sum 0`, its window's start, numbers and state; `60! sum 3` for a final one, `60!! …` for one
  /// that ends early.
  private static func line(_ delivery: Delivery) -> String {
    guard let call = delivery.window else { return "no window" }
    let mark = call.isEarly ? "!!" : call.isFinal ? "!" : ":"
    let numbers = delivery.numbers.map { " \($0)" }.joined()
    return "\(call.window.start)\(mark)\(numbers) sum \(state(delivery).sum)"
  }

  private static func session(
    _ policy: FailurePolicy = FailurePolicy(), batch: Int = 2, bisects: Bool = true,
    answer: @escaping (Delivery) throws -> DeliveryOutcome = { try adding($0) }
  ) -> SessionUnderTest {
    var limits = ForeignSession.Limits()
    (limits.events, limits.windowSeconds, limits.bisects) = (batch, length, bisects)
    let test = SessionUnderTest(policy, limits: limits, answer: answer)
    test.session.resume([:])
    return test
  }

  private static func record(_ n: Int, at seconds: Int64) -> String { SessionUnderTest.record(n, seconds: seconds) }

  @Test func batchesOfAWindowAndThenItsEnd() throws {
    let test = SessionWindowTests.session()
    try test.give([(1, 60), (2, 70), (3, 119), (4, 120), (5, 300), (6, 130)].map(SessionWindowTests.record))
    try test.settle()
    #expect(
      test.worker.deliveries.map(SessionWindowTests.line) == [
        "60: 1 2 sum 0", "60: 3 sum 3", "60! sum 6", "120: 4 sum 0", "120! sum 4", "300: 5 6 sum 0",
      ])
    // What is committed with them: the window that is open, and what its function made of it.
    let open = test.session.takeWindows()
    #expect(open.keys.map(\.name) == ["0"])
    #expect(open.values.map(\.start) == [300])
    #expect(open.values.map { String(decoding: $0.state, as: UTF8.self) } == [#"{"sum":11,"calls":1}"#])
    #expect(test.session.takeWindows().isEmpty, "nothing changed since")
  }

  @Test func eachPartitionHasWindowsOfItsOwn() throws {
    let test = SessionWindowTests.session()
    try test.give([SessionWindowTests.record(1, at: 60)], partition: "0")
    try test.give([SessionWindowTests.record(10, at: 600)], partition: "1")
    try test.give([SessionWindowTests.record(2, at: 61), SessionWindowTests.record(3, at: 120)], partition: "0")
    try test.settle()
    #expect(
      test.worker.deliveries.map(SessionWindowTests.line) == [
        "60: 1 2 sum 0", "60! sum 3", "120: 3 sum 0", "600: 10 sum 0",
      ])
  }

  /// A call that failed changes no state; the halves of a batch each do.
  @Test func afterAFailureTheStateIsThatOfBefore() throws {
    let test = SessionWindowTests.session(FailurePolicy(.deadLetter, retries: 1, backoffMilliseconds: 0), batch: 4) {
      $0.numbers.contains(3) ? .failed(["no"]) : try SessionWindowTests.adding($0)
    }
    try test.give([(1, 60), (2, 61), (3, 62), (4, 63)].map(SessionWindowTests.record))
    try test.settle()
    #expect(
      test.worker.deliveries.map(SessionWindowTests.line) == [
        "60: 1 2 3 4 sum 0", "60: 1 2 sum 0", "60: 3 4 sum 3", "60: 3 sum 3", "60: 3 sum 3", "60: 4 sum 3",
      ])
    #expect(test.left.take().events.count == 1)
  }

  /// What is before a named one is delivered again alone: the state that was answered with the failure does not count.
  @Test func beforeANamedFailureTheStateIsMadeAnew() throws {
    let test = SessionWindowTests.session(FailurePolicy(.deadLetter), batch: 3) {
      guard let at = $0.numbers.firstIndex(of: 2) else { return try SessionWindowTests.adding($0) }
      return .failed(["named"], at: at)
    }
    try test.give([(1, 60), (2, 61), (3, 62)].map(SessionWindowTests.record))
    try test.settle()
    #expect(
      test.worker.deliveries.map(SessionWindowTests.line) == [
        "60: 1 2 3 sum 0", "60: 1 sum 0", "60: 2 3 sum 1", "60: 3 sum 1",
      ])
  }

  @Test func aStateThatIsTooLargeEndsItsWindowEarly() throws {
    let large = String(repeating: "x", count: TumblingWindow.maxStateBytes)
    let test = SessionWindowTests.session(batch: 1) { delivery in
      guard delivery.numbers == [2] else { return try SessionWindowTests.adding(delivery) }
      let state = JSONValue.object([("sum", .number("7")), ("large", .string(large))])
      return DeliveryOutcome(answers: [(1, .object([("state", state)]))])
    }
    try test.give([(1, 60), (2, 61), (3, 62), (4, 120)].map(SessionWindowTests.record))
    try test.settle()
    #expect(
      test.worker.deliveries.map(SessionWindowTests.line) == [
        "60: 1 sum 0", "60: 2 sum 1", "60!! sum 7", "60: 3 sum 0", "60! sum 3", "120: 4 sum 0",
      ])
  }

  /// No event is to blame for a final call: it is tried again as events are, and then the run stops, whatever the policy.
  @Test(arguments: [FailurePolicy.Choice.fail, .park, .deadLetter]) func aFinalCallThatFails(
    choice: FailurePolicy.Choice
  ) throws {
    for healsAfter in [2, 9] {
      var finals = 0
      let test = SessionWindowTests.session(FailurePolicy(choice, retries: 2, backoffMilliseconds: 0)) {
        if $0.window?.isFinal == true { finals += 1 }
        return $0.window?.isFinal == true && finals <= healsAfter ? .failed(["no"]) : try SessionWindowTests.adding($0)
      }
      let records = [(1, 60), (2, 120)].map(SessionWindowTests.record)
      if healsAfter == 2 {
        try test.give(records)
        #expect(finals == 3)
      } else {
        let error = #expect(throws: ReplayError.self) { try test.give(records) }
        #expect(error?.summary == "the function scripted failed the final call of a window")
        #expect(error?.details.first?.contains("from 1970-01-01T00:01:00Z to 1970-01-01T00:02:00Z") == true)
        #expect(error?.fault == nil, "no event may be left for it")
        #expect(finals == 3)
      }
      #expect(test.left.take().events.isEmpty)
    }
  }

  /// Kills between any two commits: what is committed, and the windows that are open then, add up to every event once.
  @Test(arguments: 0..<40) func whateverIsDroppedEveryEventCountsOnceInItsWindow(seed: UInt64) throws {
    var chance = SplitMix64(seed: seed)
    var (time, latest): (Int64, [Int64]) = (1_000_000, [0, 0])
    var expected: [String: Int] = [:]
    var events: [(partition: Int, record: String)] = []
    for n in 1...120 {
      time += Int64(chance.number(0...50)) - 15
      let partition = chance.number(0...1)
      latest[partition] = max(latest[partition], time)
      expected["\(partition) \(latest[partition] / 60 * 60)", default: 0] += n
      events.append((partition, SessionWindowTests.record(n, at: time)))
    }
    var (committed, open): ([String: Int], [Partition: OpenWindow]) = ([:], [:])
    var begin = 0
    while begin < events.count {
      var finals: [String: Int] = [:]
      var dice = SplitMix64(seed: seed &+ UInt64(begin) &+ UInt64(chance.number(0...1_000_000)))
      let test = SessionWindowTests.session(
        FailurePolicy(.fail, retries: 50, backoffMilliseconds: 0), batch: chance.number(1...7)
      ) { delivery in
        if dice.number(0...3) == 0 { return .failed(["by chance"]) }
        if let call = delivery.window, call.isFinal {
          finals["\(call.partition.name) \(call.window.start)", default: 0] += SessionWindowTests.state(delivery).sum
        }
        return try SessionWindowTests.adding(delivery)
      }
      test.session.resume(open)
      let end = min(events.count, begin + chance.number(1...30))
      for event in events[begin..<end] { try test.give([event.record], partition: "\(event.partition)") }
      if chance.number(0...2) == 0 { continue }  // As killed: nothing of it is kept.
      try test.settle()
      committed.merge(finals) { $0 + $1 }
      open.merge(test.session.takeWindows()) { $1 }
      begin = end
    }
    for (partition, window) in open {
      guard case .number(let sum)? = try window.state.withUnsafeBytes({ try JSONReader.read($0) })["sum"] else {
        continue
      }
      committed["\(partition.name) \(window.start)", default: 0] += Int(sum) ?? 0
    }
    #expect(committed == expected, "seed \(seed)")
  }
}
