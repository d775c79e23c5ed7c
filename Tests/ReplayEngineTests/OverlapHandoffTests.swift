import ReplayCore
import ReplayEngine
import ReplayTesting
import Testing

/// The decisions of a handoff by time: an event in, an answer out.
struct OverlapHandoffTests {
  private typealias Refusal = OverlapHandoff.Refusal
  private typealias Outcomes = [Partition: OverlapHandoff.Outcome]
  private let a = Partition(log: "retail", side: .live, id: "a")
  private let b = Partition(log: "retail", side: .live, id: "b")

  private func sign(_ content: UInt64, id: UInt64? = nil, time: Int64? = 7) -> EventSign {
    EventSign(print: PayloadPrint(bytes: content, tokens: content), id: id, time: time)
  }

  /// The events of a partition, at `first` and on; live before `entry` they must be archived.
  private struct Given {
    var first: UInt64 = 0
    var start: UInt64 = 0
    var entry: UInt64 = 0
    var events: [EventSign] = []
  }

  private func play(
    _ archive: [EventSign], _ own: Given, _ other: Given = Given(), by comparison: EventSign.Comparison = .content,
    expect: Int = 0, unproved: Bool = false
  ) -> Result<Outcomes, Refusal> {
    let given = [(a, own), (b, other)]
    var handoff = OverlapHandoff(
      given.map { partition, given in
        let end = Position(given.first + UInt64(given.events.count))
        return OverlapHandoff.Stream(
          live: LivePartition(partition: partition, start: Position(given.start), end: end),
          readFrom: Position(given.first), entry: Position(given.entry))
      }, by: comparison)
    for (partition, given) in given {
      for (place, sign) in given.events.enumerated() {
        handoff.take(partition, Position(given.first + UInt64(place)), sign)
      }
    }
    let archived = archive.enumerated().map { SignedEvent(position: Position(UInt64($0)), sign: $1) }
    for event in archived.reversed() { _ = handoff.look(at: event) }
    for event in archived.suffix(expect) { handoff.expect(event) }
    return Result { () throws(Refusal) in try handoff.finish(mayBeUnproved: unproved) }
  }

  /// Where live begins in `a`, how many were compared, and the positions that are left out.
  private func start(_ result: Result<Outcomes, Refusal>) throws -> [UInt64] {
    let outcome = try #require(try result.get()[a])
    return [outcome.start.number.low, UInt64(outcome.compared)] + outcome.ahead.map(\.number.low)
  }

  private func signs(_ contents: [UInt64]) -> [EventSign] { contents.map { sign($0) } }

  @Test func whereLiveBegins() throws {
    let cases: [(String, archive: [UInt64], stream: [UInt64], start: [UInt64])] = [
      ("behind the last archived one", [1, 2], [1, 2, 3, 4], [2, 2]),
      ("at the end where all is archived", [1, 2], [1, 2], [2, 2]),
      ("archived out of order: one behind live's first", [1, 2, 4], [1, 2, 3, 4, 5], [2, 3, 3]),
      ("a file is missing: what it had comes from the stream", [1, 2, 5, 6], [1, 2, 3, 4, 5, 6], [2, 4, 4, 5]),
      ("two that say the same are two", [1, 2, 2], [1, 2, 2, 2], [3, 3]),
      ("archived twice, written once", [1, 1, 2], [1, 2, 3], [2, 2]),
      ("archived before what is read", [8, 9, 1, 2], [1, 2, 3], [2, 2]),
    ]
    for (name, archive, stream, wanted) in cases {
      let given = Given(entry: 1, events: signs(stream))
      #expect(try start(play(signs(archive), given)) == wanted, "\(name)")
    }
  }

  /// What is ahead of the time has to be archived, whatever the clocks say.
  @Test func refusals() {
    let cases: [(String, archive: [UInt64], Given, Refusal)] = [
      (
        "another stream", [1, 2], Given(entry: 2, events: signs([7, 8])),
        .notArchived(a, position: Position(0), hasID: false)
      ),
      (
        "a hole ahead of the time", [1, 3], Given(entry: 3, events: signs([1, 2, 3])),
        .notArchived(a, position: Position(1), hasID: false)
      ),
      ("a stream that begins later", [1, 2], Given(events: signs([7, 8])), .nothingCompared(a)),
      ("an empty stream", [1, 2], Given(), .nothingCompared(a)),
      ("no archive", [], Given(events: signs([7])), .nothingCompared(a)),
      ("retention took all", [1, 2], Given(first: 9, start: 9, entry: 9), .nothingCompared(a)),
      // F8: the first event that is left must be an archived one.
      (
        "a hole by retention", [1, 2], Given(first: 9, start: 9, entry: 9, events: signs([4, 2])),
        .expired(a, start: Position(9))
      ),
    ]
    for (name, archive, given, wanted) in cases {
      #expect(play(signs(archive), given) == .failure(wanted), "\(name)")
    }
  }

  @Test func retentionWithinWhatIsRead() throws {
    let given = Given(first: 9, start: 9, entry: 9, events: signs([2, 3, 4]))
    #expect(try start(play(signs([1, 2, 3]), given)) == [11, 2])
  }

  /// What contradicts only by its time, or is not there at all, may be overruled; then live begins with the first event that
  /// is not archived, so that nothing that was read is lost.
  @Test func unproved() throws {
    let given = Given(entry: 3, events: signs([1, 2, 3]))
    #expect(try start(play(signs([1, 3]), given, unproved: true)) == [1, 2, 2])
    #expect(try start(play(signs([1]), Given(events: signs([7])), unproved: true)) == [0, 0])
  }

