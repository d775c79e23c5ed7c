import Foundation
import ReplayCore
import ReplayTesting
import Testing

struct ScriptedStreamTests {
  let stream = ScriptedStream(seed: 7, options: .init(maxMessages: 4))

  /// What is said until `polls` polls were made, one word each.
  func say(_ polls: Int, wait: Int = 0) throws -> [String] {
    var said: [String] = []
    for _ in 0..<polls {
      switch try stream.poll(milliseconds: wait) {
      case .messages(let messages): said += messages.messages.map { $0.position.description }
      case .caughtUp(_, let next): said.append("end \(next)")
      case .opened(let partition, let parents): said.append("open \(partition.name) of \(parents.map(\.name))")
      case .closed(let partition): said.append("closed \(partition.name)")
      case nil: break
      }
    }
    return said
  }

  func opened(_ count: Int) throws -> Partition {
    let partition = stream.open("0")
    for number in 0..<count { stream.append("{\"n\":\(number)}", to: partition) }
    try stream.seek([partition: .zero])
    return partition
  }

  @Test func numbersThatNobodyHasArePassed() throws {
    let partition = try opened(3)
    stream.compact(1, in: partition)
    stream.skip(100_000, in: partition)
    #expect(try say(10) == ["0", "2", "end 100003"])
    stream.append("{}", to: partition)
    #expect(try say(10) == ["100003", "end 100004"])
  }

  @Test func anOpenTransactionHoldsTheEnd() throws {
    let partition = try opened(2)
    stream.begin(in: partition)
    stream.append("{}", to: partition)
    #expect(try say(10) == ["0", "1"])
    #expect(try stream.partitions().map(\.end) == [Position(2)])
    stream.abort(in: partition)
    #expect(try say(10) == ["end 4"])
    stream.begin(in: partition, holdsCaughtUp: false)
    stream.append("{}", to: partition)
    #expect(try say(10) == [])
    stream.commit(in: partition)
    #expect(try say(10) == ["4", "end 6"])
    #expect(stream.readable(partition).map(\.position) == [0, 1, 4].map { Position($0) })
  }

  @Test func truncationOnBothSides() throws {
    let partition = try opened(10)
    stream.expire(before: 5, in: partition)
    #expect(throws: LiveError.expired(partition, wanted: .zero, start: Position(5))) { try say(1) }
    try stream.seek([partition: Position(8)])
    stream.cut(from: 6, in: partition)
    #expect(throws: LiveError.beyondEnd(partition, wanted: Position(8), end: Position(6))) { try say(1) }
  }

  @Test func stallsAndErrorsPass() throws {
    _ = try opened(1)
    stream.fail(2)
    for _ in 0..<2 { #expect(throws: ReplayError.self) { try say(1) } }
    stream.stall(milliseconds: 1000)
    #expect(try say(3, wait: 100) == [])
    #expect(stream.clock.milliseconds == 300)
    #expect(try say(1, wait: 5000) == ["0"])
    #expect(stream.clock.milliseconds == 1000)
    stream.stall(looks: 2)
    #expect(try say(2) == [])
    #expect(try say(1) == ["end 1"])
  }

  @Test func theScriptGoesOnWithTime() throws {
    let partition = try opened(0)
    stream.after(milliseconds: 50) { $0.append("{}", to: partition) }
    stream.after(milliseconds: 70) { $0.open("1", parents: [partition]) }
    stream.after(milliseconds: 70) { $0.end(partition) }
    #expect(try say(1, wait: 10) == ["end 0"])
    #expect(try say(2, wait: 100) == ["0", "end 1"])
    #expect(stream.clock.milliseconds == 50)
    #expect(try say(3, wait: 100) == ["open 1 of [\"0\"]", "closed 0"])
  }

  @Test(arguments: [
    (LiveFault.duplicate, ["0", "1", "1", "2", "3", "end 4"]), (.reorder, ["0", "2", "1", "3", "end 4"]),
    (.lose, ["0", "2", "3", "end 4"]), (.earlyCaughtUp, ["0", "end 1", "1", "2", "3", "end 4"]),
  ]) func itBreaksItsWordWhereItShould(fault: LiveFault, expected: [String]) throws {
    let partition = try opened(4)
    stream.violate(fault, at: 1, in: partition)
    #expect(try say(20) == expected)
  }

  @Test func theSameSeedSaysTheSame() throws {
    var all: [[Int]] = []
    for seed: UInt64 in [3, 3, 4] {
      let stream = ScriptedStream(seed: seed)
      for id in ["0", "1"] {
        let partition = stream.open(id)
        for _ in 0..<1000 { stream.append("{}", to: partition) }
      }
      try stream.seek([stream.partition("0"): .zero, stream.partition("1"): .zero])
      var sizes: [Int] = []
      while let event = try stream.poll(milliseconds: 0) {
        if case .messages(let messages) = event { sizes.append(messages.count) }
      }
      all.append(sizes)
    }
    #expect(all[0] == all[1] && all[0] != all[2])
  }

  @Test func anotherThreadAppendsMeanwhile() async throws {
    let partition = try opened(0)
    let stream = stream
    let writer = Task.detached { for number in 0..<20_000 { stream.append("{\"n\":\(number)}", to: partition) } }
    var next: UInt64 = 0
    while next < 20_000 {
      guard case .messages(let messages)? = try stream.poll(milliseconds: 10) else { continue }
      for message in messages.messages {
        #expect(message.position == Position(next))
        next += 1
      }
    }
    await writer.value
  }

  @Test func timesAreFound() throws {
    let partition = stream.open("0")
    for time: Int64 in [10, 20, 30] { stream.append(LiveDraft("{}", time: time), to: partition) }
    for (time, number): (Int64, UInt64) in [(0, 0), (20, 1), (21, 2), (31, 3)] {
      #expect(try stream.positions(at: time) == [partition: Position(number)])
    }
  }
}
