import ReplayArchive
import ReplayCore
import Testing

/// How a case of the chain must end.
enum Verdict: CustomStringConvertible {
  case fine
  case found(ChainFinding.Kind, UInt64)
  /// An error whose text holds this.
  case refused(String)

  var description: String {
    switch self {
    case .fine: "fine"
    case .found(let kind, let count): "\(kind) \(count)"
    case .refused(let text): "refused: \(text)"
    }
  }
}

@Suite struct ChainTests {
  struct Case: CustomTestStringConvertible {
    let name: String
    let numbering: Numbering
    var first: UInt64?
    var last: UInt64?
    var records: UInt64 = 10
    var content: ClosedRange<UInt64>?
    var missing: UInt64 = 0
    var duplicates: UInt64 = 0
    var inversions: UInt64 = 0
    let end: Position?
    var positions = ArchiveChain.Positions.unstated
    var allow: Set<ChainFinding.Kind> = []
    let verdict: Verdict
    var testDescription: String { name }
  }

  static let from100 = Numbering.counted(from: number(100))
  static let counted: [Case] = [
    Case(name: "archive start", numbering: from100, end: nil, verdict: .fine),
    Case(name: "follows", numbering: from100, end: Position(100), verdict: .fine),
    Case(name: "follows, as successor", numbering: from100, end: Position(99, index: 1), verdict: .fine),
    Case(name: "unstated difference", numbering: from100, end: Position(97), verdict: .refused("--positions sparse")),
    Case(
      name: "unstated is never guessed", numbering: from100, end: Position(97), allow: [.hole],
      verdict: .refused("--positions")),
    Case(name: "hole", numbering: from100, end: Position(97), positions: .dense, verdict: .refused("--allow-holes")),
    Case(
      name: "allowed hole", numbering: from100, end: Position(97), positions: .dense, allow: [.hole],
      verdict: .found(.hole, 3)),
    Case(name: "skip", numbering: from100, end: Position(97), positions: .sparse, verdict: .found(.skip, 3)),
    Case(name: "overlap", numbering: from100, end: Position(104), verdict: .refused("--allow-overlaps")),
    Case(
      name: "overlap in a sparse world", numbering: from100, end: Position(104), positions: .sparse,
      verdict: .refused("4 events would be doubled")),
    Case(
      name: "allowed overlap", numbering: from100, end: Position(104), allow: [.overlap], verdict: .found(.overlap, 4)),
    Case(name: "empty", numbering: from100, records: 0, end: Position(100), verdict: .found(.empty, 0)),
    Case(name: "last number kept", numbering: from100, last: 109, end: Position(100), verdict: .fine),
    Case(
      name: "cut at a frame", numbering: from100, last: 119, end: Position(100), positions: .dense,
      verdict: .refused("expected: 120")),
    Case(
      name: "cut, allowed", numbering: from100, last: 119, end: Position(100), positions: .dense, allow: [.hole],
      verdict: .found(.hole, 10)),
    Case(
      name: "more than named", numbering: from100, last: 107, end: Position(100), verdict: .refused("2 records more")),
  ]