  @Test func theArchivesLastEvents() throws {
    let archive = [sign(1), sign(2, time: 50)]
    let missing = play(archive, Given(entry: 1, events: signs([1])), expect: 1)
    #expect(missing == .failure(.notInStream(archived: Position(1), time: 50)))
    let cut = Given(first: 9, start: 9, entry: 9, events: [sign(1, time: 60)])
    #expect(try start(play(archive, cut, expect: 1)) == [10, 1], "it may have passed retention")
  }

  /// Each partition begins where its own events are new; each has to be proved by its own.
  @Test func partitionsApart() throws {
    let archive = signs([1, 2, 11, 13])
    let own = Given(entry: 1, events: signs([1, 2, 3]))
    let both = try play(archive, own, Given(entry: 1, events: signs([11, 12, 13]))).get()
    #expect(both[a]?.start == Position(2))
    #expect(both[a]?.last?.position == Position(1))
    #expect(both[b]?.start == Position(1))
    #expect(both[b]?.ahead == [Position(2)])
    // A partition that was quiet for long, or was never archived.
    let never = play(archive, own, Given(entry: 2, events: signs([20, 21])))
    #expect(never == .failure(.notArchived(b, position: Position(0), hasID: false)))
    let gone = play(archive, own, Given(first: 4, start: 4, entry: 4))
    #expect(gone == .failure(.nothingCompared(b)))
    let begun = try play(archive, own, Given(events: signs([20, 21]))).get()
    #expect(begun[b]?.start == .zero, "all of its events are new: there is none to lose")
    let empty = try play(archive, own, Given()).get()
    #expect(empty[b]?.start == .zero, "F12: it never had an event")
  }

  @Test func idsDecideWhereAsked() throws {
    let archive = [sign(1, id: 7)]
    let given = Given(entry: 1, events: [sign(2, id: 7), sign(3, id: 8)])
    #expect(try start(play(archive, given, by: .id)) == [1, 1])
    let differs = Refusal.notArchived(a, position: Position(0), hasID: true)
    #expect(play(archive, given) == .failure(differs), "else it is told that another payload has the id")
  }

  /// Of events with neither id nor time nobody knows which of two equal ones is archived.
  @Test func nameless() throws {
    let given = Given(entry: 1, events: [sign(1), sign(2, time: nil)])
    #expect(play([sign(1), sign(2, time: nil)], given) == .failure(.nameless(a, position: Position(1))))
    #expect(try start(play([sign(1)], given)) == [1, 1], "none like it is archived")
  }

  /// How far back the archive is searched.
  @Test func theSearch() {
    let live = LivePartition(partition: a, start: .zero, end: Position(2))
    var handoff = OverlapHandoff([.init(live: live, readFrom: .zero, entry: Position(2))], by: .content)
    handoff.take(a, Position(0), sign(1, time: 1_000))
    handoff.take(a, Position(1), sign(2, time: 2_000))
    #expect(handoff.mustSearch(latest: nil, margin: 100))
    #expect(handoff.mustSearch(latest: 900, margin: 100))
    #expect(!handoff.mustSearch(latest: 899, margin: 100), "it cannot be there any more")
    _ = handoff.look(at: SignedEvent(position: .zero, sign: sign(1)))
    #expect(handoff.mustSearch(latest: 1_900, margin: 100))
    _ = handoff.look(at: SignedEvent(position: .zero, sign: sign(2)))
    #expect(!handoff.mustSearch(latest: 9_000, margin: 100), "all that has to be is archived")
  }

  /// A random archiver that is late by up to 80, random clocks, and a random moment at which it is looked at: the events from
  /// the archive and those that go on live are every event once, or it is refused.
  @Test(arguments: 1...200 as ClosedRange<UInt64>) func eachEventOnce(seed: UInt64) throws {
    var chance = SplitMix64(seed: seed)
    var time: Int64 = 0
    var events: [(partition: Partition, position: UInt64, sign: EventSign, time: Int64)] = []
    var counts: [Partition: UInt64] = [:]
    for number in 0..<UInt64(chance.number(50...400)) {
      time += Int64(chance.number(0...9))
      let partition = chance.number(0...3) == 0 ? b : a
      events.append(
        (partition, counts[partition, default: 0], sign(number, time: Int64(chance.number(0...9_999))), time))
      counts[partition, default: 0] += 1
    }
    let frozen = time - Int64(chance.number(0...20))
    let isArchived = events.map { $0.time + Int64(chance.number(0...80)) <= frozen }
    // What was written long before is archived, and proves it: it is what is ahead of the time that was asked for.
    let entries = [a, b].map { partition in
      UInt64(events.filter { $0.partition == partition && $0.time <= frozen - 80 }.count)
    }
    var handoff = OverlapHandoff(
      zip([a, b], entries).map { partition, entry in
        let live = LivePartition(partition: partition, start: .zero, end: Position(counts[partition] ?? 0))
        return .init(live: live, readFrom: .zero, entry: Position(entry))
      }, by: .content)
    for event in events { handoff.take(event.partition, Position(event.position), event.sign) }
    for (event, isArchived) in zip(events, isArchived) where isArchived {
      _ = handoff.look(at: SignedEvent(position: .zero, sign: event.sign))
    }
    guard let outcomes = try? handoff.finish(mayBeUnproved: false) else {
      #expect(entries.contains(0), "seed \(seed): refused, though each partition has something archived")
      return
    }
    for (event, isArchived) in zip(events, isArchived) {
      let outcome = try #require(outcomes[event.partition])
      let position = Position(event.position)
      let isLive = position >= outcome.start && !outcome.ahead.contains(position)
      #expect(isLive == !isArchived, "seed \(seed), partition \(event.partition), position \(event.position)")
    }
  }
}
