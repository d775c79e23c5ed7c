import Foundation
import ReplayCore
import Testing

@testable import ReplayCommands
@testable import ReplayEngine

/// The text format as its specification says it (version 0.0.4): a reader of its own.
struct Exposition {
  struct Family {
    var help = ""
    var kind = ""
    var samples: [(labels: [String: String], value: Double)] = []
  }
  var families: [String: Family] = [:]

  init(_ text: String) throws {
    #expect(text.hasSuffix("\n") && !text.contains("\n\n"))
    var last: String?
    for line in text.split(separator: "\n") {
      if line.hasPrefix("# ") {
        let parts = line.dropFirst(2).split(separator: " ", maxSplits: 2).map(String.init)
        let name = try #require(parts.dropFirst().first)
        if parts[0] == "HELP" {
          #expect(families[name] == nil, "\(name) comes twice")
          families[name] = Family(help: parts[2])
        } else {
          #expect(parts[0] == "TYPE" && last == nil || last == name || families[name]?.kind == "")
          families[name]?.kind = parts[2]
        }
        last = name
        continue
      }
      let match = try #require(line.wholeMatch(of: /([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)/), "\(line)")
      let name = String(match.1)
      #expect(name == last, "samples follow their type")
      let value = try #require(Double(match.3), "\(line)")
      families[name]?.samples.append((try Exposition.labels(match.2.map(String.init) ?? ""), value))
    }
  }

  private static func labels(_ text: String) throws -> [String: String] {
    var found: [String: String] = [:]
    var rest = text[...]
    while !rest.isEmpty {
      let name = rest.prefix { $0 != "=" }
      rest = rest.dropFirst(name.count + 2)
      var value = ""
      while let next = rest.popFirst(), next != "\"" {
        if next == "\\" {
          let escaped = rest.popFirst()
          value.append(escaped == "n" ? "\n" : try #require(escaped))
        } else {
          value.append(next)
        }
      }
      found[String(name)] = value
      if rest.first == "," { rest = rest.dropFirst() }
    }
    return found
  }

  func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
    families[name]?.samples.first { $0.labels == labels }?.value
  }
}

@Suite struct MetricsTests {
  private let board = StatusBoard(functions: ["a", "b"])
  private func read() throws -> Exposition { try Exposition(board.metrics(board.now)) }

  @Test func beforeAnything() throws {
    let read = try read()
    #expect(read.value("replay_build_info", ["version": "0.1.0"]) == 1)
    #expect(read.value("replay_events_applied_total", ["function": "a"]) == 0)
    #expect(read.value("replay_caught_up") == 0 && read.value("replay_handoff_state") == 0)
    #expect(read.families["replay_commit_timestamp_seconds"] == nil, "nothing was committed")
    #expect(read.families["replay_partition_gap"] == nil)
  }

  /// What could not be applied: counted of this run, and what the store keeps.
  @Test func keptEvents() throws {
    let segment = Segment(
      entry: SegmentEntry(name: "s", size: 0, version: ""), partition: Telling.archive("3"), numbering: .explicit)
    let left = [LeftEvent.State.parked, .parked, .dead].enumerated().map { number, state in
      LeftEvent(
        place: ReplayCore.EventPlace(segment: segment, ordinal: 0, position: Position(UInt64(number))), state: state,
        key: [7],
        record: [], error: nil, attempts: 0)
    }
    var books = Telling.books(applied: 4)
    (books.read, books.parked, books.deadLettered) = (7, 2, 1)
    var kept = KeptEvents()
    kept.add(left)
    var report = Telling.report(["a"], books, commits: 1, rows: 1)
    report.functions[0].kept = kept
    board.finished(report)
    let read = try read()
    #expect(read.value("replay_events_parked_total", ["function": "a"]) == 2)
    #expect(read.value("replay_events_dead_lettered_total", ["function": "a"]) == 1)
    #expect(read.value("replay_parked_keys", ["function": "a"]) == 1)
    #expect(read.value("replay_kept_events", ["function": "a"]) == 3)
    #expect(read.value("replay_kept_events", ["function": "b"]) == 0)
    let status = board.status(board.now).text
    #expect(
      status.contains(#""kept":[{"function":"a","events":{"parked":2,"parked_keys":1,"dead_letters":1,"bytes":3}}"#))
  }

  @Test func afterAPassAndInTheStream() throws {
    board.began([Telling.archive("3")], bytes: 100)
    board.hear(.progress(Progress(bytes: 40, events: 5)))
    #expect(try read().value("replay_archive_remaining_bytes") == 60)
    board.finished(
      Telling.report(["a", "b"], Telling.books(applied: 9, ignored: 2, duplicate: 1), commits: 2, rows: 5))
    board.change { $0.handsOff() }
    #expect(try read().value("replay_handoff_state") == 1)
    let live = [Telling.books(applied: 3), Telling.books(applied: 1, ignored: 2)]
    board.hear(Telling.state(30, of: 42, caughtUpAt: nil, books: live, commits: 1, rows: 7))
    let read = try read()
    #expect(read.value("replay_events_applied_total", ["function": "a"]) == 12)
    #expect(read.value("replay_events_applied_total", ["function": "b"]) == 10)
    #expect(read.value("replay_events_ignored_total", ["function": "b"]) == 4)
    #expect(read.value("replay_events_duplicate_total", ["function": "a"]) == 1)
    #expect(read.value("replay_rows_written_total") == 12 && read.value("replay_commits_total") == 3)
    #expect(read.value("replay_handoff_state") == 2 && read.value("replay_caught_up") == 0)
    #expect(read.value("replay_partition_gap", ["partition": "3"]) == 12)
    #expect(read.value("replay_partition_lag_seconds", ["partition": "3"]) ?? -1 >= 0)
    board.hear(Telling.state(42, of: 42, caughtUpAt: 1, books: live, commits: 2, rows: 7))
    #expect(try self.read().value("replay_caught_up") == 1)
  }

  @Test func namesAndKindsFollowTheRules() throws {
    board.hear(Telling.state(1, of: 1, caughtUpAt: 0, books: [Books(), Books()], commits: 1))
    for (name, family) in try read().families {
      #expect(!family.help.isEmpty && !family.samples.isEmpty)
      #expect(family.kind == (name.hasSuffix("_total") ? "counter" : "gauge"), "\(name)")
    }
  }

  @Test func whatTheSystemSays() throws {
    let read = try read()
    let now = Date().timeIntervalSince1970
    #expect(abs(now - (read.value("process_start_time_seconds") ?? 0)) < 60)
    #expect(abs(now - (try self.read().value("process_start_time_seconds") ?? 0)) < 60)
    #expect((1e6..<1e11).contains(read.value("process_resident_memory_bytes") ?? 0))
    #expect((0..<1e6).contains(read.value("process_cpu_seconds_total") ?? -1))
  }

  @Test func manyPartitionsGetNoSeriesOfTheirOwn() throws {
    for count in [256, 257] {
      var state = LiveState()
      state.parts = (0..<count).map {
        LiveState.Part(partition: Telling.live("\($0)"), committed: .zero, next: .zero, end: Position(1))
      }
      board.hear(state)
      let found = try read().families["replay_partition_gap"]?.samples.count
      #expect(found == (count == 256 ? 256 : nil))
    }
  }

  @Test func labelsAreEscaped() throws {
    var text = MetricsText()
    text.add("x", .gauge, "An example.", [([("a", "q\"b\\n\nend,}"), ("b", "é")], "1")])
    #expect(try Exposition(text.text).value("x", ["a": "q\"b\\n\nend,}", "b": "é"]) == 1)
  }
}
