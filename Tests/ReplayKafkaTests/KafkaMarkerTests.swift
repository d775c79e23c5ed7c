import KafkaMock
import ReplayCore
import ReplayKafka
import Testing

/// F4: where a partition ends in the marker of a transaction, "last offset + 1" is never its end.
@Suite(.serialized, .timeLimit(.minutes(1)))
struct KafkaMarkerTests {
  let cluster: MockCluster

  init() throws {
    cluster = try MockCluster()
    try cluster.create("events", partitions: 1)
  }

  @Test func f4AnEndThatIsAMarkerIsReached() throws {
    try MockProducer(cluster.bootstraps).produce("events", 0, numbered(0..<5))
    try ControlBatch.commit("events", 0, at: cluster.bootstraps)
    let stream = try KafkaStream.of(cluster, "events")
    #expect(try stream.partitions().map(\.end) == [Position(6)])
    try stream.seek([0: 0])
    var read = try stream.read { $0.caughtUp[0] == Position(6) }
    #expect(read.offsets(0) == [0, 1, 2, 3, 4])
    // Markers alone move the end, and events behind them follow.
    for _ in 0..<3 { try ControlBatch.commit("events", 0, at: cluster.bootstraps) }
    try stream.read(&read) { $0.caughtUp[0] == Position(9) }
    try MockProducer(cluster.bootstraps).produce("events", 0, numbered(5..<7))
    try stream.read(&read) { $0.caughtUp[0] == Position(11) }
    #expect(read.offsets(0) == [0, 1, 2, 3, 4, 9, 10])
  }

  @Test func f4APartitionOfMarkersAloneIsCaughtUp() throws {
    for _ in 0..<1000 { try ControlBatch.commit("events", 0, at: cluster.bootstraps) }
    let stream = try KafkaStream.of(cluster, "events")
    try stream.seek([0: 990])
    let read = try stream.read { $0.caughtUp[0] == Position(1000) }
    #expect(read.events.isEmpty)
  }

  /// librdkafka says so once and reads on behind the damage.
  @Test func aDamagedBatchEndsTheReading() throws {
    let producer = try MockProducer(cluster.bootstraps)
    try producer.produce("events", 0, numbered(0..<5))
    try ControlBatch.commit("events", 0, at: cluster.bootstraps, isDamaged: true)
    try producer.produce("events", 0, numbered(5..<9))
    let stream = try KafkaStream.of(cluster, "events")
    try stream.seek([0: 0])
    var read = Delivered()
    for _ in 0..<2 {
      let error = try #require(throws: ReplayError.self) { try stream.read(&read) { _ in false } }
      #expect(error.code == .data, "\(error)")
      #expect(error.details.first == "partition 0, at or behind offset 5")
    }
    #expect(read.offsets(0) == [0, 1, 2, 3, 4])
  }

  @Test func aSeekToAMarkerOrBehindItIsLegal() throws {
    try MockProducer(cluster.bootstraps).produce("events", 0, numbered(0..<5))
    try ControlBatch.commit("events", 0, at: cluster.bootstraps)
    let stream = try KafkaStream.of(cluster, "events")
    for offset in [UInt64(5), 6] {
      try stream.seek([0: offset])
      #expect(try stream.read { $0.caughtUp[0] == Position(6) }.events.isEmpty)
    }
  }
}
