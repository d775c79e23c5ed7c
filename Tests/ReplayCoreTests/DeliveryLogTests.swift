import ReplayCore
import Testing

struct DeliveryLogTests {
  static let partition = Partition(log: "a", id: "0")

  /// As the router does: the high half of the hash times the number of lanes.
  @Test(arguments: [1, 2, 3, 7, 32, 1000]) func lanesPartTheHashesAsTheRouterDoes(lanes: Int) {
    var next: UInt64 = 0
    for lane in 0..<lanes {
      let range = KeyRange(lane: lane, of: lanes)
      #expect(range.first == next)
      for hash in [range.first, range.last] {
        #expect(Int(hash.multipliedFullWidth(by: UInt64(lanes)).high) == lane)
      }
      next = range.last &+ 1
    }
    #expect(next == 0, "the last lane ends with the last hash")
  }

  @Test func whatWasDeliveredIsKnownByKeyPartitionAndPosition() throws {
    let earlier = DeliveryMark(
      partition: DeliveryLogTests.partition, range: KeyRange(first: 0, last: 99), next: Position(5))
    let log = DeliveryLog(run: 3, marks: [earlier]) { _ in }
    let other = Partition(log: "a", id: "1")
    #expect(log.delivered.contains(keyHash: 99, DeliveryLogTests.partition, Position(4)))
    #expect(!log.delivered.contains(keyHash: 100, DeliveryLogTests.partition, Position(4)))
    #expect(!log.delivered.contains(keyHash: 99, DeliveryLogTests.partition, Position(5)))
    #expect(!log.delivered.contains(keyHash: 99, other, Position(4)))
    try log.delivered(other, KeyRange(first: 50, last: 60), next: Position(9))
    #expect(log.delivered.contains(keyHash: 55, other, Position(8)))
    #expect(!log.delivered.contains(keyHash: 61, other, Position(8)))
  }

  @Test func whatCannotBeKeptIsNotHeldForDelivered() {
    struct Full: Error {}
    let log = DeliveryLog(run: 1) { _ in throw Full() }
    #expect(throws: Full.self) { try log.delivered(DeliveryLogTests.partition, .all, next: Position(1)) }
    #expect(!log.delivered.contains(keyHash: 1, DeliveryLogTests.partition, .zero))
  }
}
