import ReplayCore
import ReplayEngine
import ReplayTesting
import Synchronization
import Testing

/// A stream that is held: what is delivered ends at the bound, and goes on once that is lifted.
@Suite struct HeldSourceTests {
  final class Bounds: Sendable {
    let now = Mutex<[Partition: Position]>([:])
    func set(_ bounds: [Partition: Position]) { now.withLock { $0 = bounds } }
  }

  let stream = ScriptedStream(seed: 3, options: .init(maxMessages: 4))
  let bounds = Bounds()

  func held() -> HeldSource {
    HeldSource(stream, now: { Int64(stream.clock.milliseconds) }, bounds: { bounds.now.withLock { $0 } })
  }

  func opened(_ id: String, _ count: Int) -> Partition {
    let partition = stream.open(id)
    for number in 0..<count { stream.append("{\"n\":\(number)}", to: partition) }
    return partition
  }

  func say(_ source: HeldSource, _ polls: Int) throws -> [String] {
    var said: [String] = []
    for _ in 0..<polls {
      switch try source.poll(milliseconds: 50) {
      case .messages(let messages): said += messages.messages.map { "\(messages.partition.name):\($0.position)" }
      case .caughtUp(let partition, let next): said.append("\(partition.name) at \(next)")
      case .opened, .closed, nil: break
      }
    }
    return said
  }

  @Test func withoutABoundNothingChanges() throws {
    let partition = opened("0", 5)
    let source = held()
    try source.seek([partition: .zero])
    #expect(try say(source, 10) == ["0:0", "0:1", "0:2", "0:3", "0:4", "0 at 5"])
  }

  @Test func theBoundCutsADelivery() throws {
    let partition = opened("0", 10)
    let source = held()
    try source.seek([partition: .zero])
    bounds.set([partition: Position(6)])
    #expect(try say(source, 10) == (0..<6).map { "0:\($0)" })
    bounds.set([:])
    #expect(try say(source, 10) == (6..<10).map { "0:\($0)" } + ["0 at 10"])
  }

  @Test func othersGoOn() throws {
    let (one, two) = (opened("1", 5), opened("2", 5))
    let source = held()
    try source.seek([one: .zero, two: .zero])
    bounds.set([one: Position(0)])
    #expect(try say(source, 10) == (0..<5).map { "2:\($0)" } + ["2 at 5"])
  }

  /// The position is the bound's own, so that two who stop there are found at the same one.
  @Test func numbersThatNobodyHasLieBeforeTheBound() throws {
    let partition = opened("0", 3)
    stream.skip(100, in: partition)
    stream.append("{}", to: partition)
    let source = held()
    try source.seek([partition: .zero])
    bounds.set([partition: Position(50)])
    var (positions, next): ([Position], Position) = ([], .zero)
    for _ in 0..<10 {
      switch try source.poll(milliseconds: 50) {
      case .messages(let messages):
        positions += messages.messages.map(\.position)
        next = messages.next
      case .caughtUp(_, let end): next = end
      default: break
      }
    }
    #expect(positions == [0, 1, 2].map { Position($0) })
    #expect(next == Position(50))
    bounds.set([:])
    #expect(try say(source, 10) == ["0:103", "0 at 104"])
  }

  @Test func whoIsBeyondTheBoundWaits() throws {
    let partition = opened("0", 8)
    let source = held()
    try source.seek([partition: Position(5)])
    bounds.set([partition: Position(2)])
    #expect(try say(source, 10) == [])
    bounds.set([partition: Position(7)])
    #expect(try say(source, 20) == ["0:5", "0:6"])
  }

  /// Bounds that come and go at random: each event is delivered once and in order, none beyond the bound.
  @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6, 7, 8]) func everyEventOnce(seed: UInt64) throws {
    var chance = SplitMix64(seed: seed)
    let partitions = (0..<3).map { opened("\($0)", 60) }
    let source = held()
    try source.seek(Dictionary(uniqueKeysWithValues: partitions.map { ($0, .zero) }))
    var count: [Partition: UInt64] = [:]
    for turn in 0..<600 {
      if turn == 500 {
        bounds.set([:])
      } else if chance.next() % 8 == 0 {
        bounds.set(
          Dictionary(
            uniqueKeysWithValues: partitions.filter { _ in chance.next() % 2 == 0 }.map {
              ($0, Position(chance.next() % 60))
            }))
      }
      // What was set is heard of by the next question, which is asked five times a second.
      stream.clock.sleep(200)
      let now = bounds.now.withLock { $0 }
      guard case .messages(let messages)? = try source.poll(milliseconds: 10) else { continue }
      for message in messages.messages {
        #expect(message.position == Position(count[messages.partition] ?? 0), "seed \(seed)")
        if let bound = now[messages.partition] { #expect(message.position < bound, "seed \(seed)") }
        count[messages.partition, default: 0] += 1
      }
    }
    for partition in partitions { #expect(count[partition] == 60, "seed \(seed)") }
  }
}
