import ReplayCore
import ReplayEngine
import ReplayTesting
import RetailProjections
import Testing

/// A filtered run makes the rows of the events that a plain model lets through, whatever the lanes, blocks and kills.
struct FilterTests {
  /// A filter by chance, and the same said of a sale: partition, place, sale.
  private static func filter(
    _ chance: inout SplitMix64
  ) -> (filter: EventFilter, admits: (Int, Int, Sale) -> Bool) {
    var filter = EventFilter()
    var rules: [(Int, Int, Sale) -> Bool] = []
    if chance.number(0...2) == 0 {
      let types = Array(
        ["retail.item.sold", "retail.product.viewed", "other", "none"].shuffled(using: &chance).prefix(2))
      filter.types = TextSet(types)
      rules.append { types.contains($2.type) }
    }
    let keys = (0..<chance.number(1...12)).map { _ in "c-\(chance.number(0...30))-of-some-length" }
    switch chance.number(0...3) {
    case 0:
      filter.keys = TextSet(keys)
      rules.append { keys.contains($2.customer) }
    case 1:
      filter.excludedKeys = TextSet(keys)
      rules.append { !keys.contains($2.customer) }
    default: break
    }
    if chance.number(0...2) == 0 {
      let (from, to) = (chance.number(1...20), chance.number(10...29))
      filter.fromTime = Timestamp(microseconds: Int64(20_454 + from - 1) * 86_400_000_000)
      filter.toTime = Timestamp(microseconds: Int64(20_454 + to - 1) * 86_400_000_000)
      // The text order of such times is theirs.
      let date = { (day: Int) in "2026-01-\(day < 10 ? "0" : "")\(day)T00:00:00.000Z" }
      rules.append { $2.time >= date(from) && $2.time < date(to) }
    }
    if chance.number(0...2) == 0 {
      let (from, to) = (chance.number(0...400), chance.number(300...900))
      filter.fromPositions = [PartitionEdge("1", Position(UInt64(from)))]
      filter.toPositions = [PartitionEdge(nil, Position(UInt64(to)))]
      rules.append { partition, place, _ in (partition != 1 || place >= from) && place < to }
    }
    return (filter, { partition, place, sale in rules.allSatisfy { $0(partition, place, sale) } })
  }

  @Test(arguments: [UInt64(21), 22, 23, 24, 25, 26, 27, 28]) func filteredRowsAreTheModels(seed: UInt64) throws {
    var chance = SplitMix64(seed: seed)
    let partitions = [1, 3].randomElement(using: &chance) ?? 1
    let events = sales(2400, partitions: partitions, seed: seed)
    let (source, plan) = archive(events, segments: 5)
    for _ in 0..<4 {
      let (filter, admits) = FilterTests.filter(&chance)
      let wanted = events.enumerated().map { partition, own in
        own.enumerated().filter { admits(partition, $0.offset, $0.element) }.map(\.element)
      }
      let database = MemoryDatabase()
      // Killed after some commits, and once more, then to the end; each time with other lanes and blocks.
      for lastCommit in [2, 5, Int.max] {
        let run = TestRun(
          source: source, plan: plan, database: database, lanes: chance.number(1...5),
          blockBytes: [1024, 4096, 65_536].randomElement(using: &chance) ?? 1024,
          commitEvents: UInt64(chance.number(40...400)), holdAboveBytes: [0, .max].randomElement(using: &chance) ?? 0,
          filter: filter, lastCommit: lastCommit)
        do { try run.run() } catch let error as ReplayError where error.code == .unavailable {}
      }
      #expect(database.dump() == model(wanted), "seed \(seed), \(filter)")
    }
  }

  /// The six sum to what was read: the function's own conditions are asked first, then the filter. A function without
  /// conditions has the decoder leave out other types, which counts as the filter's.
  @Test(arguments: [1, 4]) func theBooksTellFilteredFromIgnored(lanes: Int) throws {
    let events = sales(2000, partitions: 2, seed: 31)
    let (source, plan) = archive(events, segments: 4)
    var filter = EventFilter()
    filter.types = TextSet(["retail.item.sold"])
    filter.excludedKeys = TextSet(["c-4-of-some-length", "c-5-of-some-length"])
    let report = try TestRun(
      source: source, plan: plan, database: MemoryDatabase(), lanes: lanes, blockBytes: 2048, filter: filter
    ).run()
    let all = events.flatMap { $0 }
    func passes(_ sale: Sale) -> Bool {
      sale.type == "retail.item.sold" && !["c-4-of-some-length", "c-5-of-some-length"].contains(sale.customer)
    }
    for (name, has) in [
      ("shade-velocity", { (sale: Sale) in sale.type == "retail.item.sold" }), ("event-counts", { _ in true }),
      ("recently-viewed", { sale in sale.type == "retail.product.viewed" }),
    ] {
      let books = try #require(report.functions.first { $0.name == name }).total
      #expect(books.balance && books.read == 2000, "\(name)")
      #expect(books.applied == UInt64(all.filter { has($0) && passes($0) }.count), "\(name)")
      #expect(books.filtered == UInt64(all.filter { has($0) && !passes($0) }.count), "\(name)")
      #expect(books.ignored == UInt64(all.filter { !has($0) }.count), "\(name)")
    }
  }

  /// The first event without a time stops the run at its place, with all before it committed; one that something else
  /// leaves out needs none.
  @Test func anEventWithoutATimeStopsTheRunThere() throws {
    let lines = (0..<40).map { n in
      n == 25
        ? #"{"type":"b","partitionkey":"k"}"#
        : #"{"type":"a","time":"2026-01-0\#(n % 9 + 1)T00:00:00Z","partitionkey":"k"}"#
    }
    var source = MemoryArchive()
    source.files["one"] = Array((lines.joined(separator: "\n") + "\n").utf8)
    let entry = try #require(source.entry("one"))
    let segment = Segment(
      entry: entry, partition: Partition(log: "t", id: "0"), numbering: .counted(from: WideNumber(low: 100)))
    let plan = ArchivePlan(
      partitions: [PartitionPlan(partition: segment.partition, segments: [segment])], anatomy: Anatomy(),
      partitionsSeparateKeys: true)
    var filter = EventFilter()
    filter.fromTime = Timestamp(microseconds: 0)
    let database = MemoryDatabase()
    let run = { (filter: EventFilter) in
      try TestRun(
        functions: [EventCounts()], source: source, plan: plan, database: database, blockBytes: 256, filter: filter
      ).run()
    }
    let error = try #require(throws: ReplayError.self) { _ = try run(filter) }
    #expect(error.code == .data && error.place?.ordinal == 25 && error.fault == nil, "\(error)")
    #expect("\(error)".contains("no time") && "\(error)".contains("--time"))
    #expect(database.checkpoint(of: "event-counts")?.events == 25)
    filter.types = TextSet(["a"])
    #expect(try run(filter).functions[0].total.filtered == 1)
    #expect(database.checkpoint(of: "event-counts")?.events == 40)
  }
}
