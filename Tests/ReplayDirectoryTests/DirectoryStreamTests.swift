import Foundation
import ReplayCore
import ReplayDirectory
import Synchronization
import Testing

/// What a directory can look like that a broker cannot.
struct DirectoryStreamTests {
  let scratch = Scratch()

  func stream() throws -> DirectoryStream { try DirectoryStream(scratch.path) }

  func partition(_ id: String) -> Partition {
    Partition(log: URL(fileURLWithPath: scratch.path).lastPathComponent, side: .live, id: id)
  }

  /// What comes until the end is told: payloads, and the end.
  func drain(_ stream: DirectoryStream) throws -> (lines: [String], end: Position?) {
    var lines: [String] = []
    for _ in 0..<1000 {
      switch try stream.poll(milliseconds: 0) {
      case .messages(let messages):
        for message in messages.messages {
          lines.append(String(decoding: messages.bytes[message.payload ?? 0..<0], as: UTF8.self))
        }
      case .caughtUp(_, let next): return (lines, next)
      case .opened, .closed: break
      case nil: return (lines, nil)
      }
    }
    return (lines, nil)
  }

  func follow(_ id: String, from number: UInt64 = 0) throws -> DirectoryStream {
    let stream = try stream()
    try stream.seek([partition(id): Position(number)])
    return stream
  }

  func error(_ stream: DirectoryStream) -> ReplayError? {
    do { while try drain(stream).end == nil {} } catch { return error as? ReplayError }
    return nil
  }

  @Test func aTornLastLineIsNotThereYet() throws {
    try scratch.write("1\n2\n{\"half\":", "0", "0.jsonl")
    let stream = try follow("0")
    #expect(try stream.partitions().map(\.end) == [Position(2)])
    let first = try drain(stream)
    #expect(first.lines == ["1", "2"] && first.end == Position(2))
    #expect(try stream.poll(milliseconds: 3) == nil)
    try scratch.add("true}", "0", "0.jsonl")
    #expect(try stream.poll(milliseconds: 3) == nil)
    try scratch.add("\n3", "0", "0.jsonl")
    let second = try drain(stream)
    #expect(second.lines == ["{\"half\":true}"] && second.end == Position(3))
    #expect(try stream.partitions().map(\.end) == [Position(3)])
  }

  @Test func aTornLineInAnOlderFileIsAnError() throws {
    try scratch.write("1\n2\nhalf", "0", "0.jsonl")
    try scratch.write("3\n", "0", "2.jsonl")
    let found = try #require(error(try follow("0")))
    #expect(found.code == .data && found.summary.contains("has no end"))
    #expect(found.details[0] == "position 2, line 3, which begins at byte 4")
  }

