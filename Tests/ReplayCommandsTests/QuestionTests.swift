import Foundation
import ReplayCore
import ReplayHTTP
import Testing

@testable import ReplayCommands

/// The endpoints, without a socket.
@Suite struct QuestionTests {
  private let board = StatusBoard(functions: ["a", "b"])

  private func ask(_ path: String, _ query: (String, String?)...) -> Response {
    board.answer(Request(path: path, query: query.map { (name: $0.0, value: $0.1) }))
  }

  private func object(_ response: Response) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(response.body.utf8)) as? [String: Any])
  }

  private func follow(_ next: UInt64, of end: UInt64, caughtUpAt: Int64? = 0) {
    board.hear(Telling.state(next, of: end, caughtUpAt: caughtUpAt))
  }

  /// Seen here without a run: what it does to one is in the black-box tests.
  @Test func theRateIsSetByAPostAndByNothingElse() {
    func post(_ path: String, _ query: (String, String?)...) -> Response {
      board.answer(Request(path: path, method: "POST", query: query.map { (name: $0.0, value: $0.1) }))
    }
    defer { _ = post("/max-rate", ("events", "none")) }
    #expect(ask("/max-rate").body == "none\n")
    #expect(post("/max-rate", ("events", "500")).status == 200)
    #expect(ask("/max-rate").body == "500.0\n")
    for wrong in ["-1", "inf", "nan", "x", ""] { #expect(post("/max-rate", ("events", wrong)).status == 400) }
    #expect(post("/max-rate").status == 400)
    #expect(post("/status").status == 405)
    #expect(ask("/max-rate").body == "500.0\n", "what was refused changed nothing")
  }

  @Test func livenessIsAlwaysAndReadinessIsWhenCaughtUp() {
    #expect(ask("/livez").status == 200 && ask("/livez").body == "ok\n")
    #expect(ask("/readyz").status == 503 && ask("/readyz").body.split(separator: "\n").count == 1)
    follow(30, of: 30)
    #expect(ask("/readyz").status == 200)
    follow(30, of: 31)
    #expect(ask("/readyz").status == 503)
    board.change { $0.ended(exitCode: nil) }
    #expect(ask("/readyz").status == 503 && ask("/livez").status == 200)
  }

  @Test func unknownPaths() {
    for path in ["", "/x", "/status/", "/livez/x", "//"] { #expect(ask(path).status == 404) }
  }

  @Test func statusIsJSON() throws {
    board.began([Telling.archive("3")], bytes: 100)
    let before = try object(ask("/status"))
    #expect(before["phase"] as? String == "replaying" && before["handoff"] is NSNull && before["gap"] is NSNull)
    board.handedOff(HandoffAccount([], stream: "dir:s", functions: ["a"], comparison: .content, milliseconds: 3))
    follow(30, of: 42, caughtUpAt: nil)
    let status = try object(ask("/status"))
    #expect(ask("/status").type == "application/json")
    #expect(status["phase"] as? String == "live" && status["gap"] as? Int == 12)
    #expect(status["caught_up"] as? Bool == false && status["functions"] as? [String] == ["a", "b"])
    #expect((status["handoff"] as? [String: Any])?["stream"] as? String == "dir:s")
    let part = try #require((status["partitions"] as? [[String: Any]])?.first)
    #expect(part["partition"] as? String == "3" && part["next"] as? String == "30" && part["end"] as? String == "42")
    #expect(part["gap"] as? Int == 12 && part["caught_up"] as? Bool == false && part["archive_next"] is NSNull)
  }

  @Test func waitsForWhatIsSettledAtOnce() throws {
    follow(31, of: 31)
    let answer = ask("/wait", ("partition", "3"), ("position", "30"))
    #expect(answer.status == 200)
    let text = #"{"settled":true,"as":"applied","partition":"3","position":"30","next":"31"}"#
    #expect(answer.body == text + "\n")
    #expect(ask("/wait", ("partition", "3"), ("position", "30"), ("function", "b")).status == 200)
  }

  @Test func waitsUntilItIs() {
    follow(30, of: 30)
    let began = ContinuousClock.now
    let thread = Thread { [board] in
      usleep(200_000)
      board.hear(Telling.state(31, of: 31, caughtUpAt: 0))
    }
    thread.start()
    #expect(ask("/wait", ("partition", "3"), ("position", "30"), ("timeout", "20s")).status == 200)
    #expect((0.2..<10).contains((ContinuousClock.now - began) / .seconds(1)))
  }

  @Test func aTimeoutAndTheRunsEnd() throws {
    follow(30, of: 30)
    let late = ask("/wait", ("partition", "3"), ("position", "30"), ("timeout", "50ms"))
    #expect(late.status == 504)
    #expect(try object(late)["next"] as? String == "30")
    let thread = Thread { [board] in
      usleep(100_000)
      board.change { $0.ended(exitCode: nil) }
    }
    thread.start()
    #expect(ask("/wait", ("partition", "3"), ("position", "30"), ("timeout", "10m")).status == 503)
  }

  @Test func questionsThatCannotBeAnswered() {
    follow(30, of: 30)
    #expect(ask("/wait", ("partition", "4"), ("position", "1")).status == 404)
    #expect(ask("/wait", ("partition", "3"), ("position", "1"), ("function", "c")).status == 404)
    let bad: [[(String, String?)]] = [
      [], [("partition", "3")], [("position", "1")], [("partition", "3"), ("position", "x")],
      [("partition", "3"), ("position", nil)], [("partition", "3"), ("position", "1"), ("timeout", "5")],
      [("partition", "3"), ("position", "1"), ("timeout", "601s")],
      [("partition", "3"), ("position", "1"), ("offset", "1")],
      [("partition", "3"), ("partition", "4"), ("position", "1")],
    ]
    for query in bad {
      let answer = board.answer(Request(path: "/wait", query: query.map { (name: $0.0, value: $0.1) }))
      #expect(answer.status == 400, "\(query)")
      #expect(answer.body.split(separator: "\n").count == 1 && answer.body.hasSuffix("\n"))
    }
  }

  @Test func onlySoManyWaitAtOnce() {
    follow(30, of: 30)
    let threads = (0..<StatusBoard.mostWaiting).map { _ in
      Thread { [board] in
        _ = board.wait(for: EventPlace(partition: "3", position: Position(30)), function: nil, milliseconds: 60_000)
      }
    }
    for thread in threads { thread.start() }
    while board.waiters < StatusBoard.mostWaiting { usleep(1_000) }
    let answer = ask("/wait", ("partition", "3"), ("position", "30"), ("timeout", "1ms"))
    #expect(answer.status == 503 && answer.body.contains("others wait already"))
    board.change { $0.ended(exitCode: nil) }
    while board.waiters > 0 { usleep(1_000) }
  }

  @Test func thePageIsAlone() {
    let page = ask("/")
    #expect(page.status == 200 && page.type.hasPrefix("text/html"))
    #expect(!page.body.contains("http://") && !page.body.contains("https://") && !page.body.contains("innerHTML"))
  }
}
