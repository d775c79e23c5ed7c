import ReplayCore
import ReplayTesting
import Testing

@testable import ReplayCommands
@testable import ReplaySQL

@Suite struct BisectionTests {
  /// Asks until nothing is left to ask; the questions, and what was found.
  private static func run(
    _ bisection: Bisection, _ holds: (UInt64) -> Bool
  ) -> (asked: [UInt64], found: Bisection) {
    var (bisection, asked) = (bisection, [UInt64]())
    while let place = bisection.next {
      asked.append(place)
      bisection.answer(holds(place))
    }
    return (asked, bisection)
  }

  @Test func everyPlaceIsFoundByHalves() {
    for count in UInt64(1)...130 {
      for place in 1...count {
        let (asked, found) = Self.run(Bisection(low: 0, high: count)) { $0 >= place }
        #expect((found.low, found.high) == (place - 1, place))
        // Each question halves what is left: 130 events take 8.
        #expect(asked.count <= 8 && (count > 64 || asked.count <= 6))
      }
    }
  }

  @Test func nothingIsAskedWhereTheTwoAreNeighbours() {
    #expect(Bisection(low: 6, high: 7).next == nil)
    #expect(Bisection(low: 6, high: 8).next == 7)
    #expect(Bisection(low: .max - 2, high: .max).next == UInt64.max - 1)
  }

  @Test func endsAreAskedFirst() {
    let ends: [UInt64] = [0, 100, 200, 1_000]
    let (asked, found) = Self.run(Bisection(low: 0, high: 1_000, ends: ends)) { $0 >= 137 }
    #expect(asked.prefix(3) == [200, 100, 150])
    #expect((found.low, found.high) == (136, 137))
    #expect(Self.run(Bisection(low: 0, high: 1_000, ends: ends)) { $0 >= 100 }.found.high == 100)
  }

  /// What comes and goes: a place where it came, whichever.
  @Test func neighboursAreFoundWhateverLiesBetween() {
    let seed = UInt64.random(in: 0...999_999)
    print("bisection seed: \(seed)")
    var random = SplitMix64(seed: seed)
    for _ in 0..<300 {
      var holds = (0...Int.random(in: 1...90, using: &random)).map { _ in Bool.random(using: &random) }
      (holds[0], holds[holds.count - 1]) = (false, true)
      let ends = holds.indices.filter { _ in Int.random(in: 0...4, using: &random) == 0 }.map(UInt64.init)
      let found = Self.run(Bisection(low: 0, high: UInt64(holds.count - 1), ends: ends)) { holds[Int($0)] }.found
      #expect(found.high == found.low + 1)
      #expect(!holds[Int(found.low)] && holds[Int(found.high)], "\(holds)")
    }
  }
}

@Suite struct ArchiveCutsTests {
  /// `counts`: of each partition, how many records its segments have.
  private static func plan(_ counts: [[UInt64]]) -> (plan: ArchivePlan, records: [String: UInt64]) {
    var records: [String: UInt64] = [:]
    let partitions = counts.enumerated().map { number, counts in
      let partition = Partition(log: "retail", id: "\(number)")
      var start: UInt64 = 0
      let segments = counts.enumerated().map { place, count in
        let name = "\(number)/\(place)"
        records[name] = count
        defer { start += count }
        return Segment(
          entry: SegmentEntry(name: name, size: 1, version: ""), partition: partition,
          numbering: .counted(from: WideNumber(low: start)))
      }
      return PartitionPlan(partition: partition, segments: segments)
    }
    return (ArchivePlan(partitions: partitions, anatomy: Anatomy(), partitionsSeparateKeys: true), records)
  }

  private static let archives: [[[UInt64]]] = [
    [[1]], [[5]], [[3, 2, 4]], [[2, 3], [4], [1, 1, 1]], [[0, 3, 0], [], [0], [2, 0, 1]], [[], [1]],
  ]

  /// Every event of an archive, in the order of the cuts.
  private static func events(_ counts: [[UInt64]]) -> [String] {
    counts.enumerated().flatMap { partition, counts in
      counts.enumerated().flatMap { segment, count in (0..<count).map { "\(partition)/\(segment) \($0)" } }
    }
  }

