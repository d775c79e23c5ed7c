import ReplayArchive
import ReplayCore
import Testing

@Suite struct ContinuityTests {
  struct Case: CustomTestStringConvertible {
    let name: String
    /// What the archive has now.
    let now: [String]
    /// Settled: name, version, size, end.
    let settled: [(String, Position)]
    let frontier: Position?
    var version = "1"
    var size: UInt64 = 10
    var digest: UInt64 = 7
    var allowLate = false
    /// Text of the error; nil where it is fine.
    var error: String?
    var late: [String] = []
    var records: UInt64 = 4
    var testDescription: String { name }
  }

  static let two: [(String, Position)] = [("o-0-0", Position(100)), ("o-0-100", Position(200))]
  static let kafka: [Case] = [
    Case(name: "nothing settled", now: ["o-0-0"], settled: [], frontier: nil),
    Case(name: "fresh frontier", now: ["o-0-0", "o-0-9"], settled: [], frontier: .zero),
    Case(name: "all there", now: ["o-0-0", "o-0-100"], settled: two, frontier: Position(200)),
    Case(name: "new after the end", now: ["o-0-0", "o-0-100", "o-0-200"], settled: two, frontier: Position(200)),
    Case(name: "half read", now: ["o-0-0", "o-0-100", "o-0-200"], settled: two, frontier: Position(250, index: 1)),
    Case(
      name: "half read to its last record", now: ["o-0-0", "o-0-100", "o-0-200", "o-0-300"], settled: two,
      frontier: Position(299, index: 1)),
    Case(
      name: "first half read", now: ["o-0-50", "o-0-100"], settled: [], frontier: Position(60)),
    Case(name: "touched", now: ["o-0-0", "o-0-100"], settled: two, frontier: Position(200), version: "0"),
    Case(
      name: "rewritten", now: ["o-0-0", "o-0-100"], settled: two, frontier: Position(200), version: "0", digest: 8,
      error: "digest when replayed: 8"),
    Case(
      name: "resized", now: ["o-0-0", "o-0-100"], settled: two, frontier: Position(200), size: 9, error: "9 bytes"),
    Case(
      name: "vanished", now: ["o-0-100"], settled: two, frontier: Position(200),
      error: "no longer in the archive: o-0-0"),
    Case(
      name: "late between", now: ["o-0-0", "o-0-50", "o-0-100"], settled: two, frontier: Position(200),
      error: "1 late file"),
    Case(
      name: "late, last by name", now: ["o-0-0", "o-0-100", "o-0-150"], settled: two, frontier: Position(200),
      error: "--allow-late"),
    Case(
      name: "late before the half read", now: ["o-0-0", "o-0-100", "o-0-200", "o-0-210"], settled: two,
      frontier: Position(250), error: "o-0-200"),
    Case(
      name: "late, allowed", now: ["o-0-0", "o-0-50", "o-0-100", "o-0-200"], settled: two, frontier: Position(220),
      allowLate: true, late: ["o-0-50"]),
    Case(
      name: "half read and gone", now: ["o-0-0", "o-0-100"], settled: two, frontier: Position(250),
      error: "was being read"),
    Case(
      name: "half read and gone, another came", now: ["o-0-0", "o-0-100", "o-0-300"], settled: two,
      frontier: Position(250), error: "was being read"),
  ]

  static let files: [(String, Position)] = [("b", Position(0, index: 4)), ("c", Position(1, index: 4))]
  static let plain: [Case] = [
    Case(name: "plain", now: ["b", "c", "d"], settled: files, frontier: Position(1, index: 4)),
    Case(name: "plain, half read", now: ["b", "c", "d"], settled: files, frontier: Position(2, index: 3)),
    Case(
      name: "plain, late", now: ["a", "b", "c"], settled: files, frontier: Position(1, index: 4), error: "1 late file"),
    Case(
      name: "plain, late, allowed", now: ["a", "b", "bb", "c", "d"], settled: files, frontier: Position(2, index: 1),
      allowLate: true, late: ["a", "bb"]),
    Case(
      name: "plain, empty ones", now: ["a", "b", "c"], settled: [("a", .zero), ("b", .zero)],
      frontier: Position(2, index: 1), records: 0),
    Case(
      name: "plain, half read and gone", now: ["b", "c"], settled: files, frontier: Position(2, index: 3),
      error: "was being read"),
  ]

