import ReplayCore
import ReplayEngine
import ReplayTesting
import Testing

/// The decisions of a handoff by time: an event in, an answer out. The archive's end is at 1,000, the window 200 long:
/// from 800 on the stream is looked through, before 900 all of it must be archived.
struct OverlapHandoffTests {
  private typealias Refusal = OverlapHandoff.Refusal
  private let window = OverlapHandoff.Window(end: 1_000, milliseconds: 200)
  private let a = Partition(log: "retail", side: .live, id: "a")
  private let b = Partition(log: "retail", side: .live, id: "b")

  /// Its content is its number; so is its time, unless told otherwise.
  private func sign(_ content: UInt64, id: UInt64? = nil, time: Int64? = nil) -> EventSign {
    EventSign(print: PayloadPrint(bytes: content, tokens: content), id: id, time: time ?? Int64(content))
  }

  private func archived(_ contents: [UInt64]) -> [SignedEvent] {
    contents.enumerated().map { SignedEvent(position: Position(UInt64($0)), sign: sign($1)) }
  }

  private func handoff(
    _ archived: [SignedEvent], by comparison: EventSign.Comparison = .content, a first: UInt64 = 0, bEnd: UInt64 = 0
  ) -> OverlapHandoff {
    OverlapHandoff(
      archived, window, by: comparison,
      streams: [(a, first, 100), (b, 0, bEnd)].map { partition, start, end in
        (LivePartition(partition: partition, start: Position(start), end: Position(end)), Position(start))
      })
  }

  /// The events of `a` from position `first` on, then those of `b`.
  private func play(
    _ handoff: OverlapHandoff, _ own: [EventSign], first: UInt64 = 0, b other: [EventSign] = [], unproved: Bool = false
  ) -> Result<[Partition: OverlapHandoff.Outcome], Refusal> {
    var handoff = handoff
    return Result { () throws(Refusal) in
      for (place, sign) in own.enumerated() { try handoff.take(a, Position(first + UInt64(place)), sign) }
      for (place, sign) in other.enumerated() { try handoff.take(b, Position(UInt64(place)), sign) }
      return try handoff.finish(mayBeUnproved: unproved)
    }
  }

  private func start(_ result: Result<[Partition: OverlapHandoff.Outcome], Refusal>) throws -> [UInt64] {
    let outcome = try #require(try result.get()[a])
    return [outcome.start.number.low, UInt64(outcome.compared)] + outcome.ahead.map(\.number.low)
  }

  @Test func whereLiveBegins() throws {
    let cases: [(String, archived: [UInt64], stream: [UInt64], start: [UInt64])] = [
      ("behind the last archived one", [850, 950], [850, 950, 1_010, 1_020], [2, 2]),
      ("at the end where all is archived", [850, 950], [850, 950], [100, 2]),
      ("what is older than the window is passed over", [850, 950], [700, 710, 850, 950, 1_010], [4, 2]),
      ("archived out of order: one behind live's first", [850, 950, 980], [850, 950, 970, 980, 1_010], [2, 3, 3]),
      ("a late event is new, whatever its time", [850, 950], [850, 950, 1_010, 600], [2, 2]),
      ("a late event that is archived", [850, 950, 600], [850, 950, 1_010, 600], [2, 3, 3]),
      ("two that say the same are two", [850, 950, 950], [850, 950, 950, 950], [3, 3]),
      ("a clock that is far ahead, in both", [850, 9_000, 950], [850, 9_000, 950, 1_010], [3, 3]),
      ("the same, written before the window", [9_000, 850, 950], [850, 950, 1_010], [2, 2]),
      ("archived twice, written once", [850, 850, 950], [850, 950, 1_010], [2, 2]),
    ]
    for (name, archive, stream, wanted) in cases {
      #expect(try start(play(handoff(archived(archive)), stream.map { sign($0) })) == wanted, "\(name)")
    }
  }

  @Test func refusals() {
    let cases: [(String, archived: [UInt64], stream: [UInt64], Refusal)] = [
      ("a hole in the archive", [850, 950], [850, 880, 950], .notArchived(a, position: Position(1), time: 880)),
      ("an event is not in the stream", [850, 950, 960], [850, 960], .notInStream(archived: Position(1), time: 950)),
      ("another stream", [850, 950], [851, 951], .notArchived(a, position: Position(0), time: 851)),
      ("a stream that begins later", [850, 880], [1_010, 1_020], .nothingCompared(nil, last: nil)),
      ("an empty stream", [850, 880], [], .nothingCompared(a, last: nil)),
      ("no archive", [], [950], .nothingCompared(nil, last: nil)),
    ]
    for (name, archive, stream, wanted) in cases {
      #expect(play(handoff(archived(archive)), stream.map { sign($0) }) == .failure(wanted), "\(name)")
    }
    let allowed = play(handoff(archived([850, 880])), [sign(1_010)], unproved: true)
    #expect((try? start(allowed)) == [0, 0], "nothing was compared, and that is allowed")
    let wrong = play(handoff(archived([850, 950])), [sign(1_010)], unproved: true)
    #expect(wrong == .failure(.notInStream(archived: Position(1), time: 950)), "what contradicts is not allowed")
  }

