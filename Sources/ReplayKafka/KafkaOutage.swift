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
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
      RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      // Is it gone, or is it a broker that came up a moment ago?
      if missingSince == nil { refreshDue = .now }
    case _ where KafkaRefusal(code: code).mayPass: try waitOut(code, words, of: id)
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

  /// librdkafka fetches again by itself, so a trouble that lasts is told again every half second. Other partitions may
  /// be read meanwhile: this one's silence must end all the same.
  private func waitOut(_ code: rd_kafka_resp_err_t, _ words: String, of id: Int32) throws {
    guard isRead(id) else { return }
    let now = ContinuousClock.now
    var own = refused[id] ?? (now, now)
    // Was read in between, and had no event.
    if now - own.last > .seconds(10) { own.since = now }
    own.last = now
    refused[id] = own
    guard now - own.since >= limits.outage else { return }
    throw client.unavailable(
      "partition \(id) of \(log) could not be read for \(limits.outage.components.seconds) s: "
        + client.options.withoutSecrets(words), code)
  }

  /// A broker refused an offset. Either it is not there, which is said, or it is there again after an election.
  private func resetOffset() throws {
    let wanted = expected.indices.compactMap { id in expected[id].map { (Int32(id), $0) } }
    try client.checkBounds(wanted, within: patience)
    resets += 1
    guard resets < 100 else { throw client.unavailable("brokers refuse offsets of \(log) that they say they have") }
    try assign()
  }

  /// Looks for new partitions when it is time, whether brokers are there where they say nothing, and whether they have
  /// been away for too long.
  func look() throws {
    let now = ContinuousClock.now
    guard now >= min(refreshDue, contactDue) else { return }
    asked = now
    do {
      let ids = try client.partitionIDs(within: min(.seconds(1), limits.answer))
      opened += ids.filter { named.insert($0).inserted }.reversed()
      (refreshDue, missingSince) = (.now + limits.refresh, nil)
    } catch let error as ReplayError where error.code == .missing {
      // A broker that has just come up does not know its topics yet.
      let since = missingSince ?? now
      (refreshDue, missingSince) = (.now + min(.seconds(1), limits.refresh), since)
      if now - since >= min(.seconds(30), limits.outage) { throw error }
    } catch let error as ReplayError where error.code == .unavailable {
      client.trouble.noteDown(since: now)
      refreshDue = .now + min(.seconds(5), limits.refresh)
      guard let since = client.trouble.downSince, .now - since >= limits.outage else { return }
      throw client.unavailable("no broker of \(log) has been reached for \(limits.outage.components.seconds) s")
    }
  }
  /// librdkafka waits for the answer to a fetch for a minute and says nothing of it: so an idle topic and a broker that
  /// is away look the same until one asks.
  private var contactDue: ContinuousClock.Instant {
    client.trouble.downSince == nil
      ? max(client.trouble.heard, asked) + limits.silence : asked + min(.seconds(1), limits.silence)
  }
}
