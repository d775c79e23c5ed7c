import ReplayCore
import ReplayDecode
import ReplayEngine
import ReplayTesting
import Testing

/// The handoff by time over a scripted stream: where it is entered, and what stops it.
struct OverlapRunTests {
  private let stream = ScriptedStream(log: "retail")

  /// Event `number` happened in that second of 1970.
  private func json(_ number: Int) -> String {
    let (minute, second) = (number / 60, number % 60)
    let two = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
    return "{\"id\":\"\(number)\",\"time\":\"1970-01-01T00:\(two(minute)):\(two(second))Z\"}"
  }

  private func archived(_ numbers: Range<Int>) -> [SignedEvent] {
    numbers.map { number in
      let print = Array(json(number).utf8).withUnsafeBytes { PayloadPrinter.print($0) }
      return SignedEvent(position: Position(UInt64(number)), sign: EventSign(print: print, time: Int64(number) * 1000))
    }
  }

  private func run(_ archived: [SignedEvent], stop: StopRequest = StopRequest()) throws -> [HandoffResult]? {
    let signer = EventSigner(Anatomy(), of: stream.name, log: stream.log, limits: DecodeLimits())
    let clock = stream.clock
    var run = try OverlapRun(
      of: stream, by: Handoff.Rule(), proofEvents: 10, maxEvents: 1_000, stop: stop,
      now: { Int64(clock.milliseconds) }, signs: signer.signs)
    return try run.run(from: 60_000) { handoff in
      for event in archived { _ = handoff.look(at: event) }
      return true
    }
  }

  /// F14: whatever the stream answers when it is asked for a time, no event is passed over.
  @Test(arguments: ["right", "too late", "nothing is as young", "without times"]) func f14TimeLookup(times: String)
    throws
  {
    let partition = stream.open("0")
    for number in 0..<150 {
      let time: Int64? =
        switch times {
        case "right": Int64(number) * 1000
        case "too late": Int64(number) * 1000 - 30_000
        case "nothing is as young": 5
        default: nil
        }
      stream.append(LiveDraft(json(number), time: time), to: partition)
    }
    let result = try #require(try run(archived(0..<101))?.first)
    #expect(result.start == Position(101))
    #expect(result.compared == (times == "right" ? 51 : 101), "else it is read from its start")
    #expect(result.last?.position == Position(100))
  }

  /// F4, F12: control records at the end, and partitions that never had an event.
  @Test func f4f12EndsThatNobodyFills() throws {
    let partition = stream.open("0")
    for number in 0..<101 { stream.append(LiveDraft(json(number), time: Int64(number) * 1000), to: partition) }
    stream.skip(1_000, in: partition)
    _ = stream.open("1")
    let results = try #require(try run(archived(0..<101)))
    #expect(results.map(\.start) == [Position(1_101), .zero])
  }

  @Test func aStreamThatSaysNothingIsNotWaitedForForEver() throws {
    let partition = stream.open("0")
    stream.append(LiveDraft(json(99)), to: partition)
    stream.stall(milliseconds: 600_000)
    let error = #expect(throws: ReplayError.self) { try run(archived(0..<101)) }
    #expect(error?.code == .unavailable)
  }

  @Test func noMoreThanCanBeHeld() throws {
    let partition = stream.open("0")
    for number in 0..<1_001 { stream.append(LiveDraft(json(number)), to: partition) }
    let error = #expect(throws: ReplayError.self) { try run(archived(0..<101)) }
    #expect(error?.code == .usage)
  }

  @Test func itStopsWhenAsked() throws {
    let partition = stream.open("0")
    stream.append(LiveDraft(json(99)), to: partition)
    let stop = StopRequest()
    stop.stop()
    #expect(try run(archived(0..<101), stop: stop) == nil)
  }

  /// What the two sides make of one event is the same, wherever the archive has it.
  @Test func signsAreTheSameOnBothSides() throws {
    let partition = stream.open("0")
    stream.append(LiveDraft("{ \"id\":\"ü\\\"1\", \"time\":\"1970-01-01T00:01:39.5+00:00\" }", time: 7), to: partition)
    stream.append(LiveDraft("{\"id\":12,\"time\":99500}"), to: partition)
    stream.append(LiveDraft("{\"time\":\"yesterday\"}", time: 7), to: partition)
    stream.append(LiveDraft("{\"id\":12,\"source\":\"a\",\"time\":99500}"), to: partition)
    let signer = EventSigner(Anatomy(), of: stream.name, log: stream.log, limits: DecodeLimits())
    try stream.seek([partition: .zero])
    guard case .messages(let messages)? = try stream.poll(milliseconds: 10) else {
      Issue.record("no events")
      return
    }
    let signs = try signer.signs(of: messages)
    #expect(signs.map(\.time) == [99_500, 99_500_000, nil, 99_500_000])
    #expect(signs.map { $0.id == nil } == [false, false, true, false])
    #expect(Set(signs.map(\.id)).count == 4, "an id is unique within its source")
    #expect(Set(signs.map(\.print)).count == 4)
  }
}
