import ReplayArchive
import ReplayCore
import Testing

@Suite struct PlanTests {
  static func names(_ plan: ArchivePlan) -> [String] { plan.partitions.flatMap { $0.segments.map(\.name) } }

  @Test func orderIsByNumbers() throws {
    let aiven = ["o-2-0", "o-10-0", "o-2-10", "o-2-9", "o-2-100"]
    #expect(Self.names(try plan(aiven)) == ["o-2-0", "o-2-9", "o-2-10", "o-2-100", "o-10-0"])
    let hours = ["2015-01-01-10.json.gz", "2015-01-01-9.json.gz", "2014-12-31-23.json.gz"]
    #expect(Self.names(try plan(hours)) == [hours[2], hours[1], hours[0]])
    let plain = try plan(["b10", "b9", "a"])
    #expect(Self.names(plain) == ["a", "b9", "b10"])
    #expect(plain.partitions[0].segments.map(\.numbering) == (0..<3).map { .place(number($0)) })
    let uuid = DetectionTests.uuid
    let firehose = [
      "v/s-2-2024-05-17-03-04-06-\(uuid)", "u/s-1-2024-05-17-03-04-07-\(uuid)", "z/s-1-2024-05-17-03-04-05-\(uuid)",
    ]
    #expect(Self.names(try plan(firehose)) == [firehose[2], firehose[0], firehose[1]])
  }

  @Test func ambiguousNames() {
    let error = failure { _ = try plan(["o-0-7.gz", "o-0-7.zst", "o-0-8.gz"]) }
    #expect(error?.code == .data && error?.details == ["o-0-7.gz", "o-0-7.zst"])
    #expect(failure { _ = try plan(["t/0/0000000009.json", "x/t/0/0000000009.json"]) } != nil)
  }

  @Test func keysAndPartitions() throws {
    #expect(try plan(["o-0-0", "o-1-0"]).partitionsSeparateKeys)
    #expect(try !plan(["o-0-0", "p-0-0"]).partitionsSeparateKeys)
    #expect(try plan(["s-1-2024-05-17-03-04-05-\(DetectionTests.uuid)"]).partitionsSeparateKeys)
    #expect(try plan(["o-0-0", "o-3-0", "o-1-0"]).absentPartitions == [Partition(log: "o", id: "2")])
    #expect(try plan(["a", "b"]).absentPartitions.isEmpty)
  }

  @Test func patternPlans() throws {
    let places = try plan(["p1/b", "p1/a", "p2/a"], pattern: "p{partition}/{*}")
    #expect(
      places.partitions.map { $0.segments.map(\.numbering) } == [
        [.place(number(0)), .place(number(1))], [.place(number(0))],
      ])
    let ranges = try plan(["10-19", "0-9"], pattern: "{start}-{last}").partitions[0].segments
    #expect(
      ranges.map(\.firstNumber) == [number(0), number(10)] && ranges.map(\.lastNumber) == [number(9), number(19)])
  }

  /// The plan does not depend on the order of the listing. Prints its seed.
  @Test(arguments: [LayoutKind.confluent, .aiven, .lenses, .plain, .firehose, .gharchive])
  func shuffledNamesMakeTheSamePlan(_ layout: LayoutKind) throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = Seeded(state: seed)
    for _ in 0..<40 {
      let names = Array(Set((0..<30).map { _ in Self.randomName(layout, &random) }))
      let planned = try plan(names, layout: layout)
      let again = try plan(names.shuffled(using: &random), layout: layout)
      #expect(planned.fingerprintLines == again.fingerprintLines, "seed \(seed)")
      #expect(planned.segmentCount == names.count, "seed \(seed)")
      for partition in planned.partitions {
        for (a, b) in zip(partition.segments, partition.segments.dropFirst()) {
          #expect(Self.place(a) < Self.place(b), "seed \(seed): \(a.name), \(b.name)")
        }
      }
    }
  }

  static func place(_ segment: Segment) -> WideNumber {
    switch segment.numbering {
    case .counted(let start): start
    case .place(let place): place
    case .explicit: segment.firstNumber ?? number(0)
    }
  }

  static func randomName(_ layout: LayoutKind, _ random: inout Seeded) -> String {
    let partition = UInt64.random(in: 0..<12, using: &random)
    let offset = UInt64.random(in: 0..<(1 << UInt64.random(in: 1..<50, using: &random)), using: &random)
    let small = { (limit: UInt64) in (offset &* 31 &+ partition) % limit }
    func two(_ value: UInt64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    switch layout {
    case .confluent: return "topics/a+b/partition=\(partition)/a+b+\(partition)+\(offset).json"
    case .aiven: return "a-b-\(partition)-\(offset).gz"
    case .lenses: return "t/\(partition)/\(offset).json"
    case .gharchive: return "\(1990 + small(30))-\(two(1 + partition))-\(two(1 + small(28)))-\(small(24)).json.gz"
    case .firehose:
      let hex = String(0x1000_0000_0000 + offset, radix: 16).prefix(12)
      return "s-1-20\(two(small(30)))-01-02-03-\(two(small(60)))-05-\(hex.prefix(8))-\(hex.suffix(4))-0000-0000-\(hex)"
    default: return "f\(partition)/x\(offset)"
    }
  }
}

@Suite struct PlanFileTests {
  @Test func samePlanHasNoDifference() throws {
    let made = try plan(["o-0-0", "o-0-9"])
    #expect(made.difference(from: made.fingerprintLines).isEmpty)
    #expect(made.difference(from: made.fingerprintLines).error == nil)
    #expect(made.fingerprintLines[1] == "o-0-0\t10 bytes\tversion 1\tpartition o/0\tfrom 0\tfirst 0")
  }

  @Test func everyDifferenceIsNamed() throws {
    let lines = try plan(["o-0-0", "o-0-9", "o-0-20"]).fingerprintLines
    let layout = try detect(["o-0-0"])
    let now = [
      SegmentEntry(name: "o-0-0", size: 10, version: "1"), SegmentEntry(name: "o-0-9", size: 11, version: "1"),
      SegmentEntry(name: "o-0-30", size: 10, version: "1"),
    ]
    let difference = try ArchivePlanner.plan(now, layout: layout).difference(from: lines)
    #expect(difference.missing == ["o-0-20"] && difference.added == ["o-0-30"])
    #expect(difference.changed.map(\.name) == ["o-0-9"] && !difference.anatomyChanged)
    #expect(difference.changed[0].planned.contains("10 bytes") && difference.changed[0].found.contains("11 bytes"))
    #expect(difference.error?.code == .data)
  }

  @Test func anotherAnatomyIsADifference() throws {
    let lines = try plan(["o-0-0"]).fingerprintLines
    let other = try plan(["o-0-0"], overrides: AnatomyOverrides(type: JSONPath("kind")))
    #expect(other.difference(from: lines).anatomyChanged)
  }

  @Test func namesWithTabsStayOneField() throws {
    let made = try plan(["a\tb\n", "a\\tb"])
    #expect(made.fingerprintLines.dropFirst().allSatisfy { !$0.contains("\n") })
    #expect(made.difference(from: made.fingerprintLines).isEmpty)
    #expect(Set(made.fingerprintLines.map { $0.prefix { $0 != "\t" } }).count == 3)
  }
}