  /// A partition that was quiet for longer than the window, or was never archived: that one proves nothing.
  @Test func aPartitionOfItsOwn() throws {
    let archive = archived([850, 950])
    let own = [850, 950, 1_010].map { sign($0) }
    let quiet = play(handoff(archive, bEnd: 2), own, b: [sign(300), sign(310)])
    #expect(quiet == .failure(.nothingCompared(b, last: 310)))
    let new = play(handoff(archive, bEnd: 2), own, b: [sign(310), sign(1_020)])
    #expect(new == .failure(.nothingCompared(b, last: 1_020)), "what is ahead of its first new event is not compared")
    let allowed = play(handoff(archive, bEnd: 2), own, b: [sign(300), sign(310)], unproved: true)
    #expect(try allowed.get()[b]?.start == Position(2))
    let begun = play(handoff(archive, bEnd: 1), own, b: [sign(1_020)])
    #expect(try begun.get()[b]?.start == .zero, "its first event is new: there is none to lose")
  }

  /// F8: what retention took cannot be compared; but the first event that is left must be an archived one.
  @Test func retentionWithinTheWindow() throws {
    let archive = archived([850, 870, 950, 960])
    #expect(try start(play(handoff(archive, a: 7), [950, 960, 1_010].map { sign($0) }, first: 7)) == [9, 2])
    let hole = play(handoff(archive, a: 7), [955, 960].map { sign($0) }, first: 7)
    #expect(hole == .failure(.expired(a, start: Position(7))))
  }

  /// Each partition begins where its own events are new; what is archived is one set for all.
  @Test func partitionsApart() throws {
    let result = play(
      handoff(archived([850, 950, 860, 970]), bEnd: 3), [850, 950, 1_010].map { sign($0) },
      b: [860, 965, 970].map { sign($0) })
    #expect(try result.get()[a]?.start == Position(2))
    #expect(try result.get()[b]?.start == Position(1))
    #expect(try result.get()[b]?.ahead == [Position(2)])
    #expect(try result.get()[a]?.last?.position == Position(1))
  }

  @Test func idsDecideWhereAsked() throws {
    let archive = [SignedEvent(position: Position(4), sign: sign(950, id: 7))]
    let written = [sign(951, id: 7, time: 950), sign(1_010, id: 8)]
    #expect(try start(play(handoff(archive, by: .id), written)) == [1, 1])
    let differs = Refusal.differs(a, position: Position(0), archived: Position(4))
    #expect(play(handoff(archive), written) == .failure(differs), "else another payload of the same id is told")
  }

  /// A random archiver, late by less than half of the window, and a random moment at which it is looked at: the events
  /// from the archive and those that go on live are every event once.
  @Test(arguments: 1...200 as ClosedRange<UInt64>) func eachEventOnce(seed: UInt64) throws {
    var chance = SplitMix64(seed: seed)
    var time: Int64 = 0
    var events: [(partition: Partition, position: UInt64, sign: EventSign, time: Int64)] = []
    var counts: [Partition: UInt64] = [:]
    for number in 0..<UInt64(chance.number(50...400)) {
      time += Int64(chance.number(0...9))
      let partition = chance.number(0...3) == 0 ? b : a
      // Some happened before they were written.
      let happened = time - (chance.number(0...9) == 0 ? Int64(chance.number(0...50)) : 0)
      let sign = EventSign(print: PayloadPrint(bytes: number, tokens: number), time: happened)
      events.append((partition, counts[partition, default: 0], sign, time))
      counts[partition, default: 0] += 1
    }
    let frozen = time - Int64(chance.number(0...20))
    let isArchived = events.map { $0.time + Int64(chance.number(0...80)) <= frozen }
    guard isArchived.contains(true) else { return }
    let archive = zip(events, isArchived).filter(\.1).enumerated().map {
      SignedEvent(position: Position(UInt64($0)), sign: $1.0.sign)
    }
    let end = archive.compactMap(\.sign.time).max() ?? 0
    var handoff = OverlapHandoff(
      archive, .init(end: end, milliseconds: 400), by: .content,
      streams: [a, b].map { partition in
        (LivePartition(partition: partition, start: .zero, end: Position(counts[partition] ?? 0)), .zero)
      })
    for event in events { try handoff.take(event.partition, Position(event.position), event.sign) }
    let outcomes = try handoff.finish(mayBeUnproved: false)
    for (event, isArchived) in zip(events, isArchived) {
      let outcome = try #require(outcomes[event.partition])
      let position = Position(event.position)
      let isLive = position >= outcome.start && !outcome.ahead.contains(position)
      #expect(isLive == !isArchived, "seed \(seed), partition \(event.partition), position \(event.position)")
    }
  }
}
