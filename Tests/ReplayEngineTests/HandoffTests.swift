import ReplayCore
import ReplayEngine
import Testing

/// The decisions of one partition's handoff: an event in, an action out.
struct HandoffTests {
  /// Archived events 0..<count whose content is their number.
  private func tail(_ numbers: ClosedRange<UInt64>) -> [SignedEvent] {
    numbers.map { SignedEvent(position: Position($0), sign: print($0)) }
  }
  private func print(_ content: UInt64) -> EventSign {
    EventSign(print: PayloadPrint(bytes: content, tokens: content + 1_000))
  }

  private enum Step {
    case event(UInt64, UInt64)
    case caughtUp(UInt64)
  }

  private func play(_ handoff: Handoff, _ steps: [Step]) -> Handoff.Action {
    var handoff = handoff
    var action = handoff.begin()
    for step in steps where action == .goOn {
      switch step {
      case .event(let position, let content): action = handoff.take(Position(position), print(content))
      case .caughtUp(let next): action = handoff.caughtUp(Position(next))
      }
    }
    return action
  }

  private let end = Position(99).successor

  /// Equal on both sides where it is proved, whatever the positions of a counted archive are; another one for other
  /// events, for another order and for other positions.
  @Test func digests() {
    func compared(_ kind: HandoffClass, _ numbers: [UInt64], at first: UInt64, stream: UInt64? = nil) -> HandoffDigest {
      let tail = numbers.enumerated().map {
        SignedEvent(position: Position(first + UInt64($0)), sign: print($1))
      }
      var handoff = Handoff(kind, archiveEnd: Position(first + UInt64(numbers.count)), tail: tail)
      for (place, number) in numbers.enumerated() {
        _ = handoff.take(Position((stream ?? first) + UInt64(place)), print(number))
      }
      #expect(handoff.compared == numbers.count)
      return handoff.digest
    }
    let exact = compared(.exact, [7, 8, 9], at: 97)
    #expect(exact.archived == exact.live)
    #expect(exact.first == Position(97) && exact.last == Position(99))
    #expect(compared(.exact, [7, 8, 9], at: 97) == exact)
    let counted = compared(.lowerBound, [7, 8, 9], at: 97, stream: 103)
    #expect(counted.archived == counted.live)
    #expect(counted.first == Position(103) && counted.last == Position(105))
    #expect(compared(.lowerBound, [7, 8, 9], at: 97).live == counted.live)
    let others = [
      compared(.exact, [8, 7, 9], at: 97), compared(.exact, [7, 8], at: 97), compared(.exact, [7, 8, 9], at: 98),
      compared(.exact, [7, 8, 10], at: 97), counted,
    ]
    #expect(Set(others.map(\.live) + [exact.live]).count == 6)
  }

  @Test func exactEnd() {
    let same: [Step] = (97...99).map { .event($0, $0) }
    let cases: [(String, [Step], Handoff.Action)] = [
      ("all the same", same, .proved(start: end, compared: 3)),
      ("more follows", same + [.event(100, 100)], .proved(start: end, compared: 3)),
      ("nothing yet", [], .goOn),
      ("half of it", [.event(97, 97), .event(98, 98)], .goOn),
      (
        "another event", [.event(97, 97), .event(98, 7)],
        .refused(.differs(position: Position(98), archived: Position(98)))
      ),
      (
        "an event that the archive has not", [.event(96, 96)],
        .refused(.differs(position: Position(96), archived: Position(97)))
      ),
      (
        "one is missing", [.event(97, 97), .event(99, 99)],
        .refused(.missing(archived: Position(98), found: Position(99)))
      ),
      (
        "the stream is shorter", [.event(97, 97), .caughtUp(98)],
        .refused(.ends(at: Position(98), archived: Position(98)))
      ),
      ("the stream is empty", [.caughtUp(0)], .refused(.ends(at: Position(0), archived: Position(97)))),
    ]
    for (name, steps, wanted) in cases {
      #expect(play(Handoff(.exact, archiveEnd: end, tail: tail(97...99)), steps) == wanted, "\(name)")
    }
  }

  /// F7: the last archived event exists no longer, compaction dropped it.
  @Test func f7CompactionHoles() {
    var rule = Handoff.Rule()
    rule.isSparse = true
    let cases: [(String, [Step], Handoff.Action)] = [
      ("one was dropped", [.event(97, 97), .event(99, 99)], .proved(start: end, compared: 2)),
      ("the last was dropped", [.event(97, 97), .event(98, 98), .caughtUp(100)], .proved(start: end, compared: 2)),
      ("the last was dropped, more follows", [.event(98, 98), .event(104, 1)], .proved(start: end, compared: 1)),
      ("all were dropped", [.event(104, 104)], .refused(.nothingCompared)),
      ("another event", [.event(98, 1)], .refused(.differs(position: Position(98), archived: Position(98)))),
      (
        "the stream is shorter", [.event(97, 97), .caughtUp(98)],
        .refused(.ends(at: Position(98), archived: Position(98)))
      ),
    ]
    for (name, steps, wanted) in cases {
      #expect(play(Handoff(.exact, archiveEnd: end, tail: tail(97...99), rule: rule), steps) == wanted, "\(name)")
    }
  }

  /// The archive counts: its third event of the segment is at 99, the stream's at 105.
  @Test func lowerBound() {
    let cases: [(String, [Step], Handoff.Action)] = [
      ("no holes", (97...99).map { .event($0, $0) }, .proved(start: end, compared: 3)),
      (
        "holes", [.event(97, 97), .event(101, 98), .event(105, 99)],
        .proved(start: Position(105).successor, compared: 3)
      ),
      (
        "another event", [.event(97, 97), .event(101, 7)],
        .refused(.differs(position: Position(101), archived: Position(98)))
      ),
      (
        "too short", [.event(97, 97), .event(101, 98), .caughtUp(102)],
        .refused(.ends(at: Position(102), archived: Position(99)))
      ),
    ]
    for (name, steps, wanted) in cases {
      #expect(play(Handoff(.lowerBound, archiveEnd: end, tail: tail(97...99)), steps) == wanted, "\(name)")
    }
  }