  static let explicit: [Case] = [
    Case(name: "own numbers", numbering: .explicit, content: 5...14, end: Position(5), verdict: .fine),
    Case(name: "own successor", numbering: .explicit, content: 5...14, end: Position(4, index: 1), verdict: .fine),
    Case(
      name: "own hole", numbering: .explicit, content: 5...14, end: Position(2), positions: .dense,
      verdict: .refused("3 positions without an event")),
    Case(
      name: "own skip", numbering: .explicit, content: 5...14, end: Position(2), positions: .sparse,
      verdict: .found(.skip, 3)),
    Case(
      name: "own overlap", numbering: .explicit, content: 5...14, end: Position(8),
      verdict: .refused("--allow-overlaps")),
    Case(
      name: "hole inside", numbering: .explicit, content: 5...16, missing: 2, end: nil, positions: .dense,
      verdict: .refused("numbers 5 to 16")),
    Case(
      name: "skip inside", numbering: .explicit, content: 5...16, missing: 2, end: nil, positions: .sparse,
      verdict: .found(.skip, 2)),
    Case(
      name: "unstated inside", numbering: .explicit, content: 5...16, missing: 2, end: nil,
      verdict: .refused("--positions dense")),
    Case(
      name: "duplicate", numbering: .explicit, content: 5...13, duplicates: 1, end: nil,
      verdict: .refused("--allow-duplicates")),
    Case(
      name: "allowed duplicate", numbering: .explicit, content: 5...13, duplicates: 1, end: nil, allow: [.duplicate],
      verdict: .found(.duplicate, 1)),
    Case(
      name: "inversion", numbering: .explicit, content: 5...14, inversions: 1, end: nil,
      verdict: .refused("--allow-inversions")),
    Case(
      name: "allowed inversion", numbering: .explicit, content: 5...14, inversions: 1, end: nil, allow: [.inversion],
      verdict: .found(.inversion, 1)),
    Case(
      name: "name keeps its word", numbering: .explicit, first: 5, last: 14, content: 5...14, end: nil, verdict: .fine),
    Case(
      name: "first is missing", numbering: .explicit, first: 3, content: 5...14, end: Position(3), positions: .sparse,
      verdict: .refused("lacks 2 positions")),
    Case(
      name: "first is missing, allowed", numbering: .explicit, first: 3, content: 5...14, end: Position(3),
      positions: .sparse, allow: [.hole], verdict: .found(.hole, 2)),
    Case(
      name: "another file's content", numbering: .explicit, first: 6, content: 5...14, end: nil,
      allow: Set(ChainFinding.Kind.allCases), verdict: .refused("not what its name says")),
    Case(
      name: "last is missing", numbering: .explicit, last: 20, content: 5...14, end: nil, verdict: .refused("lacks 6")),
    Case(
      name: "beyond its last", numbering: .explicit, last: 12, content: 5...14, end: nil,
      verdict: .refused("not what its name says")),
    Case(name: "empty, no promise", numbering: .explicit, records: 0, end: Position(9), verdict: .found(.empty, 0)),
    Case(
      name: "empty against its name", numbering: .explicit, first: 9, records: 0, end: Position(9),
      verdict: .refused("promises some")),
    Case(name: "numbers not read", numbering: .explicit, end: nil, verdict: .refused("fault of replay")),
  ]

  static let place: [Case] = [
    Case(name: "place proves nothing", numbering: .place(number(7)), end: Position(2, index: 10), verdict: .fine),
    Case(name: "empty place", numbering: .place(number(7)), records: 0, end: nil, verdict: .found(.empty, 0)),
  ]

  @Test(arguments: counted + explicit + place)
  func examines(_ row: Case) {
    let segment = Segment(
      entry: SegmentEntry(name: "the-file", size: 1, version: "1"), partition: Partition(log: "t", id: "0"),
      numbering: row.numbering, firstNumber: row.first.map(number), lastNumber: row.last.map(number))
    var summary = SegmentSummary()
    summary.records = row.records
    summary.firstNumber = row.content?.lowerBound
    summary.lastNumber = row.content?.upperBound
    summary.missingNumbers = row.missing
    summary.duplicates = row.duplicates
    summary.inversions = row.inversions
    let empty = ArchivePlan(partitions: [], anatomy: Anatomy(), partitionsSeparateKeys: true)
    let chain = ArchiveChain(plan: empty, layout: .aiven, positions: row.positions, allow: row.allow)
    expect(row.verdict) { try chain.examine(segment, summary, previousEnd: row.end) }
  }

  private func expect(_ verdict: Verdict, _ body: () throws -> [ChainFinding]) {
    switch verdict {
    case .refused(let text):
      let error = failure { _ = try body() }
      #expect(error?.description.contains(text) ?? false, "\(error?.description ?? "")")
      #expect(error?.description.contains("the-file") ?? false)
    case .fine:
      #expect((try? body()) == [])
    case .found(let kind, let count):
      let findings = (try? body()) ?? []
      #expect(findings.map(\.kind) == [kind] && findings.map(\.count) == [count], "\(findings)")
    }
  }

