import ReplayCore
import Testing

struct LeftEventsTests {
  private func place(_ number: UInt64) -> EventPlace {
    let segment = Segment(live: Partition(log: "a", side: .live, id: "0"), of: "a")
    return EventPlace(segment: segment, ordinal: number, position: Position(number))
  }

  /// What is left counts as open until the commit that holds it is durable, not until it was handed over.
  @Test func whatIsLeftIsOpenUntilItIsCommitted() {
    let left = LeftEvents(FailurePolicy(.deadLetter))
    #expect(!left.hasUncommitted)
    #expect(left.take().receipt == nil, "nothing was left")
    #expect(left.leave(place(1), key: [1], record: [], error: "no", attempts: 1))
    #expect(left.hasUncommitted)
    let (events, first) = left.take()
    #expect(events.count == 1 && left.hasUncommitted, "the lane goes on before it is written")
    _ = left.take()
    #expect(left.hasUncommitted, "a cut without events changes nothing")
    #expect(left.leave(place(2), key: [1], record: [], error: "no", attempts: 1))
    let second = left.take().receipt
    first?.sign()
    #expect(left.hasUncommitted, "there is a later one")
    second?.sign()
    #expect(!left.hasUncommitted)
  }
}
