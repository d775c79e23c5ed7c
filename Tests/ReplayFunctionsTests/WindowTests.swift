import ReplayCore
import ReplayTesting
import Testing

@testable import ReplayFunctions

/// Which window an event belongs to, by the times alone.
struct TumblingWindowTests {
  /// The windows' starts, event by event, and after how many events a window was ended. Times in milliseconds.
  private static func run(_ times: [Int64?], seconds: Int64) -> (starts: [Int64], ends: [Int]) {
    var window = TumblingWindow(seconds: seconds)
    var (starts, ends): ([Int64], [Int]) = ([], [])
    for (place, time) in times.map({ $0.map { Timestamp(microseconds: $0 * 1_000) } }).enumerated() {
      if window.isEnded(by: time) {
        window.end()
        ends.append(place)
      }
      window.enter(time)
      starts.append(window.open?.start ?? -1)
    }
    return (starts, ends)
  }

  @Test(
    arguments: [
      // Times, length, the start of each event's window, before which events a window ended.
      (times: [0, 299_999, 300_000], seconds: Int64(300), starts: [0, 0, 300], ends: [2]),
      ([1_000_000, 1_000_000], 900, [900, 900], []),
      // Windows without events are none.
      ([0, 3_000_000], 300, [0, 3_000], [1]),
      // One that comes late belongs to the window that is open; so does one without a time.
      ([600_000, 299_000, nil, 899_999], 300, [600, 600, 600, 600], []),
      ([600_000, 900_000, 600_000], 300, [600, 900, 900], [1]),
      ([nil, 10_000], 300, [0, 0], []), ([nil, 300_000], 300, [0, 300], [1]),
      // Before 1970.
      ([-1, 0], 300, [-300, 0], [1]), ([-300_000, -1], 300, [-300, -300], []),
      ([0, 999, 1_000, 1_999], 1, [0, 0, 1, 1], [2]),
    ] as [(times: [Int64?], seconds: Int64, starts: [Int64], ends: [Int])])
  func windows(times: [Int64?], seconds: Int64, starts: [Int64], ends: [Int]) {
    let found = TumblingWindowTests.run(times, seconds: seconds)
    #expect(found.starts == starts)
    #expect(found.ends == ends)
  }

  /// The latest time so far says which window it is, in whatever order times come.
  @Test(arguments: 0..<100) func theLatestTimeSoFarSaysWhichWindowItIs(seed: UInt64) {
    var chance = SplitMix64(seed: seed)
    let seconds = Int64(chance.number(1...900))
    var time = 1_700_000_000_000 + Int64(chance.number(0...1_000_000))
    var latest = time
    var (times, expected): ([Int64?], [Int64]) = ([], [])
    for _ in 0..<200 {
      time += Int64(chance.number(0...400_000)) - 100_000
      let known = times.isEmpty || chance.number(0...9) > 0 ? time : nil
      if let known { latest = times.isEmpty ? known : max(latest, known) }
      times.append(known)
      expected.append(latest / (seconds * 1_000) * seconds)
    }
    let found = TumblingWindowTests.run(times, seconds: seconds)
    #expect(found.starts == expected, "seed \(seed)")
    #expect(found.ends == (1..<200).filter { expected[$0] != expected[$0 - 1] }, "seed \(seed)")
  }

  @Test func aStateIsHandedOnUntilTheWindowEnds() {
    var window = TumblingWindow(seconds: 60)
    window.enter(Timestamp(microseconds: 61_000_000))
    #expect(window.open == OpenWindow(start: 60, end: 120, state: Array("{}".utf8)))
    let isFirstTaken = window.answered(Array(#"{"n":1}"#.utf8))
    #expect(isFirstTaken)
    window.enter(Timestamp(microseconds: 119_000_000))
    #expect(window.open?.state == Array(#"{"n":1}"#.utf8))
    let again = TumblingWindow(seconds: 60, open: window.open)
    #expect(again == window, "what is kept is all there is")
    let isLargestTaken = window.answered(Array(repeating: 0x20, count: 1 << 20))
    #expect(isLargestTaken, "a megabyte fits")
    let isMoreTaken = window.answered(Array(repeating: 0x20, count: (1 << 20) + 1))
    #expect(!isMoreTaken)
    window.renew()
    #expect(
      window.open == OpenWindow(start: 60, end: 120, state: Array("{}".utf8)), "the same window goes on with nothing")
    window.end()
    #expect(window.open == nil)
  }

  @Test func whatACallSaysOfItsWindow() {
    let window = OpenWindow(start: 1_596_128_400, end: 1_596_128_700, state: Array(#"{"1":282}"#.utf8))
    var call = WindowCall(partition: Partition(log: "t", id: "6"), window: window)
    let expected = #"""
      "window":{"start":"2020-07-30T17:00:00Z","end":"2020-07-30T17:05:00Z"},"state":{"1":282},"shardId":"shardId-000000000006","eventSourceARN":"a:b","isFinalInvokeForWindow":false,"isWindowTerminatedEarly":false
      """#
    #expect(String(decoding: call.members("a:b"), as: UTF8.self) == expected)
    (call.isFinal, call.isEarly) = (true, true)
    #expect(String(decoding: call.members("a:b"), as: UTF8.self) == expected.replacing("false", with: "true"))
  }

  @Test(arguments: [
    (answer: #"{"state":{}}"#, isGood: true), (#"{"state":{"a":[1]},"batchItemFailures":[]}"#, true), ("{}", false),
    ("null", false), (#"{"state":null}"#, false), (#"{"state":"{}"}"#, false), (#"{"state":[]}"#, false), ("[]", false),
  ]) func anAnswerHasAState(answer: String, isGood: Bool) throws {
    let window = OpenWindow(start: 0, end: 60, state: Array("{}".utf8))
    var call = WindowCall(partition: Partition(log: "t", id: "0"), window: window)
    let answer = try JSONReaderTests.read(answer)
    #expect((call.fault(in: answer) == nil) == isGood)
    call.isFinal = true
    #expect(call.fault(in: answer) == nil, "the last one's is not looked at")
  }
}