  @Test(arguments: kafka + plain)
  func verifies(_ row: Case) throws {
    let made = try plan(row.now)
    let partition = made.partitions[0].partition
    let settled = row.settled.map {
      SettledSegment(
        partition: partition, entry: SegmentEntry(name: $0.0, size: row.size, version: row.version), digest: row.digest,
        records: row.records, end: $0.1)
    }
    let frontier = row.frontier.map { [partition: $0] } ?? [:]
    let verify = {
      try ArchiveContinuity.verify(
        plan: made, settled: settled, frontier: frontier, digest: { _, _ in 7 }, allowLate: row.allowLate)
    }
    if let text = row.error {
      let error = failure { _ = try verify() }
      #expect(error?.code == .data)
      #expect(error?.description.contains(text) ?? false, "\(error?.description ?? "")")
      return
    }
    let outcome = try verify()
    #expect(outcome.late.map(\.name) == row.late)
    #expect(outcome.proved == (row.version == "1" ? 0 : settled.count))
    #expect(outcome.plan.segmentCount == row.now.count - row.late.count)
    if case .place = made.partitions[0].segments[0].numbering {
      let places = outcome.plan.partitions[0].segments.map(\.numbering)
      #expect(places == places.indices.map { .place(number(UInt64($0))) })
    }
  }

  @Test func aLostPartition() throws {
    let gone = Partition(log: "o", id: "1")
    let error = failure {
      try ArchiveContinuity.verify(
        plan: try plan(["o-0-0"]), settled: [], frontier: [gone: Position(5)], digest: { _, _ in 0 }, allowLate: false)
    }
    #expect(error?.summary.contains("o/1") ?? false)
  }

  @Test func theDigestIsOnlyReadWhereItMustBe() throws {
    let entry = SegmentEntry(name: "o-0-0", size: 10, version: "1")
    let settled = SettledSegment(
      partition: Partition(log: "o", id: "0"), entry: entry, digest: 1, records: 1, end: Position(1))
    try ArchiveContinuity.verify(
      plan: try plan(["o-0-0"]), settled: [settled], frontier: [:],
      digest: { _, _ in throw ReplayError(.unexpected, "read") }, allowLate: false)
  }

  /// A segment that was half read: what it is now, and what becomes of it. Its first 6 bytes had the digest 7.
  @Test(arguments: [
    ("the same", "o-0-100", 10, "1", 6, UInt64(7), nil as String?, false),
    ("longer, same beginning", "o-0-100", 20, "2", 6, 7, nil, false),
    ("another beginning", "o-0-100", 10, "2", 6, 8, "digest of the first 6 bytes", false),
    ("shorter than what was settled", "o-0-100", 5, "2", 6, 7, "at least 6 bytes", false),
    ("gone", "o-0-110", 10, "1", 6, 7, "no longer in the archive", false),
    ("changed, and nothing of it was proven", "o-0-100", 10, "2", 0, 0, nil, true),
  ]) func halfRead(
    _ what: String, name: String, size: UInt64, version: String, prefix: UInt64, digest: UInt64, error text: String?,
    isUnproved: Bool
  ) throws {
    var made = try plan(["o-0-0", name])
    let partition = made.partitions[0].partition
    let now = SegmentEntry(name: name, size: size, version: version)
    let old = made.partitions[0].segments[1]
    made.partitions[0].segments[1] = Segment(
      entry: now, partition: partition, numbering: old.numbering, firstNumber: old.firstNumber)
    let first = made.partitions[0].segments[0].entry
    let settled = SettledSegment(
      partition: partition, entry: first, digest: 7, records: 100, end: Position(99, index: 1))
    let known = HalfReadSegment(
      partition: partition, entry: SegmentEntry(name: "o-0-100", size: 10, version: "1"), prefixBytes: prefix,
      prefixDigest: 7)
    let verify = {
      try ArchiveContinuity.verify(
        plan: made, settled: [settled], halfRead: [known], frontier: [partition: Position(150, index: 1)],
        digest: { _, bytes in bytes == 6 ? digest : 0 }, allowLate: false)
    }
    if let text {
      let error = failure { _ = try verify() }
      #expect(error?.code == .data && error?.description.contains(text) == true, "\(what): \(error?.description ?? "")")
    } else {
      #expect(try verify().unproved.isEmpty == !isUnproved, "\(what)")
    }
  }
}
