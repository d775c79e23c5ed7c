import Foundation
import KafkaMock
import ReplayCore
import ReplayKafka
import Testing

/// What is waited out, for how long, and what is told meanwhile.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct KafkaOutageTests {
  /// One for each test, for as long as it runs.
  let cluster: MockCluster

  init() throws { cluster = try MockCluster(brokers: 3) }

  /// A broker's trouble without a name (-1), and a quota: neither ends the reading, and no event is lost.
  @Test func fetchesThatFailWithoutAReasonAreRepeated() throws {
    try cluster.create("events", partitions: 1)
    try MockProducer(cluster.bootstraps, batch: 10).produce("events", 0, numbered(0..<500))
    let stream = try KafkaStream.of(cluster, "events")
    try stream.seek([0: 0])
    cluster.fail(request: 1, [-1, 89, -1].map { MockCluster.ErrorCode(rawValue: $0) })
    let read = try stream.read { $0.caughtUp[0] == Position(500) }
    #expect(read.payloads(0) == numbers(0..<500))
  }

  /// A broker that answers, and refuses to let the partition be read: that ends too.
  @Test func aPartitionThatIsRefusedForGoodIsSaid() throws {
    try cluster.create("events", partitions: 1)
    try MockProducer(cluster.bootstraps).produce("events", 0, numbered(0..<10))
    var limits = KafkaLimits()
    limits.outage = .seconds(3)
    let stream = try KafkaStream(
      KafkaAddress("kafka://\(cluster.bootstraps)/events"), options: KafkaStream.fast, limits: limits)
    try stream.seek([0: 0])
    cluster.fail(request: 1, Array(repeating: MockCluster.ErrorCode(rawValue: -1), count: 1_000))
    let begin = ContinuousClock.now
    let error = #expect(throws: ReplayError.self) { try stream.read(within: .seconds(20)) { _ in false } }
    #expect(error?.code == .unavailable)
    #expect(error?.summary.hasPrefix("partition 0 of events could not be read for 3 s: ") == true)
    #expect((.seconds(2) ..< .seconds(10)).contains(ContinuousClock.now - begin))
    #expect(stream.outage == nil, "the broker was there")
  }

  /// Once a broker has answered, a question waits as long as the reading would: here longer than the first one may.
  @Test func aQuestionDuringAShortOutageIsRepeated() throws {
    try cluster.create("events", partitions: 1)
    try MockProducer(cluster.bootstraps).produce("events", 0, numbered(0..<10))
    var limits = KafkaLimits()
    (limits.answer, limits.outage) = (.seconds(2), .seconds(60))
    let stream = try KafkaStream(
      KafkaAddress("kafka://\(cluster.bootstraps)/events"), options: KafkaStream.fast, limits: limits)
    try stream.seek([0: 0])
    for broker in Int32(1)...3 { try cluster.down(broker) }
    let cluster = cluster
    Thread.detachNewThread {
      Thread.sleep(forTimeInterval: 6)
      for broker in Int32(1)...3 { try? cluster.up(broker) }
    }
    let begin = ContinuousClock.now
    #expect(try stream.partitions().map(\.end) == [Position(10)])
    #expect(ContinuousClock.now - begin > .seconds(4))
    try stream.seek([0: 5])
    #expect(try stream.read { $0.caughtUp[0] == Position(10) }.offsets(0) == [5, 6, 7, 8, 9])
  }

  /// Refused connections, and answers that never come: who waits is told within ten seconds, and told when it is over.
  @Test(arguments: [false, true]) func anOutageIsToldWhileItIsWaitedOut(isSilent: Bool) throws {
    try cluster.create("events", partitions: 2)
    let stream = try KafkaStream(KafkaAddress("kafka://\(cluster.bootstraps)/events"), options: KafkaStream.fast)
    try stream.seek([0: 0, 1: 0])
    _ = try stream.read { $0.caughtUp.count == 2 }
    #expect(throws: TimedOut.self) { try stream.read(within: .seconds(3)) { _ in stream.outage != nil } }
    for broker in Int32(1)...3 {
      if isSilent { try cluster.delay(broker, milliseconds: 120_000) } else { try cluster.down(broker) }
    }
    _ = try stream.read(within: .seconds(10)) { _ in stream.outage != nil }
    #expect(stream.outage?.hasPrefix("no broker of events can be reached") == true)
    for broker in Int32(1)...3 {
      if isSilent { try cluster.delay(broker, milliseconds: 0) } else { try cluster.up(broker) }
    }
    _ = try stream.read(within: .seconds(20)) { _ in stream.outage == nil }
  }
}
