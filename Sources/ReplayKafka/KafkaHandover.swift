import ReplayCore

/// Whether a consumer group may be set to where a replay ended: a pure decision.
///
/// Not while somebody reads for it: he would go on where he is, and his next commit would undo ours. Not backwards: what
/// the group has read would be done again. A group that has committed nothing may be set anywhere.
struct KafkaHandover {
  let group: String
  let ours: [Partition: Position]
  let committed: [Partition: Position]
  let members: [KafkaGroup.Member]

  /// Nil: go ahead.
  var refusal: ReplayError? {
    if ours.isEmpty { return ReplayError(.usage, "there is no position to be committed for group \(group)") }
    if !members.isEmpty {
      return KafkaHandover.hasMembers(
        group, KafkaHandover.some(members.map { "client \($0.client) at \($0.host)" }.sorted()))
    }
    let ahead = ours.keys.filter { partition in
      guard let theirs = committed[partition], let own = ours[partition] else { return false }
      return theirs > KafkaHandover.whole(own)
    }
    guard !ahead.isEmpty else { return nil }
    let lines = ahead.sorted().map {
      "\($0): the group is at \(committed[$0] ?? .zero), the replay at \(KafkaHandover.whole(ours[$0] ?? .zero))"
    }
    return ReplayError(
      .fenced, "consumer group \(group) has read further than the replay", details: KafkaHandover.some(lines),
      effect: "nothing was committed to Kafka",
      next: "follow the stream until it is behind the group, or take another group")
  }

  static func hasMembers(_ group: String, _ who: [String]) -> ReplayError {
    ReplayError(
      .temporary, "consumer group \(group) has members", details: who, effect: "nothing was committed to Kafka",
      next: "stop them, wait until the group is empty, and run the same command again")
  }

  /// Kafka counts whole offsets: a position behind offset n is n + 1.
  private static func whole(_ position: Position) -> Position {
    position.index == 0 ? position : Position(number: position.number.advanced(by: 1))
  }

  private static func some(_ lines: [String]) -> [String] {
    lines.count <= 10 ? lines : Array(lines.prefix(10)) + ["and \(lines.count - 10) more"]
  }
}
