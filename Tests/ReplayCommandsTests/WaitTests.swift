import ReplayCore
import Testing

@testable import ReplayCommands

@Suite struct TimeSpanTests {
  @Test(arguments: [
    ("0s", 0), ("1ms", 1), ("500ms", 500), ("5s", 5_000), ("90s", 90_000), ("2m", 120_000), ("1h", 3_600_000),
    ("24h", 86_400_000), ("3d", 259_200_000), ("1000d", 86_400_000_000), ("007s", 7_000),
  ])
  func spans(text: String, milliseconds: Int64) throws {
    let span = try #require(TimeSpan(argument: text))
    #expect(span.milliseconds == milliseconds && span.description == text)
  }

  @Test(arguments: [
    "", "5", "s", "-5s", "+5s", "5 s", " 5s", "5s ", "0.5s", "5S", "5y", "5us", "5sec", "1001d", "86400000001ms", "٥s",
    "99999999999999999999s", "1m30s",
  ])
  func none(text: String) { #expect(TimeSpan(argument: text) == nil) }
}

@Suite struct EventPlaceTests {
  @Test(arguments: [
    ("3:30", "3", Position(30)), ("3:30:1", "3", Position(30, index: 1)), ("a:b:30", "a:b", Position(30)),
    (":30", "", Position(30)), ("a::30", "a:", Position(30)),
    ("shardId-000000000007:0x1f", "shardId-000000000007", Position(31)),
    ("p:0x1f:2", "p", Position(31, index: 2)), ("0:18446744073709551615", "0", Position(.max)),
  ])
  func places(text: String, partition: String, position: Position) throws {
    let place = try #require(EventPlace(argument: text))
    #expect(place.partition == partition && place.position == position)
  }

  @Test(arguments: ["", "3", "30:", "3:x", "3:-1", "3:+1", "3: 1", "3:1.5", "3:18446744073709551616", "3:0x", ":"])
  func none(text: String) { #expect(EventPlace(argument: text) == nil) }
}

@Suite struct SettlementTests {
  private let place = EventPlace(partition: "3", position: Position(30))
  private func archive(_ id: String = "3") -> Partition { Partition(log: "orders", id: id) }
  private func live(_ id: String = "3") -> Partition { Partition(log: "orders", side: .live, id: id) }

  /// What is next has not been read: 30 is settled by anything above it, and by nothing else.
  @Test func theNextPositionIsNotSettled() {
    #expect(Settlement(of: place, by: [[archive(): Position(30)]]) == .open(next: Position(30)))
    #expect(Settlement(of: place, by: [[archive(): Position(30, index: 1)]]) == .settled(next: Position(30, index: 1)))
    #expect(Settlement(of: place, by: [[live(): Position(31)]]) == .settled(next: Position(31)))
  }

  @Test func eitherSideCounts() {
    #expect(
      Settlement(of: place, by: [[archive(): Position(99), live(): Position(7)]]) == .settled(next: Position(99)))
    #expect(
      Settlement(of: place, by: [[archive(): Position(7), live(): Position(99)]]) == .settled(next: Position(99)))
  }

  @Test func everyFunctionThatIsAskedAboutCounts() {
    let ahead = [live(): Position(99)]
    #expect(Settlement(of: place, by: [ahead, [live(): Position(8)]]) == .open(next: Position(8)))
    #expect(Settlement(of: place, by: [ahead, [live(): Position(40)]]) == .settled(next: Position(40)))
    #expect(Settlement(of: place, by: [ahead, [:]]) == .open(next: nil))
  }

  @Test func anotherPartitionDoesNot() {
    #expect(Settlement(of: place, by: [[live("33"): Position(99)]]) == .open(next: nil))
    #expect(Settlement(of: place, by: []) == .open(next: nil))
  }
}
