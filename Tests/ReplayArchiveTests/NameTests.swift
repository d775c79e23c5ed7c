import ReplayArchive
import ReplayCore
import Testing

@Suite struct NameTests {
  typealias Row = (layout: LayoutKind, name: String, expected: NameReading)

  static func kafka(_ topic: String, _ partition: String, first: UInt64) -> NameReading {
    .segment(ParsedName(topic: topic, partition: partition, first: number(first)))
  }

  static func lenses(_ topic: String, _ partition: String, last: UInt64, time: String? = nil) -> NameReading {
    .segment(ParsedName(topic: topic, partition: partition, last: number(last), time: time))
  }

  static let confluent: [Row] = [
    (.confluent, "topics/t/partition=0/t+0+0000000000.json", kafka("t", "0", first: 0)),
    (.confluent, "a/b/t/year=2024/partition=12/hour=1/t+12+0000004711.json.gz", kafka("t", "12", first: 4711)),
    (.confluent, "topics/a+b/partition=1/a+b+1+9.bin", kafka("a+b", "1", first: 9)),
    (.confluent, "my.topic/partition=3/my.topic+3+10", kafka("my.topic", "3", first: 10)),
    (.confluent, "t+0+00000000000000000099.json", kafka("t", "0", first: 99)),
    (.confluent, "t/partition=0/t+0+5.keys.json.gz", .keys(stem: "t/partition=0/t+0+5")),
    (.confluent, "t/partition=0/t+0+5.headers.avro", .headers(stem: "t/partition=0/t+0+5")),
    (.confluent, "t/partition=1/t+0+5.json", .foreign),
    (.confluent, "t/partition=0/t-0-5.json", .foreign),
    (.confluent, "t/partition=0/t+x+5.json", .foreign),
    (.confluent, "t/partition=0/t+0+5x.json", .foreign),
    (.confluent, "t/partition=0/+0+5.json", .foreign),
    (.confluent, "topics/tombstone/partition=0/tombstone+0+1.json", kafka("tombstone", "0", first: 1)),
  ]

  static let aiven: [Row] = [
    (.aiven, "orders-0-0", kafka("orders", "0", first: 0)),
    (.aiven, "orders-10-00000000000000000100.gz", kafka("orders", "10", first: 100)),
    (.aiven, "eu-west-orders-3-7.zst", kafka("eu-west-orders", "3", first: 7)),
    (.aiven, "in/2024/orders-0000000004-00000000000000000007.snappy", kafka("orders", "4", first: 7)),
    (.aiven, "orders.v1-0-12.jsonl.gz", kafka("orders.v1", "0", first: 12)),
    (
      .aiven, "orders-2-18446744073709551616",
      .segment(
        ParsedName(topic: "orders", partition: "2", first: WideNumber(middle: 1, low: 0)))
    ),
    (.aiven, "events-2024-05-17.json.gz", .foreign),
    (.aiven, "orders-0.gz", .foreign),
    (.aiven, "-0-1.gz", .foreign),
    (.aiven, "orders-0-", .foreign),
  ]

  static let others: [Row] = [
    (.lenses, "t/3/000000004999.json", lenses("t", "3", last: 4999)),
    (
      .lenses, "p/t/0/000000000009_1695645345_1695645349.json.gz",
      lenses("t", "0", last: 9, time: "1695645345_1695645349")
    ),
    (.lenses, "bucket/my(t)(2_41).json", lenses("my(t)", "2", last: 41)),
    (.lenses, "t/3/4999", .foreign), (.lenses, "3/4999.json", .foreign), (.lenses, "t/x/4999.json", .foreign),
    (.lenses, "t/0/1_2.json", .foreign), (.lenses, "t(2).json", .foreign),
    (
      .gharchive, "2015-01-01-9.json.gz",
      .segment(
        ParsedName(topic: "gharchive", place: number(394_473), time: "2015-01-01-9"))
    ),
    (
      .gharchive, "y/2015-01-01-10.json.gz",
      .segment(
        ParsedName(topic: "gharchive", place: number(394_474), time: "2015-01-01-10"))
    ),
    (.gharchive, "2015-02-29-1.json.gz", .foreign), (.gharchive, "2015-01-01-24.json.gz", .foreign),
    (.gharchive, "2015-01-01.json.gz", .foreign), (.gharchive, "2015-01-01-1.csv.gz", .foreign),
    (
      .kcr, "kcr-my-topic-20200102-030405/my-topic-11",
      .segment(
        ParsedName(topic: "my-topic", partition: "11", time: "20200102-030405"))
    ),
    (.kcr, "kcr-a-20200102-030405/a.manifest", .manifest),
    (.kcr, "kcr-a-20200102-030405/b-0", .foreign), (.kcr, "a-0", .foreign),
    (.plain, "any thing", .segment(ParsedName())),
  ]

  @Test(arguments: confluent + aiven + others)
  func reads(_ row: Row) { #expect(LayoutNames(row.layout).read(row.name) == row.expected) }

  @Test func firehose() throws {
    let names = LayoutNames(.firehose)
    let name = "raw/2024/05/17/03/my-stream-1-2024-05-17-03-04-05-0123abcd-4567-89ef-0000-00000000ffff.gz"
    let place = WideNumber(middle: 1_715_915_045, low: 0x0123_abcd_4567_89ef)
    #expect(
      names.read(name) == .segment(ParsedName(topic: "my-stream", place: place, time: "2024-05-17-03-04-05")))
    #expect(place < WideNumber(decimal56: "49590338271490256608559692538361571095921575989136588898"))
    for bad in [
      "s-1-2024-13-17-03-04-05", "s-1-2024-05-17-24-04-05", "s-x-2024-05-17-03-04-05", "1-2024-05-17-03-04-05",
    ] {
      #expect(names.read("\(bad)-0123abcd-4567-89ef-0000-00000000ffff") == .foreign, "\(bad)")
    }
    #expect(names.read("s-1-2024-05-17-03-04-05-0123abcd-4567-89ef-0000-00000000fffg") == .foreign)
  }

  @Test(arguments: ["topics/t/tombstone/t+0+0.keys.avro", "tombstone/tombstone/tombstone+0+0.keys.json"])
  func tombstonesAreRefused(_ name: String) {
    guard case .refused(let why) = LayoutNames(.confluent).read(name) else {
      Issue.record("not refused: \(name)")
      return
    }
    #expect(why.contains("behavior.on.null.values"))
  }

  @Test func cassetteWithoutItsFolder() {
    let names = LayoutNames(.kcr, names: ["a.manifest", "a-0", "a-1", "b-0"])
    #expect(names.read("a-1") == .segment(ParsedName(topic: "a", partition: "1")))
    #expect(names.read("b-0") == .foreign)
  }
}

extension WideNumber {
  /// A sequence number of Kinesis, read the slow way.
  init(decimal56 text: String) {
    var words: [UInt64] = [0, 0, 0]
    for digit in text.utf8 {
      var carry = UInt64(digit - 48)
      for index in words.indices.reversed() {
        let (high, low) = words[index].multipliedFullWidth(by: 10)
        let (sum, overflow) = low.addingReportingOverflow(carry)
        words[index] = sum
        carry = high + (overflow ? 1 : 0)
      }
    }
    self.init(high: words[0], middle: words[1], low: words[2])
  }
}
