import ReplayCore

extension LiveSourceConformance {
  static let endCases: [Case] = [
    Case("an empty partition starts where it ends, and is at its end at once", emptyPartition),
    Case("the end is told once, and again after new events", tellsTheEnd),
    Case("the end is where the stream says it is", endIsTheEnd),
    Case("nothing to say is nil", waitsForNothing),
    Case("a partition made later is opened, and delivered when it is sought", needs: [.openedLater], opens),
    Case("what has passed retention is an error that names where the stream begins", needs: [.retention], expired),
    Case("retention behind the reader does not disturb it", needs: [.retention], retentionBehind),
    Case("a position behind the end is an error that names the end", beyondEnd),
    Case("a time before all events is at or before the first, one after all is the end", needs: [.times], times),
  ]

  static func times(_ harness: any LiveHarness) throws {
    try harness.create("0")
    // A stream may keep a time of its own.
    let draft = LiveDraft("{}", time: 1_700_000_000_000)
    let first = try harness.append(Array(repeating: draft, count: 10), to: "0")[0]
    try harness.create("1")
    let source = try harness.source()
    defer { source.close() }
    // The year 2200.
    guard let early = try source.positions(at: 0), let late = try source.positions(at: 7_258_118_400_000) else {
      return
    }
    let (part, empty) = (try source.live("0"), try source.live("1"))
    guard let found = early[part.partition], found >= part.start, found <= first else {
      throw violated("expected a position at or before \(first) in 1970, found \(early)")
    }
    try require(late[part.partition], is: part.end, "the position in 2200")
    try require(early[empty.partition], is: empty.end, "the position of an empty partition")
  }

  static func emptyPartition(_ harness: any LiveHarness) throws {
    try harness.create("0")
    let source = try harness.source()
    defer { source.close() }
    let live = try source.live("0")
    try require(live.end, is: live.start, "the end of an empty partition")
    let account = try source.everything(from: ["0": live.start])
    try require(account.events.isEmpty, is: true, "no events of an empty partition")
    let written = drafts(0..<3)
    _ = try harness.append(written, to: "0")
    var more = LiveAccount()
    try source.read(["0"], into: &more)
    try requireEqual(more.payloads(source.partition("0")), written, "the first events of an empty partition")
  }

  static func tellsTheEnd(_ harness: any LiveHarness) throws {
    try harness.create("0")
    _ = try harness.append(drafts(0..<10), to: "0")
    let source = try harness.source()
    defer { source.close() }
    var account = try source.everything(from: ["0": source.live("0").start])
    for round in 1...3 {
      // The account refuses an end that is told twice.
      for _ in 0..<20 { if let event = try source.poll(milliseconds: 1) { try account.add(event) } }
      _ = try harness.append(drafts(round * 10..<round * 10 + 10), to: "0")
      account.ends = [:]
      try source.read(["0"], into: &account)
    }
    try requireEqual(account.payloads(source.partition("0")), drafts(0..<40), "over three ends")
  }

  static func endIsTheEnd(_ harness: any LiveHarness) throws {
    try harness.create("0")
    let positions = try harness.append(drafts(0..<25), to: "0")
    let source = try harness.source()
    defer { source.close() }
    let end = try source.live("0").end
    if let last = positions.last, end <= last { throw violated("the end \(end) is not behind the last event, \(last)") }
    let account = try source.everything(from: ["0": positions[0]])
    try require(account.ends[source.partition("0")], is: end, "the end as it is told and as it is listed")
    try require(source.ends(), is: [source.partition("0"): end], "the end as it was heard")
    try require(source.outage, is: nil, "a stream that was heard just now")
    let again = try source.everything(from: ["0": end])
    try require(again.ends[source.partition("0")], is: end, "the end from the end")
    let more = try harness.append(drafts(25..<26), to: "0")
    if let next = more.first, next < end { throw violated("the event after the end \(end) is \(next)") }
  }

  static func waitsForNothing(_ harness: any LiveHarness) throws {
    try harness.create("0")
    let source = try harness.source()
    defer { source.close() }
    _ = try source.everything(from: ["0": source.live("0").start])
    for wait in [0, 1, 30] where try source.poll(milliseconds: wait) != nil {
      throw violated("a stream at its end had something to say")
    }
    try source.seek([:])
    if try source.poll(milliseconds: 1) != nil { throw violated("a stream that follows nothing had something to say") }
  }

  static func opens(_ harness: any LiveHarness) throws {
    try harness.create("0")
    _ = try harness.append(drafts(0..<5), to: "0")
    let source = try harness.source()
    defer { source.close() }
    var account = try source.everything(from: ["0": source.live("0").start])
    try harness.create("1")
    let written = drafts(100..<120)
    let positions = try harness.append(written, to: "1")
    account.ends = [:]
    try source.read([], into: &account) { !$0.opened.isEmpty }
    try require(account.opened, is: [source.partition("1")], "the partition opened")
    for _ in 0..<20 { if let event = try source.poll(milliseconds: 5) { try account.add(event) } }
    try require(account.events[source.partition("1")] == nil, is: true, "nothing of it before it is sought")
    let end = try source.live("0").end
    let both = try source.everything(from: ["0": end, "1": positions[0]])
    try requireEqual(both.payloads(source.partition("1")), written, "the opened partition")
    try require(both.opened, is: [], "it is opened once")
  }

  static func expired(_ harness: any LiveHarness) throws {
    try harness.create("0")
    let positions = try harness.append(drafts(0..<200), to: "0")
    let start = try harness.expire("0")
    let source = try harness.source()
    defer { source.close() }
    let partition = source.partition("0")
    try require(try source.live("0").start, is: start, "the start after retention")
    try requireError(.expired(partition, wanted: positions[0], start: start), source, from: positions[0])
    let account = try source.everything(from: ["0": start])
    let left = positions.filter { $0 >= start }
    try require(account.positions(partition), is: left, "what retention left")
  }

  static func retentionBehind(_ harness: any LiveHarness) throws {
    try harness.create("0")
    let written = drafts(0..<200)
    let positions = try harness.append(written, to: "0")
    let source = try harness.source()
    defer { source.close() }
    var account = try source.everything(from: ["0": positions[0]])
    _ = try harness.expire("0")
    _ = try harness.append(drafts(200..<210), to: "0")
    // What retention did may have moved the end already.
    try source.read([], into: &account) { ($0.events[source.partition("0")] ?? []).count >= 210 }
    try requireEqual(account.payloads(source.partition("0")), drafts(0..<210), "over a retention")
  }

  static func beyondEnd(_ harness: any LiveHarness) throws {
    try harness.create("0")
    _ = try harness.append(drafts(0..<10), to: "0")
    let source = try harness.source()
    defer { source.close() }
    let end = try source.live("0").end
    for ahead: UInt64 in [1, 1000] {
      let wanted = Position(number: end.number.advanced(by: ahead + (end.index > 0 ? 1 : 0)))
      try requireError(.beyondEnd(source.partition("0"), wanted: wanted, end: end), source, from: wanted)
    }
  }

  /// Seeks, and polls until it throws, which must be this.
  static func requireError(_ expected: LiveError, _ source: any LiveSource, from position: Position) throws {
    try source.seek([source.partition("0"): position])
    do {
      for _ in 0..<1000 {
        if case .messages(let messages)? = try source.poll(milliseconds: 10) {
          throw violated("expected \(expected), found a delivery from \(messages.messages[0].position) on")
        }
      }
    } catch let error as LiveError {
      return try require(error, is: expected, "the error")
    }
    throw violated("expected \(expected), found none in 1,000 polls")
  }
}
