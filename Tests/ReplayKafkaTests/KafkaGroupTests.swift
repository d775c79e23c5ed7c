import CKafka
import KafkaMock
import ReplayCore
import Testing

@testable import ReplayKafka

/// The decision, case by case; then what the mock cluster can serve: offsets, but no list of members.
struct KafkaHandoverTests {
  private func at(_ id: Int) -> Partition { Partition(log: "events", side: .live, id: String(id)) }

  private func refusal(
    ours: [Partition: Position], committed: [Partition: Position] = [:], members: [KafkaGroup.Member] = []
  ) -> ReplayError? {
    KafkaHandover(group: "shop", ours: ours, committed: committed, members: members).refusal
  }

  @Test func aGroupThatHasCommittedNothingMayBeSetAnywhere() {
    #expect(refusal(ours: [at(0): .zero]) == nil)
    #expect(refusal(ours: [at(0): Position(7), at(1): Position(.max)]) == nil)
  }

  @Test func aGroupThatIsBehindOrThereMayBeSet() {
    #expect(refusal(ours: [at(0): Position(7)], committed: [at(0): Position(6)]) == nil)
    #expect(refusal(ours: [at(0): Position(7)], committed: [at(0): Position(7)]) == nil)
    #expect(refusal(ours: [at(0): Position(7)], committed: [at(1): Position(100)]) == nil)
    // Behind offset 7 is 8: the group is not ahead.
    #expect(refusal(ours: [at(0): Position(7, index: 1)], committed: [at(0): Position(8)]) == nil)
  }

  @Test func aGroupThatIsAheadAnywhereIsNot() throws {
    let error = try #require(
      refusal(
        ours: [at(0): Position(7), at(1): Position(9), at(10): Position(3)],
        committed: [at(0): Position(8), at(1): Position(9), at(10): Position(4)]))
    #expect(error.code == .fenced)
    #expect(
      error.details == [
        "events/0: the group is at 8, the replay at 7", "events/10: the group is at 4, the replay at 3",
      ])
    #expect(refusal(ours: [at(0): Position(7, index: 1)], committed: [at(0): Position(9)]) != nil)
  }

  @Test func aGroupWithMembersIsNot() throws {
    let members = [
      KafkaGroup.Member(client: "shop-2", host: "/10.0.0.2"), KafkaGroup.Member(client: "shop-1", host: "/10.0.0.1"),
    ]
    for committed in [[:], [at(0): Position(1)], [at(0): Position(100)]] {
      let error = try #require(refusal(ours: [at(0): Position(7)], committed: committed, members: members))
      #expect(error.code == .temporary)
      #expect(error.details == ["client shop-1 at /10.0.0.1", "client shop-2 at /10.0.0.2"])
      #expect(error.effect == "nothing was committed to Kafka")
    }
    let many = (0..<30).map { KafkaGroup.Member(client: "c\($0)", host: "h") }
    let error = try #require(refusal(ours: [at(0): Position(7)], members: many))
    #expect(error.details.count == 11 && error.details.last == "and 20 more")
  }

  @Test func nothingIsNotCommitted() { #expect(refusal(ours: [:])?.code == .usage) }
}

@Suite(.serialized, .timeLimit(.minutes(1)))
struct KafkaGroupTests {
  let cluster: MockCluster
  let address: KafkaAddress

  init() throws {
    cluster = try MockCluster(brokers: 2)
    address = KafkaAddress(brokers: cluster.bootstraps.split(separator: ",").map(String.init), topic: "events")
    try cluster.create("events", partitions: 3)
    let producer = try MockProducer(cluster.bootstraps)
    for id in 0..<3 { try producer.produce("events", Int32(id), numbered(0..<10)) }
  }

  private func group(_ name: String = "shop") throws -> KafkaGroup {
    var limits = KafkaLimits()
    limits.answer = .seconds(5)
    return try KafkaGroup(name, of: address, options: KafkaStream.fast, limits: limits)
  }

  private func at(_ id: Int) -> Partition { Partition(log: "events", side: .live, id: String(id)) }

  @Test func whatIsCommittedIsRead() throws {
    let group = try group()
    #expect(try group.committed() == [:])
    try group.write([at(0): Position(4), at(2): Position(6, index: 1)])
    #expect(try group.committed() == [at(0): Position(4), at(2): Position(7)])
    #expect(try self.group("other").committed() == [:])
    try group.write([at(0): Position(10)])
    #expect(try self.group().committed() == [at(0): Position(10), at(2): Position(7)])
  }

  @Test func aPositionThatTheTopicDoesNotHaveIsNotCommitted() throws {
    let group = try group()
    #expect(throws: LiveError.beyondEnd(at(1), wanted: Position(11), end: Position(10))) {
      try group.write([at(0): Position(4), at(1): Position(11)])
    }
    #expect(try group.committed() == [:])
  }

  /// The broker's own refusal, for the member that came between the question and the commit.
  @Test func aBrokerThatKnowsOfMembersIsBelieved() throws {
    let group = try group()
    _ = try group.committed()
    cluster.fail(request: 8, [RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID])
    let error = try #require(throws: ReplayError.self) { try group.write([at(0): Position(4)]) }
    #expect(error.summary == "consumer group shop has members")
  }

  /// Brokers that cannot list members refuse by themselves a commit for a group that has some.
  @Test func withoutTheListOfMembersTheBrokerDecides() throws {
    let group = try group()
    _ = try group.committed()
    cluster.fail(request: 8, [RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID])
    let error = try #require(throws: ReplayError.self) { try group.commit([at(0): Position(4)]) }
    #expect(error.summary == "consumer group shop has members")
    #expect(try group.committed() == [:])
    try group.commit([at(0): Position(4)])
    #expect(try group.committed() == [at(0): Position(4)])
  }
}
