import CKafka
import ReplayCore

/// A consumer group that is to read a topic from where a replay ended. Only its offsets are written; it is never joined.
public final class KafkaGroup {
  /// One process of the group, as it named itself.
  public struct Member: Sendable, Hashable {
    public let client: String
    public let host: String
    public init(client: String, host: String) {
      self.client = client
      self.host = host
    }
  }

  public let name: String
  private let client: KafkaClient
  private let limits: KafkaLimits

  /// `options` and `log` as of `KafkaStream`. Connects to nobody yet.
  public init(
    _ name: String, of address: KafkaAddress, options: [(String, String)] = [], limits: KafkaLimits = KafkaLimits(),
    log: (@Sendable (_ level: Int32, _ line: String) -> Void)? = nil
  ) throws {
    guard !name.isEmpty else { throw ReplayError(.usage, "a consumer group's name is empty") }
    self.name = name
    self.limits = limits
    client = try KafkaClient(address, options: try KafkaOptions(options), group: name, log: log)
  }

  public func close() { client.close() }

  /// Where the group would go on; without the partitions for which it has committed nothing.
  public func committed() throws -> [Partition: Position] {
    let ids = try client.partitionIDs(within: limits.answer)
    let asked = KafkaOffsets(topic: client.address.topic, ids.map { ($0, Int64(RD_KAFKA_OFFSET_INVALID)) })
    let code = asked.with { rd_kafka_committed(client.handle, $0, (.now + limits.answer).millisecondsLeft) }
    try check(code, "its offsets cannot be read")
    var found: [Partition: Position] = [:]
    for element in asked.elements {
      try check(element.error, "its offset of partition \(element.partition) cannot be read")
      if element.offset >= 0 { found[client.partition(element.partition)] = Position(UInt64(element.offset)) }
    }
    return found
  }

  /// Who reads for the group now; empty too where the brokers cannot say: they refuse a commit for a group with members
  /// by themselves.
  public func members() throws -> [Member] {
    var answer: UnsafePointer<rd_kafka_group_list>?
    let code = rd_kafka_list_groups(client.handle, name, &answer, (.now + limits.answer).millisecondsLeft)
    defer { if let answer { rd_kafka_group_list_destroy(answer) } }
    let groups = answer.map { UnsafeBufferPointer(start: $0.pointee.groups, count: Int($0.pointee.group_cnt)) }
    let group = groups?.first { $0.group.map { String(cString: $0) } == name }
    if code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE { return [] }
    guard let group else {
      // Of a part of the brokers: the one that was not asked may be the group's.
      try check(code, "its members cannot be listed")
      return []
    }
    try check(group.err, "its members cannot be listed")
    return UnsafeBufferPointer(start: group.members, count: Int(group.member_cnt)).map { member in
      Member(
        client: member.client_id.map { String(cString: $0) } ?? "",
        host: member.client_host.map { String(cString: $0) } ?? "")
    }
  }

  /// Throws where `commit` would, as far as it can be known.
  public func verify(_ positions: [Partition: Position]) throws {
    try client.checkBounds(try places(positions), within: limits.answer)
    let handover = KafkaHandover(group: name, ours: positions, committed: try committed(), members: try members())
    if let refusal = handover.refusal { throw refusal }
  }

  /// Has the group go on at these positions. Throws, and writes nothing, where it has members, has gone further, or where
  /// a position is not in the topic (any more); see `KafkaHandover`.
  public func commit(_ positions: [Partition: Position]) throws {
    try verify(positions)
    try write(positions)
  }

  private func places(_ positions: [Partition: Position]) throws -> [(Int32, Int64)] {
    try positions.map { try client.place($0.key, $0.value) }.sorted { $0.0 < $1.0 }
  }

  /// Without the questions of `commit`, but within the topic's bounds. A broker refuses it for a group with members.
  func write(_ positions: [Partition: Position]) throws {
    let wanted = try places(positions)
    try client.checkBounds(wanted, within: limits.answer)
    try send(wanted)
    let after = try committed()
    for (id, offset) in wanted where after[client.partition(id)] != Position(UInt64(offset)) {
      throw ReplayError(
        .unavailable, "group \(name) does not have the offset that was committed for partition \(id)",
        details: ["committed: \(offset)", "found: \(after[client.partition(id)]?.description ?? "nothing")"],
        next: "see who else commits for the group")
    }
  }

  private func send(_ wanted: [(Int32, Int64)]) throws {
    let replies = rd_kafka_queue_new(client.handle)!
    defer { rd_kafka_queue_destroy(replies) }
    let offsets = KafkaOffsets(topic: client.address.topic, wanted)
    try check(
      offsets.with { rd_kafka_commit_queue(client.handle, $0, replies, nil, nil) }, "its offsets cannot be committed")
    guard let reply = rd_kafka_queue_poll(replies, (.now + limits.answer).millisecondsLeft) else {
      throw client.unavailable("no broker answered the commit for group \(name)", RD_KAFKA_RESP_ERR__TIMED_OUT)
    }
    defer { rd_kafka_event_destroy(reply) }
    try check(rd_kafka_event_error(reply), "its offsets cannot be committed")
  }

  private func check(_ code: rd_kafka_resp_err_t, _ what: String) throws {
    switch code {
    case RD_KAFKA_RESP_ERR_NO_ERROR: return
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
      RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
      throw KafkaHandover.hasMembers(name, ["librdkafka: \(KafkaClient.words(code))"])
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      throw ReplayError(
        .permission, "group \(name): \(what)", details: [KafkaClient.words(code)],
        next: "allow the user of the -X options Read on group \(name)")
    default:
      if let error = client.error(for: code) { throw error }
      throw client.unavailable("group \(name): \(what)", code)
    }
  }
}