  /// Each file knows when it was written to last.
  @Test func timesAreThoseOfFiles() throws {
    for (name, seconds) in [("0.jsonl", 1_000.0), ("2.jsonl", 2_000), ("3.jsonl", 3_000)] {
      try scratch.write(name == "0.jsonl" ? "1\n2\n" : "3\n", "0", name)
      let date = Date(timeIntervalSince1970: seconds)
      try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: scratch.file("0", name))
    }
    let cases: [(at: Int64, position: UInt64)] = [
      (0, 0), (1_000_000, 0), (1_000_001, 2), (2_000_001, 3), (3_000_000, 3), (3_000_001, 4),
    ]
    for (at, position) in cases {
      #expect(try stream().positions(at: at) == [partition("0"): Position(position)], "at \(at)")
    }
  }

  @Test func rotationIsFollowedWhateverTheZeros() throws {
    try scratch.write("0\n1\n", "0", "0.jsonl")
    try scratch.write("2\n", "0", "00002.jsonl")
    let stream = try follow("0")
    #expect(try drain(stream).lines == ["0", "1", "2"])
    try scratch.write("", "0", "3.jsonl")
    try scratch.add("3\n", "0", "3.jsonl")
    try scratch.write("4\n", "0", "00000000000000000004.jsonl")
    let more = try drain(stream)
    #expect(more.lines == ["3", "4"] && more.end == Position(5))
  }

  @Test(arguments: [(4, "a hole"), (1, "an overlap")]) func filesThatDoNotMeetAreAnError(start: Int, kind: String)
    throws
  {
    try scratch.write("0\n1\n", "0", "0.jsonl")
    try scratch.write("x\n", "0", "\(start).jsonl")
    let stream = try follow("0")
    let found = try #require(error(stream))
    #expect(found.code == .data && found.summary.contains(kind), "\(found)")
    #expect(found.summary.contains("/0.jsonl") && found.summary.contains("/\(start).jsonl"), "\(found)")
    // What is before the fault is delivered, nothing behind it.
    let again = try follow("0")
    guard case .messages(let messages)? = try again.poll(milliseconds: 0) else { throw Unexpected() }
    #expect(messages.count == min(2, start))
  }

  @Test func aPositionInAHoleIsTheHolesError() throws {
    try scratch.write("0\n1\n", "0", "0.jsonl")
    try scratch.write("x\n", "0", "4.jsonl")
    let found = try #require(error(try follow("0", from: 3)))
    #expect(found.summary.contains("a hole"), "\(found)")
  }

  @Test func aFileThatShrinksOrIsReplacedIsAnError() throws {
    try scratch.write("0\n1\n", "0", "0.jsonl")
    let shrinking = try follow("0")
    _ = try drain(shrinking)
    #expect(truncate(scratch.file("0", "0.jsonl"), 2) == 0)
    #expect(try #require(error(shrinking)).summary.contains("shorter"))
    try scratch.write("0\n1\n", "1", "0.jsonl")
    let replaced = try follow("1")
    _ = try drain(replaced)
    try scratch.write("0\n1\n2\n", "1", "new")
    #expect(rename(scratch.file("1", "new"), scratch.file("1", "0.jsonl")) == 0)
    #expect(try #require(error(replaced)).summary.contains("replaced"))
  }

  @Test func aFileThatIsRenamedOrTakenFromTheEndIsAnError() throws {
    try scratch.write("0\n1\n", "0", "0.jsonl")
    let renamed = try follow("0")
    _ = try drain(renamed)
    #expect(rename(scratch.file("0", "0.jsonl"), scratch.file("0", "00.jsonl")) == 0)
    #expect(try #require(error(renamed)).summary.contains("replaced"))
    try scratch.write("2\n", "0", "2.jsonl")
    let vanished = try follow("0")
    _ = try drain(vanished)
    #expect(unlink(scratch.file("0", "2.jsonl")) == 0)
    #expect(try #require(error(vanished)).summary.contains("not among the oldest"))
    #expect(unlink(scratch.file("0", "00.jsonl")) == 0)
    #expect(throws: LiveError.beyondEnd(partition("0"), wanted: Position(3), end: .zero)) { try drain(vanished) }
  }

  @Test(arguments: ["", "  ", "\t\r"]) func aBlankLineIsAnErrorBehindWhatIsBeforeIt(blank: String) throws {
    try scratch.write("0\n1\n\(blank)\n3\n", "0", "0.jsonl")
    let stream = try follow("0")
    guard case .messages(let messages)? = try stream.poll(milliseconds: 0) else { throw Unexpected() }
    #expect(messages.count == 2)
    let found = try #require(error(stream))
    #expect(found.summary.contains("blank") && found.details[0] == "position 2, line 3, at byte 4", "\(found)")
  }

  @Test func retentionMovesTheStartAndIsFoundInTheMiddle() throws {
    for start in 0..<4 { try scratch.write("a\n", "0", "\(start).jsonl") }
    let stream = try follow("0")
    guard case .messages? = try stream.poll(milliseconds: 0) else { throw Unexpected() }
    // The open file is read on though its name is gone; the one behind it is gone too.
    for start in 0..<3 { try FileManager.default.removeItem(atPath: scratch.file("0", "\(start).jsonl")) }
    #expect(try stream.partitions().map(\.start) == [Position(3)])
    #expect(throws: LiveError.expired(partition("0"), wanted: Position(1), start: Position(3))) { try drain(stream) }
    try FileManager.default.removeItem(atPath: scratch.file("0", "3.jsonl"))
    let live = try stream.partitions()[0]
    #expect(live.start == .zero && live.end == .zero)
    #expect(throws: LiveError.beyondEnd(partition("0"), wanted: Position(4), end: .zero)) {
      try drain(try follow("0", from: 4))
    }
  }

  @Test func onlyNamesOfTheStreamCount() throws {
    try scratch.write("0\n", "0", "0.jsonl")
    try scratch.write("junk", "0", "readme.txt")
    try scratch.write("junk", "0", ".hidden.jsonl")
    try FileManager.default.createDirectory(atPath: scratch.path + "/other", withIntermediateDirectories: true)
    #expect(try drain(try follow("0")).lines == ["0"])
    for name in [
      "x.jsonl", "-1.jsonl", ".5.jsonl", "1e3.jsonl", "99999999999999999999.jsonl", "9223372036854775808.jsonl",
    ]
    where !name.hasPrefix(".") {
      try scratch.write("junk\n", "0", name)
      let found = try #require(error(try follow("0")))
      #expect(found.code == .data && found.summary.contains(name), "\(found)")
      try FileManager.default.removeItem(atPath: scratch.file("0", name))
    }
    try scratch.write("0\n", "0", "00.jsonl")
    #expect(try #require(error(try follow("0"))).summary.contains("two files"))
    #expect(throws: ReplayError.self) { try DirectoryStream(scratch.path + "/none") }
    #expect(throws: ReplayError.self) { try follow("7") }
  }

  @Test func pollWaitsLongerAndLongerAndNoLongerThanItMay() throws {
    try scratch.write("0\n", "0", "0.jsonl")
    let time = Mutex<(now: UInt64, sleeps: [UInt64])>((0, []))
    let clock = PollClock(
      now: { time.withLock { $0.now } },
      sleep: { wait in
        time.withLock {
          $0.now += wait
          $0.sleeps.append(wait)
        }
      })
    let stream = try DirectoryStream(scratch.path, clock: clock)
    try stream.seek([partition("0"): .zero])
    _ = try drain(stream)
    #expect(try stream.poll(milliseconds: 100) == nil)
    #expect(time.withLock { $0.sleeps } == [1, 2, 4, 8, 16, 20, 20, 20, 9])
  }

  @Test func aDeliveryIsBounded() throws {
    try scratch.write(String(repeating: "1\n", count: 5000), "0", "0.jsonl")
    let stream = try follow("0")
    guard case .messages(let messages)? = try stream.poll(milliseconds: 0) else { throw Unexpected() }
    #expect(messages.count == 4096)
  }

  @Test func aPositionFarIntoALargeFileIsFoundFast() throws {
    let line = "{\"pad\":\"" + String(repeating: "x", count: 90) + "\"}\n"
    try scratch.write(String(repeating: line, count: 1_000_000), "0", "0.jsonl")
    let begun = ContinuousClock.now
    let stream = try follow("0", from: 999_999)
    #expect(try drain(stream).lines.count == 1)
    // 100 MB: some 50 ms where nothing else runs; a scan byte by byte in a debug build takes ten times the limit.
    #expect(ContinuousClock.now - begun < .seconds(3))
  }
}

struct Unexpected: Error {}
