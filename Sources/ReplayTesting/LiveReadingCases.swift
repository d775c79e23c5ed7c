import ReplayCore

extension LiveSourceConformance {
  static let readingCases: [Case] = [
    Case("everything from the beginning, in order, each once", readsAll),
    Case("reads from exactly the position it is told", readsFromPosition),
    Case("the successor of an event's position is the event after it", readsFromSuccessor),
    Case("a second seek begins anew and lets the other partitions go", seeksAgain),
    Case("two readers do not disturb each other", readersAreIndependent),
    Case("partitions that were not sought are not delivered", deliversOnlyWhatIsSought),
    Case("many partitions, none of which starves", readsManyPartitions),
    Case("stopped and begun anew at random places, nothing is twice and nothing missing", resumes),
  ]

  static func readsAll(_ harness: any LiveHarness) throws {
    let written = drafts(0..<1000)
    try harness.create("0")
    let positions = try harness.append(written, to: "0")
    let source = try harness.source()
    defer { source.close() }
    let account = try source.everything(from: ["0": source.live("0").start])
    let partition = source.partition("0")
    try requireEqual(account.payloads(partition), written, "from the beginning")
    try require(account.positions(partition), is: positions, "the positions")
  }

  static func readsFromPosition(_ harness: any LiveHarness) throws {
    let written = drafts(0..<300)
    try harness.create("0")
    let positions = try harness.append(written, to: "0")
    let source = try harness.source()
    defer { source.close() }
    for first in [0, 1, 149, 298, 299] {
      let account = try source.everything(from: ["0": positions[first]])
      let found = account.payloads(source.partition("0"))
      try requireEqual(found, Array(written[first...]), "from event \(first)")
    }
    let account = try source.everything(from: ["0": source.live("0").end])
    try require(account.events.isEmpty, is: true, "nothing is delivered from the end")
  }

  static func readsFromSuccessor(_ harness: any LiveHarness) throws {
    let written = drafts(0..<50)
    try harness.create("0")
    let positions = try harness.append(written, to: "0")
    let source = try harness.source()
    defer { source.close() }
    for last in [0, 20, 48, 49] {
      let account = try source.everything(from: ["0": positions[last].successor])
      let found = account.payloads(source.partition("0"))
      try requireEqual(found, Array(written[(last + 1)...]), "after event \(last)")
    }
  }

  static func seeksAgain(_ harness: any LiveHarness) throws {
    let written = drafts(0..<200)
    var positions: [[Position]] = []
    for id in ["0", "1"] {
      try harness.create(id)
      positions.append(try harness.append(written, to: id))
    }
    let source = try harness.source()
    defer { source.close() }
    _ = try source.everything(from: ["0": positions[0][0], "1": positions[1][0]])
    let account = try source.everything(from: ["1": positions[1][150]])
    try require(Array(account.events.keys), is: [source.partition("1")], "the partitions after the second seek")
    try requireEqual(account.payloads(source.partition("1")), Array(written[150...]), "after the second seek")
  }

  static func readersAreIndependent(_ harness: any LiveHarness) throws {
    let written = drafts(0..<500)
    try harness.create("0")
    let positions = try harness.append(written, to: "0")
    let (a, b) = (try harness.source(), try harness.source())
    try a.seek([a.partition("0"): positions[0]])
    var account = LiveAccount()
    try a.read(["0"], into: &account) { !$0.turns.isEmpty }
    let other = try b.everything(from: ["0": positions[0]])
    b.close()
    if account.ends.isEmpty { try a.read(["0"], into: &account) }
    a.close()
    try requireEqual(account.payloads(a.partition("0")), written, "the first reader")
    try requireEqual(other.payloads(b.partition("0")), written, "the second reader")
  }

  static func deliversOnlyWhatIsSought(_ harness: any LiveHarness) throws {
    for id in ["0", "1", "2"] {
      try harness.create(id)
      _ = try harness.append(drafts(0..<20), to: id)
    }
    let source = try harness.source()
    defer { source.close() }
    try require(
      try source.partitions().map(\.partition).sorted(), is: ["0", "1", "2"].map(source.partition), "the partitions")
    let account = try source.everything(from: ["1": source.live("1").start])
    try require(Array(account.events.keys), is: [source.partition("1")], "the partitions delivered")
    try require(account.opened, is: [], "the partitions opened")
  }

  static func readsManyPartitions(_ harness: any LiveHarness) throws {
    let ids = (0..<40).map(String.init)
    let large = drafts(0..<3000)
    let small = drafts(0..<5)
    for (place, id) in ids.enumerated() {
      try harness.create(id)
      _ = try harness.append(place == 0 ? large : small, to: id)
    }
    let source = try harness.source()
    defer { source.close() }
    var from: [String: Position] = [:]
    for id in ids { from[id] = try source.live(id).start }
    let account = try source.everything(from: from)
    for (place, id) in ids.enumerated() {
      try requireEqual(account.payloads(source.partition(id)), place == 0 ? large : small, "partition \(id)")
    }
    // A partition that always has more must not keep the others waiting for all of it.
    let first = source.partition("0")
    let lastSmall = account.turns.lastIndex { $0 != first } ?? 0
    let largeBefore = account.turns[..<lastSmall].count { $0 == first }
    let largeAll = account.turns.count { $0 == first }
    if largeAll > 2 * ids.count, largeBefore == largeAll { throw violated("a large partition let the others starve") }
  }

  static func resumes(_ harness: any LiveHarness) throws {
    var random = SplitMix64(seed: 20_261_124)
    let written = drafts(0..<800)
    try harness.create("0")
    _ = try harness.append(written, to: "0")
    var next = try harness.source().live("0").start
    var found: [[UInt8]?] = []
    while found.count < written.count {
      let source = try harness.source()
      let partition = source.partition("0")
      try source.seek([partition: next])
      var account = LiveAccount()
      try source.read(["0"], into: &account) { !$0.turns.isEmpty }
      source.close()
      // Some of it is kept, as where a process was killed.
      let kept = (account.events[partition] ?? []).prefix(random.number(1...200))
      guard let last = kept.last else { throw violated("nothing was delivered from \(next)") }
      found += kept.map(\.draft.payload)
      next = last.position.successor
    }
    try requireEqual(found, written, "over all runs")
  }
}
