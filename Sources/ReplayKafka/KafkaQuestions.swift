import CKafka
import Glibc
import ReplayCore

/// What a client asks brokers, each within a bounded time.
extension KafkaClient {
  /// One attempt at an answer takes at most so long: a connection that has died quietly answers none.
  private static let attempt = Duration.seconds(5)

  enum Offset {
    /// What retention has left.
    static let start = Int64(RD_KAFKA_OFFSET_BEGINNING)
    /// Behind the last event that may be read: the last stable offset under read_committed, else the high watermark.
    static let end = Int64(RD_KAFKA_OFFSET_END)
  }

  /// The ids of the topic's partitions. Throws `.missing` where there is no such topic.
  func partitionIDs(within limit: Duration) throws -> [Int32] {
    let deadline = ContinuousClock.now + limit
    while true {
      let code = partitionIDs(until: deadline)
      switch code {
      case .success(let ids): return ids
      case .failure(let refusal):
        if let error = self.error(for: refusal.code) { throw error }
        guard refusal.mayPass, .now < deadline, !isStopped() else {
          throw unavailable("no broker says which partitions \(address.topic) has", refusal.code)
        }
        usleep(50_000)
      }
    }
  }

  private func partitionIDs(until deadline: ContinuousClock.Instant) -> Result<[Int32], KafkaRefusal> {
    var answer: UnsafePointer<rd_kafka_metadata>?
    let limit = deadline.millisecondsLeft(atMost: KafkaClient.attempt)
    let code = rd_kafka_metadata(handle, 0, topicHandle, &answer, limit)
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let answer else { return .failure(KafkaRefusal(code: code)) }
    defer { rd_kafka_metadata_destroy(answer) }
    trouble.noteAnswer()
    guard answer.pointee.topic_cnt == 1, let topic = answer.pointee.topics else {
      return .failure(KafkaRefusal(code: RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART))
    }
    guard topic.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
      return .failure(KafkaRefusal(code: topic.pointee.err))
    }
    let partitions = UnsafeBufferPointer(start: topic.pointee.partitions, count: Int(topic.pointee.partition_cnt))
    return .success(partitions.map(\.id).sorted())
  }

  /// For each partition the first offset that was written at `time` (milliseconds since 1970) or later, -1 where there
  /// is none; or `Offset.start` and `Offset.end`. One request for each broker, however many partitions it leads.
  func offsets(at time: Int64, of ids: [Int32], within limit: Duration) throws -> [Int32: Int64] {
    let deadline = ContinuousClock.now + limit
    var found: [Int32: Int64] = [:]
    // librdkafka takes no question about nothing.
    if ids.isEmpty { return found }
    while true {
      let asked = KafkaOffsets(topic: address.topic, ids.filter { found[$0] == nil }.map { ($0, time) })
      let limit = deadline.millisecondsLeft(atMost: KafkaClient.attempt)
      let code = asked.with { rd_kafka_offsets_for_times(handle, $0, limit) }
      var refusal = code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaRefusal(code: code)
      for element in asked.elements {
        if code == RD_KAFKA_RESP_ERR_NO_ERROR, element.error == RD_KAFKA_RESP_ERR_NO_ERROR {
          found[element.partition] = element.offset
        } else if element.error != RD_KAFKA_RESP_ERR_NO_ERROR {
          refusal = KafkaRefusal(code: element.error)
        }
      }
      guard let refusal else { return found }
      if let error = self.error(for: refusal.code) { throw error }
      guard refusal.mayPass, .now < deadline, !isStopped() else {
        throw unavailable("the brokers do not say where the partitions of \(address.topic) begin and end", refusal.code)
      }
      usleep(50_000)
    }
  }

  /// The error that a refusal means however often one asks; nil where there is no special one.
  func error(for code: rd_kafka_resp_err_t) -> ReplayError? {
    switch code {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
      RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      ReplayError(
        .missing, "there is no topic \(address.topic)",
        details: ["brokers: \(address.brokers.joined(separator: ", "))"],
        next: "check the topic's name, and that these are the brokers that have it")
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      ReplayError(
        .permission, "the brokers do not let this user read \(address.topic)", details: [KafkaClient.words(code)],
        next: "allow the user of the -X options Read and Describe on topic \(address.topic)")
    default: nil
    }
  }
}

/// Why brokers did not answer a question.
struct KafkaRefusal: Error {
  let code: rd_kafka_resp_err_t

  /// Asking again may help: a leader is being elected, a broker is away, or is in a trouble that it has no name for.
  var mayPass: Bool {
    switch code {
    case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
      RD_KAFKA_RESP_ERR__WAIT_CACHE, RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
      RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
      RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
      RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
      RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
      RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
      RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR_UNKNOWN,
      RD_KAFKA_RESP_ERR__FAIL, RD_KAFKA_RESP_ERR__RETRY, RD_KAFKA_RESP_ERR__INTR, RD_KAFKA_RESP_ERR__IN_PROGRESS,
      RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS, RD_KAFKA_RESP_ERR__OUTDATED, RD_KAFKA_RESP_ERR_STALE_CTRL_EPOCH,
      RD_KAFKA_RESP_ERR_FETCH_SESSION_ID_NOT_FOUND, RD_KAFKA_RESP_ERR_INVALID_FETCH_SESSION_EPOCH,
      RD_KAFKA_RESP_ERR_LISTENER_NOT_FOUND, RD_KAFKA_RESP_ERR_STALE_BROKER_EPOCH,
      RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
      true
    default: false
    }
  }
}

extension ContinuousClock.Instant {
  /// From now until then as librdkafka takes a time limit: at least one millisecond.
  var millisecondsLeft: Int32 { millisecondsLeft(atMost: .seconds(3600)) }

  func millisecondsLeft(atMost most: Duration) -> Int32 {
    let left = min(self - .now, most).components
    let milliseconds =
      left.seconds.multipliedReportingOverflow(by: 1000).partialValue + left.attoseconds / 1_000_000_000_000_000
    return Int32(clamping: max(1, milliseconds))
  }
}