  @Test(arguments: archives) func eachCutReadsWhatIsBeforeIt(counts: [[UInt64]]) throws {
    let (plan, records) = Self.plan(counts)
    let (cuts, events) = (ArchiveCuts(plan, records: records), Self.events(counts))
    #expect(cuts.count == UInt64(events.count))
    for end in 1...events.count {
      var read: [String] = []
      for reading in cuts.readings(upTo: UInt64(end)) {
        let segments = reading.plan.partitions.flatMap(\.segments)
        #expect(!segments.isEmpty)
        // A bound is of the last segment of one partition, whatever was read of the others.
        if reading.records != nil { #expect(reading.plan.partitions.count == 1) }
        for (place, segment) in segments.enumerated() {
          let count = place == segments.count - 1 ? reading.records ?? records[segment.name] : records[segment.name]
          // What an earlier reading has settled is not read again.
          read += (0..<(count ?? 0)).map { "\(segment.name) \($0)" }.filter { !read.contains($0) }
        }
      }
      #expect(read == Array(events.prefix(end)), "cut behind \(end) events")
    }
  }

  @Test(arguments: archives) func eachEventHasItsPlace(counts: [[UInt64]]) {
    let (plan, records) = Self.plan(counts)
    let cuts = ArchiveCuts(plan, records: records)
    for (number, event) in Self.events(counts).enumerated() {
      let place = cuts.place(of: UInt64(number))
      #expect("\(place.partition)/\(place.segment) \(place.ordinal)" == event)
    }
  }

  @Test func endsAreBetweenSegmentsThatHaveEvents() {
    let (plan, records) = Self.plan([[2, 0, 3], [], [4]])
    #expect(ArchiveCuts(plan, records: records).ends == [0, 2, 5, 9])
    #expect(ArchiveCuts(plan, records: [:]).count == 0)
  }
}

@Suite struct IgnoredColumnsTests {
  private static let shapes = [
    TableShape(name: "sales", columns: [.init("sku", "TEXT"), .init("at", "TEXT")], key: ["sku"]),
    TableShape(
      name: "stock", columns: [.init("sku", "TEXT"), .init("at", "TEXT"), .init("n", "INTEGER")], key: ["sku"]),
  ]

  @Test func ofOneTableOrOfAll() throws {
    let ignored = try IgnoredColumns(["at", "stock.n"])
    #expect(ignored.columns(of: "sales") == ["at"])
    #expect(ignored.columns(of: "stock") == ["at", "n"])
    try ignored.check(Self.shapes)
  }

  @Test(arguments: ["", ".", "a.", ".a", "a.b.c"]) func whatIsNoColumn(text: String) {
    #expect(throws: ReplayError.self) { try IgnoredColumns([text]) }
  }

  @Test(arguments: ["units", "sales.n", "other.at"]) func whatIgnoresNothing(text: String) throws {
    let ignored = try IgnoredColumns([text])
    let error = #expect(throws: ReplayError.self) { try ignored.check(Self.shapes) }
    #expect(error?.code == .usage)
  }
}

/// What a person reads. The words were written by hand from the rows.
@Suite struct DiffTextTests {
  @Test func rowsOfEachKind() {
    var found = TableDifference(
      left: .init(table: "sales", rows: 1_200, digest: 0, ownColumns: [], key: ["sku", "day"]),
      right: .init(table: "sales", rows: 1_199, digest: 1, ownColumns: ["tax"], key: ["sku", "day"]),
      key: ["sku", "day"], columns: ["units", "cents"])
    (found.equal, found.differing, found.onlyLeft, found.onlyRight) = (1_196, 2, 2, 1)
    found.differingColumns = ["units": 1, "cents": 2]
    let key: [TableValue] = [.text("a\n"), .text("2026-01-31")]
    found.rows = [
      .init(kind: .differing, key: key, values: [.init(column: "cents", left: .integer(1), right: .null)]),
      .init(
        kind: .onlyLeft, key: key,
        values: [
          .init(column: "units", left: .integer(3), right: nil), .init(column: "cents", left: .null, right: nil),
        ]),
    ]
    #expect(
      DiffText.lines(found) == [
        "table sales: 1,200 rows in A, 1,199 rows in B: 1,196 equal, 2 differ, 2 only in A, 1 only in B",
        "  only B has the column tax", "  columns that differ: cents (2 rows), units (1 row)",
        "  differs    sku \"a\\x0a\", day \"2026-01-31\": cents A 1, B NULL",
        "  only in A  sku \"a\\x0a\", day \"2026-01-31\": units 3, cents NULL", "  and 3 rows more (--rows)",
      ])
  }

  @Test func tablesWithOtherKeys() {
    let found = TableDifference(
      left: .init(table: "t", rows: 1, digest: 0, ownColumns: [], key: ["a"]),
      right: .init(table: "t", rows: 2, digest: 1, ownColumns: [], key: []), key: nil, columns: [])
    #expect(
      DiffText.lines(found) == [
        "table t: 1 row in A, 2 rows in B; not compared: their keys are of other columns", "  key in A: a",
        "  key in B: none",
      ])
  }
}
