import ReplayCore
import Testing

@testable import ReplayCommands
@testable import ReplayEngine

/// What a run tells, and what is made of it.
struct Telling {
  static func archive(_ id: String, log: String = "orders") -> Partition { Partition(log: log, id: id) }
  static func live(_ id: String) -> Partition { Partition(log: "orders", side: .live, id: id) }

  static func books(applied: UInt64, ignored: UInt64 = 0, duplicate: UInt64 = 0) -> Books {
    var books = Books()
    (books.read, books.applied) = (applied + ignored + duplicate, applied)
    (books.ignored, books.duplicate) = (ignored, duplicate)
    return books
  }

  static func report(_ names: [String], _ books: Books, commits: UInt64, rows: UInt64) -> RunReport {
    var report = RunReport()
    report.functions = names.map { RunReport.Function(name: $0, books: [(archive("3"), books)]) }
    (report.epochs, report.rows) = (commits, rows)
    return report
  }

  static func state(
    _ next: UInt64, of end: UInt64, caughtUpAt: Int64?, books: [Books] = [], commits: UInt64 = 0, rows: UInt64 = 0
  ) -> LiveState {
    var state = LiveState()
    state.parts = [
      LiveState.Part(
        partition: live("3"), committed: Position(next), next: Position(next), end: Position(end),
        caughtUpAt: caughtUpAt)
    ]
    (state.books, state.commits, state.rows) = (books, commits, rows)
    return state
  }
}

@Suite struct BoardStateTests {
  private func row(_ state: BoardState, now: Int64 = 0) throws -> BoardState.Row {
    try #require(state.rows(now: now).first)
  }

  @Test func phasesFromTheArchiveToTheEnd() throws {
    var state = BoardState(functions: ["a"])
    #expect(state.phase == .replaying && state.notReady == "looking at the archive")
    state.began([Telling.archive("3")], bytes: 4096)
    #expect(state.notReady == "replaying the archive: 4.0 KiB left")
    state.progressed(Progress(bytes: 1024, events: 10))
    #expect(state.archiveBytesLeft == 3072 && state.events == 10)
    state.progressed(Progress(bytes: 9999, events: 11))
    #expect(state.archiveBytesLeft == 0)
    state.finished(Telling.report(["a"], Telling.books(applied: 11), commits: 2, rows: 5))
    state.handsOff()
    #expect(state.phase == .handingOff && state.notReady == "proving the handoff" && !state.hasHandedOff)
    state.handedOff(.null, live: [])
    #expect(state.hasHandedOff && state.phase == .handingOff)
    state.follows(Telling.state(30, of: 40, caughtUpAt: nil), now: 1_000, at: 0)
    #expect(state.phase == .live && !state.isCaughtUp)
    #expect(state.notReady?.contains("10 positions to go") == true)
    state.follows(Telling.state(40, of: 40, caughtUpAt: 1_500), now: 1_500, at: 0)
    #expect(state.isCaughtUp && state.notReady == nil)
    state.ended(exitCode: nil)
    #expect(state.phase == .stopped && state.isOver && !state.isCaughtUp && state.notReady == "the run is over")
    state.ended(exitCode: 65)
    #expect(state.phase == .failed && state.notReady == "the run failed with exit code 65")
  }

  @Test func aStreamThatCannotBeReachedIsNotCaughtUp() {
    var state = BoardState(functions: ["a"])
    var live = Telling.state(40, of: 40, caughtUpAt: 1_500)
    state.follows(live, now: 1_500, at: 0)
    #expect(state.isCaughtUp && state.notReady == nil)
    live.outage = "no broker of orders can be reached"
    state.follows(live, now: 1_600, at: 0)
    #expect(!state.isCaughtUp && state.notReady == "following the stream: no broker of orders can be reached")
    live.outage = nil
    state.follows(live, now: 1_700, at: 0)
    #expect(state.isCaughtUp)
  }

  /// Two passes over the archive and a stretch of the stream: 11 + 4 + 2 events.
  @Test func countsAddUpOverPassesAndTheStream() {
    var state = BoardState(functions: ["a", "b"])
    state.began([], bytes: 10)
    state.committed(commits: 1, rows: 2, at: 5_000)
    #expect(state.commits == 1 && state.rows == 2 && state.committedAt == 5_000)
    state.finished(Telling.report(["a", "b"], Telling.books(applied: 9, ignored: 2), commits: 2, rows: 5))
    #expect(state.events == 11 && state.commits == 2 && state.rows == 5)
    state.began([], bytes: 3)
    state.progressed(Progress(bytes: 1, events: 3))
    #expect(state.events == 14)
    // A function that was handed off before has no part in the second pass.
    state.finished(Telling.report(["b"], Telling.books(applied: 4), commits: 1, rows: 1))
    let live = [Telling.books(applied: 2), Telling.books(applied: 1, duplicate: 1)]
    state.follows(Telling.state(1, of: 1, caughtUpAt: 0, books: live, commits: 1, rows: 7), now: 0, at: 6_000)
    #expect(state.events == 17 && state.commits == 4 && state.rows == 13 && state.committedAt == 6_000)
    #expect(state.books(of: 0) == Telling.books(applied: 11, ignored: 2))
    #expect(state.books(of: 1) == Telling.books(applied: 14, ignored: 2, duplicate: 1))
  }

  @Test func lagCountsFromWhenAPartitionWasNoMoreCaughtUp() throws {
    var state = BoardState(functions: ["a"])
    state.follows(Telling.state(30, of: 40, caughtUpAt: nil), now: 1_000, at: 0)
    #expect(try row(state, now: 3_500).lagMilliseconds == 2_500)
    state.follows(Telling.state(35, of: 40, caughtUpAt: nil), now: 3_000, at: 0)
    #expect(try row(state, now: 3_500).lagMilliseconds == 2_500)
    state.follows(Telling.state(40, of: 40, caughtUpAt: 4_000), now: 4_000, at: 0)
    // A stream that rests stays caught up, however long nothing is heard of it.
    #expect(try row(state, now: 90_000).lagMilliseconds == 0)
    state.follows(Telling.state(40, of: 50, caughtUpAt: 4_000), now: 91_000, at: 0)
    #expect(try row(state, now: 91_250).lagMilliseconds == 250)
  }

  @Test func rowsJoinTheSidesOfAPartitionInTheirOrder() throws {
    var state = BoardState(functions: ["a", "b"])
    state.began([Telling.archive("10"), Telling.archive("3")], bytes: 1)
    #expect(state.rows(now: 0).map(\.name) == ["3", "10"])
    #expect(try row(state).archiveNext == nil)
    state.reached([("a", [Telling.archive("3"): Position(9)])])
    #expect(try row(state).archiveNext == nil, "the other function has nothing yet")
    state.reached([("b", [Telling.archive("3"): Position(7)]), ("unknown", [Telling.archive("77"): Position(1)])])
    #expect(try row(state).archiveNext == Position(7))
    state.follows(Telling.state(30, of: 30, caughtUpAt: 0), now: 0, at: 0)
    #expect(state.rows(now: 0).map(\.name) == ["3", "10"])
    #expect(try row(state).archiveNext == Position(7) && row(state).live?.next == Position(30))
  }

  @Test func partitionsOfSeveralTopicsStayApart() {
    var state = BoardState(functions: ["a"])
    state.began([Telling.archive("3"), Telling.archive("3", log: "returns")], bytes: 1)
    #expect(state.rows(now: 0).map(\.name) == ["orders/3", "returns/3"])
  }
}