  @Test func missingHours() throws {
    let hours = try plan([1, 2, 5].map { "2015-01-01-\($0).json.gz" })
    let chain = ArchiveChain(plan: hours, layout: .gharchive)
    #expect(failure { _ = try chain.examineNames(hours) }?.description.contains("2 hours missing") ?? false)
    let allowed = ArchiveChain(plan: hours, layout: .gharchive, allow: [.hole])
    #expect(try allowed.examineNames(hours).map(\.count) == [2])
    var summary = SegmentSummary()
    summary.records = 4
    let segments = hours.partitions[0].segments
    let end = { (index: Int) in segments[index].position(mark: 4) }
    #expect(try allowed.examine(segments[1], summary, previousEnd: end(0)).isEmpty)
    #expect(try allowed.examine(segments[2], summary, previousEnd: end(1)).map(\.kind) == [.hole])
    // An empty hour is no missing hour, although the end before it stands.
    let strict = ArchiveChain(plan: hours, layout: .gharchive)
    #expect(try strict.examine(segments[1], SegmentSummary(), previousEnd: end(0)).map(\.kind) == [.empty])
    #expect(try strict.examine(segments[1], summary, previousEnd: nil).isEmpty)
  }

  /// Found by `damage`: another file's content under this name is refused before anything of it is committed, not only at
  /// its end.
  @Test(arguments: [(nil, 9, 10), (5, nil, 6), (5, nil, 4)] as [(UInt64?, UInt64?, UInt64)])
  func anotherFilesContentIsRefusedAtItsBeginning(first: UInt64?, last: UInt64?, found: UInt64) throws {
    let segment = Segment(
      entry: SegmentEntry(name: "the-file", size: 1, version: "1"), partition: Partition(log: "t", id: "0"),
      numbering: .explicit, firstNumber: first.map(number), lastNumber: last.map(number))
    let empty = ArchivePlan(partitions: [], anatomy: Anatomy(), partitionsSeparateKeys: true)
    let chain = ArchiveChain(plan: empty, layout: .aiven)
    #expect(failure { try chain.begin(segment, firstNumber: found, previousEnd: nil) }?.code == .data)
    try chain.begin(segment, firstNumber: first ?? 0, previousEnd: nil)
  }

  @Test func namesThatPromiseBothEnds() throws {
    let ranges = try plan(["0-9", "12-19"], pattern: "{start}-{last}")
    let chain = ArchiveChain(plan: ranges, layout: .pattern, positions: .dense)
    #expect(failure { _ = try chain.examineNames(ranges) }?.description.contains("expected: 10") ?? false)
    let overlap = try plan(["0-9", "8-19"], pattern: "{start}-{last}")
    #expect(failure { _ = try ArchiveChain(plan: overlap, layout: .pattern).examineNames(overlap) } != nil)
    let good = try plan(["0-9", "10-19"], pattern: "{start}-{last}")
    #expect(try ArchiveChain(plan: good, layout: .pattern).examineNames(good).isEmpty)
  }

  /// A hole at a promised end is found once, not again as a gap before the next segment.
  @Test func aPromiseIsExaminedOnce() throws {
    let files = try plan(["t/0/0000000009.json", "t/0/0000000019.json"])
    let chain = ArchiveChain(plan: files, layout: .lenses, positions: .dense, allow: [.hole])
    var summary = SegmentSummary()
    summary.records = 7
    #expect(try chain.examine(files.partitions[0].segments[0], summary, previousEnd: nil).map(\.count) == [3])
    summary.records = 10
    #expect(try chain.examine(files.partitions[0].segments[1], summary, previousEnd: Position(7)).isEmpty)
  }

  @Test func interleavedPartitionersAreExplained() throws {
    let files = try plan(["t/hour=1/t+0+0.json", "t/hour=2/t+0+5.json"])
    let chain = ArchiveChain(plan: files, layout: .confluent)
    let error = failure {
      _ = try chain.examine(files.partitions[0].segments[1], SegmentSummary(), previousEnd: Position(9))
    }
    #expect(error?.description.contains("interleave") ?? false)
  }

  @Test func sequenceIsNeededForDoubles() {
    let empty = ArchivePlan(partitions: [], anatomy: Anatomy(), partitionsSeparateKeys: true)
    let needs = { (allow: Set<ChainFinding.Kind>) in
      ArchiveChain(plan: empty, layout: .aiven, allow: allow).needsSequence
    }
    #expect(!needs([]) && !needs([.hole]) && needs([.overlap]) && needs([.duplicate]) && needs([.inversion]))
  }
}
