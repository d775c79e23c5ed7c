import ReplayCore
import Testing

@testable import ReplayCommands

/// What `--from` and its kin are read as.
@Suite struct FilterOptionTests {
  private static let day = Timestamp(microseconds: 1_769_817_600_000_000)
  private static let moment = Timestamp(microseconds: 1_769_847_153_000_000)

  @Test(arguments: [
    ("beginning", FilterEdgeText.beginning), ("end", .end), ("-100", .last(100)), ("-1", .last(1)),
    ("2026-01-31", .time(day)), ("2026-01-31T08:12:33Z", .time(moment)), ("2026-01-31T10:12:33+02:00", .time(moment)),
    ("s@1769847153000", .time(moment)), ("s@2026-01-31", .time(day)), ("e@2026-01-31T08:12:33Z", .time(moment)),
    ("412", .position(PartitionEdge(nil, Position(412)))), ("2026", .position(PartitionEdge(nil, Position(2026)))),
    ("3:412", .position(PartitionEdge("3", Position(412)))),
    ("3:7:23", .position(PartitionEdge("3", Position(7, index: 23)))),
    ("retail/3:412", .position(PartitionEdge("retail/3", Position(412)))),
    (":7:23", .position(PartitionEdge("", Position(7, index: 23)))),
  ]) func edgesAreRead(text: String, edge: FilterEdgeText) { #expect(FilterEdgeText(text) == edge) }

  @Test(arguments: [
    "", "-", "-0", "-x", "--100", "yesterday", "2026-01-31T08:12:33", "2026-02-30", "2026-01", "s@", "s@x", "3:", "3:x",
    "1.5",
    "Beginning", "+5",
  ]) func whatIsNoEdgeIsNone(text: String) { #expect(FilterEdgeText(text) == nil) }

  private func request(_ arguments: String...) throws -> FilterRequest { try FilterOptions.parse(arguments).request() }

  @Test func severalEdgesArePositionsOfPartitions() throws {
    let several = try request("--from", "0:5", "--from", "1:9", "--from", "2")
    #expect(
      several.from
        == .positions([
          PartitionEdge("0", Position(5)), PartitionEdge("1", Position(9)), PartitionEdge(nil, Position(2)),
        ]))
    #expect(try request("--from", "-100").from == .last(100))
    #expect(try request("--from=-100", "--to=-5").to == .last(5))
    #expect(try request("--from", "beginning", "--to", "end") == FilterRequest(), "that is everything")
  }

  @Test func typesAndKeysAreSets() throws {
    let found = try request("--types", "b,a", "--types", "a", "--keys", "-k", "--keys", "a,b", "--sample", "5%")
    #expect(
      found.types == TextSet(["a", "b"]) && found.keys == TextSet(["-k", "a,b"]) && found.sample == KeySample("5%"))
  }

  @Test(arguments: [
    ["--from", "1", "--from", "2"], ["--from", "0:1", "--from", "0:2"], ["--from", "2026-01-31", "--from", "0:2"],
    ["--from", "end", "--from", "end"], ["--to", "beginning"], ["--to", "soon"], ["--sample", "0%"], ["--types", ","],
    ["--from", "2026-01-31", "--to", "2026-01-31"], ["--from", "5", "--to", "5"], ["--from", "0:5", "--to", "0:4"],
    ["--from", "-5", "--to", "-5"], ["--from", "end", "--to", "-1"],
  ]) func whatFitsNothingIsRefusedBeforeAnythingIsRead(arguments: [String]) {
    #expect(throws: (any Error).self) { _ = try FilterOptions.parse(arguments) }
  }

  /// What a plan keeps is read back as the same.
  @Test func rewrittenOptionsSayTheSame() throws {
    let options = try FilterOptions.parse([
      "--from", "-100", "--to", "0:5", "--to", "1:7:2", "--types", "a,b", "--keys", "-k", "--exclude-keys", "x",
      "--sample", "1%",
    ])
    #expect(try FilterOptions.parse(options.arguments).request() == options.request())
    let file = try FilterOptions.parse(["--exclude-keys", "@/keys", "--keys", "@keys"]).arguments
    #expect(file == ["--keys=@\(InputFile.absolute("keys"))", "--exclude-keys=@/keys"])
  }

  // MARK: Which segments are read

  private static func plan(_ starts: [UInt64]) -> ArchivePlan {
    let partition = Partition(log: "retail", id: "0")
    let segments = starts.map { start in
      Segment(
        entry: SegmentEntry(name: "\(start)", size: 1, version: ""), partition: partition,
        numbering: .counted(from: WideNumber(low: start)))
    }
    return ArchivePlan(
      partitions: [PartitionPlan(partition: partition, segments: segments)], anatomy: Anatomy(),
      partitionsSeparateKeys: true)
  }

  /// From, to, and the first positions of the segments that are read.
  private static let cuts: [(from: UInt64?, to: UInt64?, names: [String])] = [
    (nil, nil, ["0", "100", "200"]), (0, nil, ["0", "100", "200"]), (99, nil, ["0", "100", "200"]),
    (100, nil, ["100", "200"]), (150, nil, ["100", "200"]), (200, nil, ["200"]), (9999, nil, ["200"]),
    (nil, 0, []), (nil, 1, ["0"]), (nil, 100, ["0"]), (nil, 101, ["0", "100"]), (nil, 9999, ["0", "100", "200"]),
    (100, 200, ["100"]), (150, 160, ["100"]), (250, 260, ["200"]),
  ]

  @Test(arguments: cuts) func segmentsOutsideAreNotRead(from: UInt64?, to: UInt64?, names: [String]) {
    var filter = EventFilter()
    filter.fromPositions = from.map { [PartitionEdge(nil, Position($0))] } ?? []
    filter.toPositions = to.map { [PartitionEdge("0", Position($0))] } ?? []
    let found = filter.plan(FilterOptionTests.plan([0, 100, 200]))
    #expect(found.partitions.map { $0.segments.map(\.name) } == [names])
  }
}
