import CKafka
import ReplayCore

/// What is waited out, and what ends the reading.
extension KafkaStream {
  /// What librdkafka says of a partition or of itself, other than the end: waited out, or the end of the reading.
  func bear(_ code: rd_kafka_resp_err_t, _ words: String, of id: Int32) throws {
    client.trouble.note(words)
    switch code {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      if isRead(id) { try resetOffset() }
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
      return  // Of the group that is not used.
    case _ where KafkaRefusal(code: code).mayPass: return
    default:
      if let error = client.error(for: code) { throw error }
      let isDamage = code == RD_KAFKA_RESP_ERR__BAD_MSG || code == RD_KAFKA_RESP_ERR__BAD_COMPRESSION
      let place = isRead(id) ? ["partition \(id), at or behind offset \(expected[Int(id)] ?? 0)"] : []
      throw ReplayError(
        isDamage ? .data : .unavailable, "reading \(log) failed: \(client.options.withoutSecrets(words))",
        details: place + ["brokers: \(client.address.brokers.joined(separator: ", "))"],
        next: isDamage ? "have the partition's log looked after at its broker" : nil)
    }
  }

  /// A broker refused an offset. Either it is not there, which is said, or it is there again after an election.
  private func resetOffset() throws {
    let wanted = expected.indices.compactMap { id in expected[id].map { (Int32(id), $0) } }
    try client.checkBounds(wanted, within: limits.answer)
    resets += 1
    guard resets < 100 else { throw client.unavailable("brokers refuse offsets of \(log) that they say they have") }
    try assign()
  }

  /// Looks for new partitions when it is time, and whether brokers have been away for too long.
  func look() throws {
    let now = ContinuousClock.now
    let outage = client.trouble.downSince.map { now - $0 }
    guard now >= refreshDue || (outage.map { $0 >= limits.outage } ?? false) else { return }
    do {
      let ids = try client.partitionIDs(within: min(.seconds(1), limits.answer))
      opened += ids.filter { named.insert($0).inserted }.reversed()
      refreshDue = .now + limits.refresh
    } catch let error as ReplayError where error.code == .unavailable {
      client.trouble.noteDown(since: now)
      refreshDue = .now + min(.seconds(5), limits.refresh)
      guard let since = client.trouble.downSince, .now - since >= limits.outage else { return }
      throw client.unavailable("no broker of \(log) has been reached for \(limits.outage.components.seconds) s")
    }
  }
}
