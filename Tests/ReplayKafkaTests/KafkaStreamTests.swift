import KafkaMock
import ReplayCore
import ReplayKafka
import Testing

@Suite(.serialized, .timeLimit(.minutes(2)))
struct KafkaStreamTests {
  /// One for each test, for as long as it runs.
  let cluster: MockCluster

  init() throws { cluster = try MockCluster(brokers: 3) }

  @Test func readsFromTheExactOffsetAndNoOther() throws {
    try cluster.create("events", partitions: 2)
    let producer = try MockProducer(cluster.bootstraps, batch: 7)
    try producer.produce("events", 0, numbered(0..<100))
    try producer.produce("events", 1, numbered(0..<10))
    let stream = try KafkaStream.of(cluster, "events")
    let partitions = try stream.partitions()
    #expect(partitions.map(\.partition) == [stream.at(0), stream.at(1)])
    #expect(partitions.map(\.start) == [.zero, .zero])
    #expect(partitions.map(\.end) == [Position(100), Position(10)])
    // 38 lies within a batch: the broker sends the whole batch.
    try stream.seek([0: 38])
    let read = try stream.read { $0.caughtUp[0] == Position(100) }
    #expect(read.offsets(0) == Array(38..<100))
    #expect(read.payloads(0) == numbers(38..<100))
    #expect(read.events[1] == nil)
  }

  @Test(arguments: ["none", "gzip", "snappy", "lz4", "zstd"]) func readsEveryCodec(codec: String) throws {
    try cluster.create("events", partitions: 1)
    try MockProducer(cluster.bootstraps, codec: codec, batch: 100).produce("events", 0, numbered(0..<1000))
    let stream = try KafkaStream.of(cluster, "events")
    try stream.seek([0: 0])
    let read = try stream.read { $0.caughtUp[0] == Position(1000) }
    #expect(read.payloads(0) == numbers(0..<1000))
  }

  @Test func handsOverKeysHeadersTimesAndTombstones() throws {
    try cluster.create("events", partitions: 1)
    let messages = [
      MockMessage(
        Array("{}".utf8), key: Array("sku-1".utf8), headers: [("type", Array("sold".utf8))], time: 1_700_000_000_123),
      MockMessage(nil, key: Array("sku-1".utf8), time: 1_700_000_000_124),
      MockMessage([], key: [], time: 1_700_000_000_125),
      MockMessage(
        Array("é".utf8),
        headers: [("a\"\\\n", [0xff, 0x41]), ("nothing", nil), ("empty", []), ("ü", Array("日本".utf8))], time: 1),
    ]
    try MockProducer(cluster.bootstraps).produce("events", 0, messages)
    let stream = try KafkaStream.of(cluster, "events")
    try stream.seek([0: 0])
    let read = try stream.read { $0.caughtUp[0] == Position(4) }
    let expected = [
      Delivered.Event(
        offset: 0, payload: "{}", key: "sku-1", headers: #"[{"key":"type","value":"sold"}]"#, time: 1_700_000_000_123),
      Delivered.Event(offset: 1, payload: nil, key: "sku-1", time: 1_700_000_000_124),
      Delivered.Event(offset: 2, payload: "", key: "", time: 1_700_000_000_125),
      Delivered.Event(
        offset: 3, payload: "é",
        headers: #"[{"key":"a\"\\\u000a","value":"�A"},{"key":"nothing","value":null},{"key":"empty","value":""},"#
          + #"{"key":"ü","value":"日本"}]"#, time: 1),
    ]
    #expect(read.events[0] == expected)
  }

  @Test func aStoredPositionInsideAnOffsetMeansTheNextOffset() throws {
    try cluster.create("events", partitions: 1)
    try MockProducer(cluster.bootstraps).produce("events", 0, numbered(0..<10))
    let stream = try KafkaStream.of(cluster, "events")
    try stream.seek([stream.at(0): Position(6, index: 1)])
    let read = try stream.read { $0.caughtUp[0] == Position(10) }
    #expect(read.offsets(0) == [7, 8, 9])
  }

  /// F12: an idle partition held the handoff up for ever.
  @Test func f12AnEmptyPartitionIsCaughtUpAtOnceAlsoAmong64() throws {
    try cluster.create("events", partitions: 64)
    try MockProducer(cluster.bootstraps).produce("events", 17, numbered(0..<500))
    let stream = try KafkaStream.of(cluster, "events")
    #expect(try stream.partitions().count == 64)
    try stream.seek(Dictionary(uniqueKeysWithValues: (0..<64).map { ($0, UInt64(0)) }))
    let read = try stream.read(within: .seconds(10)) { $0.caughtUp.count == 64 && $0.caughtUp[17] == Position(500) }
    #expect(read.caughtUp.filter { $0.key != 17 }.values.allSatisfy { $0 == .zero })
    #expect(read.payloads(17) == numbers(0..<500))
  }

  @Test func whatComesAfterTheEndIsDeliveredAndTheEndSaidAgain() throws {
    try cluster.create("events", partitions: 1)
    let producer = try MockProducer(cluster.bootstraps)
    let stream = try KafkaStream.of(cluster, "events")
    try stream.seek([0: 0])
    var read = try stream.read { $0.caughtUp[0] == .zero }
    try producer.produce("events", 0, numbered(0..<3))
    try stream.read(&read) { $0.caughtUp[0] == Position(3) }
    try producer.produce("events", 0, numbered(3..<5))
    try stream.read(&read) { $0.caughtUp[0] == Position(5) }
    #expect(read.payloads(0) == numbers(0..<5))
    let silence: Void? = try stream.poll(milliseconds: 0).map { _ in () }
    #expect(silence == nil)
  }

  @Test func resumesBySeekWithNothingLostOrDoubled() throws {
    try cluster.create("events", partitions: 3)
    let producer = try MockProducer(cluster.bootstraps, batch: 50)
    for id in 0..<3 { try producer.produce("events", Int32(id), numbered(0..<2000)) }
    let stream = try KafkaStream.of(cluster, "events")
    var read = Delivered()
    for round in 0..<20 {
      // Of the same stream or a new one, in the middle of what was fetched.
      try stream.seek(Dictionary(uniqueKeysWithValues: (0..<3).map { ($0, UInt64(read.offsets($0).count)) }))
      for _ in 0..<round % 4 {
        if let event = try stream.poll(milliseconds: 20) { read.take(event) }
      }
    }
    try stream.seek(Dictionary(uniqueKeysWithValues: (0..<3).map { ($0, UInt64(read.offsets($0).count)) }))
    try stream.read(&read) { read in (0..<3).allSatisfy { read.offsets($0).count == 2000 } }
    for id in 0..<3 { #expect(read.payloads(Int32(id)) == numbers(0..<2000)) }
  }
}