  /// A writer that set the JSON anew: the bytes differ, the tokens do not.
  @Test func tokensDecideWhereBytesDiffer() {
    var handoff = Handoff(.exact, archiveEnd: Position(8), tail: tail(7...7))
    let set = EventSign(print: PayloadPrint(bytes: 12, tokens: 1_007))
    #expect(handoff.take(Position(7), set) == .proved(start: Position(8), compared: 1))
  }

  @Test func nothingToCompare() {
    var rule = Handoff.Rule()
    let nothing = Handoff(.exact, archiveEnd: end, tail: [], rule: rule)
    #expect(nothing.begin() == .refused(.nothingCompared))
    #expect(nothing.readFrom == nil)
    rule.mayBeUnproved = true
    #expect(Handoff(.exact, archiveEnd: end, tail: [], rule: rule).begin() == .proved(start: end, compared: 0))
    // F12: a partition of which nothing was ever archived is done at once.
    #expect(Handoff(.exact, archiveEnd: .zero, tail: []).begin() == .proved(start: .zero, compared: 0))
  }

  @Test func whetherRetentionIsFaster() {
    let cases: [(String, [(now: Int64, start: UInt64, end: UInt64)], RetentionRace.Judgement)] = [
      ("one look says nothing of the pace", [(0, 10, 100)], .safe),
      ("nothing passes", [(0, 10, 100), (1_000, 10, 100)], .safe),
      ("10 a second, 80 left", [(0, 10, 100), (1_000, 20, 100)], .leftMilliseconds(8_000)),
      ("the archive grows as fast", [(0, 10, 100), (1_000, 20, 110)], .leftMilliseconds(9_000)),
      ("just reached", [(0, 10, 100), (1_000, 100, 100)], .leftMilliseconds(0)),
      ("passed", [(0, 103, 100)], .lost(end: Position(100), start: Position(103), events: 3)),
      (
        "passed while it ran", [(0, 10, 100), (1_000, 101, 100)],
        .lost(end: Position(100), start: Position(101), events: 1)
      ),
    ]
    for (name, looks, wanted) in cases {
      var race = RetentionRace()
      for look in looks {
        race.observe(now: look.now, start: Position(look.start), archiveEnd: Position(look.end))
      }
      #expect(race.judgement == wanted, "\(name)")
    }
    // Behind the event at 99 comes 100: a stream that begins there has no hole.
    var race = RetentionRace()
    race.observe(now: 0, start: Position(100), archiveEnd: end)
    #expect(race.judgement == .safe)
    race.observe(now: 10, start: Position(101), archiveEnd: end)
    #expect(race.judgement == .lost(end: end, start: Position(101), events: 1))
    #expect(race.isLost(in: 0))
  }

  @Test func whenLiveWorkIsCommitted() {
    var commits = LiveCommits(intervalMilliseconds: 1_000, maxChangedBytes: 100, now: 0)
    func due(_ now: Int64, work: Bool = true, rests: Bool = false, bytes: Int = 0) -> Bool {
      commits.isDue(now: now, hasWork: work, rests: rests, changedBytes: bytes)
    }
    #expect(due(0, rests: true))
    commits.committed(now: 10_000)
    #expect(!due(60_000, work: false, rests: true, bytes: 200))
    #expect(!due(10_002, rests: true), "a stream that rests after each event does not cost a commit each")
    #expect(due(10_005, rests: true))
    #expect(!due(10_999))
    #expect(due(11_000))
    #expect(due(10_001, bytes: 101))
    #expect(commits.patience(now: 10_002, hasWork: true, idle: 50) == 3)
    #expect(commits.patience(now: 10_002, hasWork: false, idle: 50) == 50)
    #expect(commits.patience(now: 20_000, hasWork: true, idle: 50) == 0)
  }

  /// What waits for more events to be delivered with it holds a commit up; what was delivered does not wait with it.
  @Test func whatWaitsForMoreIsCommittedLater() {
    var commits = LiveCommits(intervalMilliseconds: 1_000, maxChangedBytes: 100, now: 0)
    commits.committed(now: 10_000)
    func due(_ now: Int64, waits: Int64, delivered: Bool, bytes: Int = 0) -> Bool {
      commits.isDue(
        now: now, hasWork: true, rests: true, changedBytes: bytes,
        waiting: SessionWait(milliseconds: waits, hasDelivered: delivered))
    }
    #expect(!due(10_500, waits: 1, delivered: false))
    #expect(due(10_500, waits: 0, delivered: false))
    #expect(!due(60_000, waits: 1, delivered: false), "the interval binds what was delivered")
    #expect(!due(10_999, waits: 9_000, delivered: true))
    #expect(due(11_000, waits: 9_000, delivered: true))
    #expect(due(10_001, waits: 9_000, delivered: false, bytes: 101))
    func patience(_ now: Int64, waits: Int64, delivered: Bool) -> Int {
      commits.patience(
        now: now, hasWork: true, idle: 50, waiting: SessionWait(milliseconds: waits, hasDelivered: delivered))
    }
    #expect(patience(10_500, waits: 9_000, delivered: false) == 50)
    #expect(patience(10_500, waits: 30, delivered: false) == 30)
    #expect(patience(10_990, waits: 9_000, delivered: true) == 10)
    #expect(patience(20_000, waits: 9_000, delivered: true) == 0)
  }
}
