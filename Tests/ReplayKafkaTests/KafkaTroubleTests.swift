import Foundation
import KafkaMock
import ReplayCore
import ReplayKafka
import Testing

@Suite(.serialized, .timeLimit(.minutes(3)))
struct KafkaTroubleTests {
  /// One for each test, for as long as it runs.
  let cluster: MockCluster

  init() throws { cluster = try MockCluster(brokers: 3) }

  /// 5 MiB a partition are kept: of 8 MiB the first ones are gone.
  private func produceMore(than messages: Int = 0) throws -> Int {
    let payload = Array(repeating: UInt8(ascii: "x"), count: 8192)
    let producer = try MockProducer(cluster.bootstraps, batch: 16)
    try producer.produce("events", 0, (0..<1024).map { _ in MockMessage(payload) })
    return messages + 1024
  }

  /// F8: retention overtook the tail, and the client jumped to the end without a word.
  @Test func f8WhatHasPassedRetentionBeforeTheSeekIsSaid() throws {
    try cluster.create("events", partitions: 1)
    let end = try produceMore()
    let stream = try KafkaStream.of(cluster, "events")
    let partition = try #require(try stream.partitions().first)
    #expect(partition.start > Position(200))
    #expect(partition.end == Position(UInt64(end)))
    try stream.seek([0: 200])
    #expect(throws: LiveError.expired(stream.at(0), wanted: Position(200), start: partition.start)) {
      try stream.poll(milliseconds: 10).map { _ in () }
    }
    try stream.seek([0: partition.start.number.low])
    let read = try stream.read { $0.caughtUp[0] == partition.end }
    #expect(read.offsets(0) == Array(partition.start.number.low..<UInt64(end)))
  }

  @Test func f8WhatPassesRetentionWhileReadingIsSaid() throws {
    try cluster.create("events", partitions: 1)
    try MockProducer(cluster.bootstraps).produce("events", 0, numbered(0..<10))
    // Nothing is fetched ahead: what was fetched before it passed retention may be delivered.
    let stream = try KafkaStream.of(
      cluster, "events", options: [("queued.min.messages", "1"), ("queued.max.messages.kbytes", "1")])
    try stream.seek([0: 0])
    var read = try stream.read { $0.caughtUp[0] == Position(10) }
    _ = try produceMore()
    _ = try produceMore()
    let start = try #require(try stream.partitions().first).start
    #expect {
      try stream.read(&read) { _ in false }
    } throws: {
      guard case .expired(stream.at(0), let wanted, start)? = $0 as? LiveError else { return false }
      return wanted == Position(UInt64(read.offsets(0).count)) && wanted < start
    }
    #expect(read.offsets(0) == Array(0..<UInt64(read.offsets(0).count)))
    // It stays said.
    #expect(throws: LiveError.self) { try stream.poll(milliseconds: 10).map { _ in () } }
  }

  /// F9: a topic that was deleted and made anew is shorter.
  @Test func f9AnOffsetBehindTheEndIsSaid() throws {
    try cluster.create("events", partitions: 2)
    try MockProducer(cluster.bootstraps).produce("events", 1, numbered(0..<10))
    let stream = try KafkaStream.of(cluster, "events")
    try stream.seek([0: 0, 1: 11])
    #expect(throws: LiveError.beyondEnd(stream.at(1), wanted: Position(11), end: Position(10))) {
      try stream.poll(milliseconds: 10).map { _ in () }
    }
    try stream.seek([0: 0, 1: 10])
    let read = try stream.read { $0.caughtUp.count == 2 }
    #expect(read.caughtUp == [0: .zero, 1: Position(10)])
  }

  @Test func aBrokerThatGoesAndComesIsWaitedOut() throws {
    try cluster.create("events", partitions: 3)
    for id in Int32(0)..<3 { try cluster.lead("events", id, by: id + 1) }
    let producer = try MockProducer(cluster.bootstraps, batch: 20)
    for id in 0..<3 { try producer.produce("events", Int32(id), numbered(0..<3000)) }
    let stream = try KafkaStream.of(cluster, "events")
    try stream.seek([0: 0, 1: 0, 2: 0])
    var read = Delivered()
    for broker in [Int32(2), 3, 1, 2] {
      let before = read.events.values.map(\.count).reduce(0, +)
      try stream.read(&read) { $0.events.values.map(\.count).reduce(0, +) >= min(9000, before + 500) }
      try cluster.down(broker)
      for _ in 0..<5 { if let event = try stream.poll(milliseconds: 20) { read.take(event) } }
      try cluster.up(broker)
    }
    try stream.read(&read) { read in (0..<3).allSatisfy { read.caughtUp[$0] == Position(3000) } }
    for id in 0..<3 { #expect(read.payloads(Int32(id)) == numbers(0..<3000)) }
  }

  @Test func aLeaderThatMovesIsFollowed() throws {
    try cluster.create("events", partitions: 1)
    let producer = try MockProducer(cluster.bootstraps, batch: 10)
    let stream = try KafkaStream.of(cluster, "events")
    try stream.seek([0: 0])
    var read = Delivered()
    for round in 0..<6 {
      try cluster.lead("events", 0, by: Int32(round % 3 + 1))
      try producer.produce("events", 0, numbered(round * 100..<round * 100 + 100))
      try stream.read(&read) { $0.caughtUp[0] == Position(UInt64(round * 100 + 100)) }
    }
    #expect(read.payloads(0) == numbers(0..<600))
  }

  @Test func fetchesThatFailAreRepeated() throws {
    try cluster.create("events", partitions: 1)
    try MockProducer(cluster.bootstraps, batch: 10).produce("events", 0, numbered(0..<500))
    let stream = try KafkaStream.of(cluster, "events")
    try stream.seek([0: 0])
    // Not the leader, unknown leader epoch, request timed out, offset not available.
    cluster.fail(request: 1, [6, 74, 7, 78].map { MockCluster.ErrorCode(rawValue: $0) })
    let read = try stream.read { $0.caughtUp[0] == Position(500) }
    #expect(read.payloads(0) == numbers(0..<500))
  }

  /// The broker says that the offset is out of range, and then that it is not: after an election, for a moment.
  @Test func anOffsetThatIsRefusedThoughItIsThereIsAskedForAgain() throws {
    try cluster.create("events", partitions: 2)
    let producer = try MockProducer(cluster.bootstraps, batch: 10)
    for id in 0..<2 { try producer.produce("events", Int32(id), numbered(0..<500)) }
    let stream = try KafkaStream.of(cluster, "events")
    try stream.seek([0: 3, 1: 0])
    cluster.fail(request: 1, [1, 1].map { MockCluster.ErrorCode(rawValue: $0) })
    let read = try stream.read { $0.caughtUp[0] == Position(500) && $0.caughtUp[1] == Position(500) }
    #expect(read.payloads(0) == numbers(3..<500))
    #expect(read.payloads(1) == numbers(0..<500))
  }

  @Test func aPartitionThatWasNotNamedIsOpened() throws {
    try cluster.create("events", partitions: 3)
    let stream = try KafkaStream.of(cluster, "events")
    try stream.seek([1: 0])
    let read = try stream.read { $0.opened.count == 2 && $0.caughtUp.count == 1 }
    #expect(read.opened == [0, 2])
    let named = try KafkaStream.of(cluster, "events")
    _ = try named.partitions()
    try named.seek([1: 0])
    #expect(throws: TimedOut.self) { try named.read(within: .seconds(1)) { !$0.opened.isEmpty } }
  }

  @Test func anUnknownTopicIsSaid() throws {
    cluster.setError("nothing", MockCluster.ErrorCode(rawValue: 3))
    let stream = try KafkaStream.of(cluster, "nothing")
    let error = #expect(throws: ReplayError.self) { try stream.partitions() }
    #expect(error?.code == .missing)
    #expect(error?.summary == "there is no topic nothing")
    #expect(error?.next != nil)
  }

  @Test func aTopicThatIsDeletedWhileReadingIsSaidButNotAtOnce() throws {
    try cluster.create("events", partitions: 1)
    var limits = KafkaLimits()
    (limits.refresh, limits.outage) = (.milliseconds(100), .seconds(1))
    let stream = try KafkaStream(KafkaAddress("kafka://\(cluster.bootstraps)/events"), limits: limits)
    try stream.seek([0: 0])
    _ = try stream.read { $0.caughtUp[0] == .zero }
    // A broker that has just come up does not know its topics for a moment.
    cluster.setError("events", MockCluster.ErrorCode(rawValue: 3))
    #expect(throws: TimedOut.self) { try stream.read(within: .milliseconds(400)) { _ in false } }
    cluster.setError("events", MockCluster.ErrorCode(rawValue: 0))
    #expect(throws: TimedOut.self) { try stream.read(within: .seconds(2)) { _ in false } }
    cluster.setError("events", MockCluster.ErrorCode(rawValue: 3))
    let error = #expect(throws: ReplayError.self) { try stream.read(within: .seconds(20)) { _ in false } }
    #expect(error?.code == .missing)
  }

  @Test func aPartitionThatIsNotThereIsSaid() throws {
    try cluster.create("events", partitions: 1)
    let stream = try KafkaStream.of(cluster, "events")
    let error = #expect(throws: ReplayError.self) { try stream.seek([0: 0, 1: 0]) }
    #expect(error?.summary == "topic events has no partition 1")
  }

  @Test func aPositionBeyondKafkasNumbersIsSaid() throws {
    try cluster.create("events", partitions: 1)
    let stream = try KafkaStream.of(cluster, "events")
    for number in [WideNumber(low: 1 << 63), WideNumber(low: .max >> 1), WideNumber(high: 1, low: 0)] {
      let error = #expect(throws: ReplayError.self) { try stream.seek([stream.at(0): Position(number: number)]) }
      #expect(error?.code == .data)
    }
    #expect(throws: ReplayError.self) { try stream.seek([Partition(log: "events", side: .live, id: "00"): .zero]) }
    #expect(throws: ReplayError.self) { try stream.seek([Partition(log: "events", id: "0"): .zero]) }
    #expect(throws: ReplayError.self) { try stream.seek([Partition(log: "other", side: .live, id: "0"): .zero]) }
  }

  @Test func nobodyThatListensIsSaidWithinTheLimit() throws {
    var limits = KafkaLimits()
    limits.answer = .seconds(2)
    let stream = try KafkaStream(KafkaAddress("kafka://127.0.0.1:1/events"), options: KafkaStream.fast, limits: limits)
    let begin = ContinuousClock.now
    let error = #expect(throws: ReplayError.self) { try stream.partitions() }
    #expect(.now - begin < .seconds(4))
    #expect(error?.code == .unavailable)
    #expect(error?.description.contains("brokers: 127.0.0.1:1") == true)
    #expect(error?.description.contains("last broker error: ") == true)
    #expect(error?.description.contains("onnection refused") == true, "\(error?.description ?? "")")
  }

  @Test func anOutageEndsTheReadingWithinTheLimitAndASeekBeginsAnew() throws {
    try cluster.create("events", partitions: 2)
    let producer = try MockProducer(cluster.bootstraps)
    try producer.produce("events", 0, numbered(0..<10))
    var limits = KafkaLimits()
    (limits.outage, limits.answer, limits.refresh) = (.seconds(2), .seconds(5), .seconds(30))
    let stream = try KafkaStream(
      KafkaAddress("kafka://\(cluster.bootstraps)/events"), options: KafkaStream.fast, limits: limits)
    try stream.seek([0: 0, 1: 0])
    var read = try stream.read { $0.caughtUp[0] == Position(10) && $0.caughtUp[1] == .zero }
    for broker in 1...3 { try cluster.down(Int32(broker)) }
    let begin = ContinuousClock.now
    let error = #expect(throws: ReplayError.self) { try stream.read(within: .seconds(20), until: { _ in false }) }
    #expect((.seconds(2) ..< .seconds(8)).contains(ContinuousClock.now - begin))
    #expect(error?.code == .unavailable)
    #expect(error?.description.contains("last broker error") == true)
    for broker in 1...3 { try cluster.up(Int32(broker)) }
    try producer.produce("events", 0, numbered(10..<20))
    try stream.seek([0: 10, 1: 0])
    try stream.read(&read) { $0.caughtUp[0] == Position(20) }
    #expect(read.payloads(0) == numbers(0..<20))
  }

  /// F14: the mock cluster knows no times, as brokers where no event is as young: the end, never -1 or 0.
  @Test func f14ATimeThatNothingIsBehindIsTheEnd() throws {
    try cluster.create("events", partitions: 2)
    try MockProducer(cluster.bootstraps).produce("events", 0, numbered(0..<10))
    let stream = try KafkaStream.of(cluster, "events")
    #expect(try stream.positions(at: 1_700_000_000_000) == [stream.at(0): Position(10), stream.at(1): .zero])
    #expect(try stream.positions(at: -2) == [stream.at(0): Position(10), stream.at(1): .zero])
  }

  @Test func aClosedStreamSaysSo() throws {
    try cluster.create("events", partitions: 1)
    let stream = try KafkaStream.of(cluster, "events")
    try stream.seek([0: 0])
    stream.close()
    stream.close()
    #expect(throws: ReplayError.self) { try stream.partitions() }
    #expect(throws: ReplayError.self) { try stream.poll(milliseconds: 1).map { _ in () } }
  }
}
