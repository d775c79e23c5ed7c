import CKafka
import KafkaMock

/// librdkafka alone, with the options that `KafkaStream` gives it: what it hands over is counted and not looked at.
final class BareConsumer {
  /// Owned.
  let handle: OpaquePointer

  init(_ bootstraps: String) {
    let configuration = rd_kafka_conf_new()
    let options = [
      "bootstrap.servers": bootstraps, "group.id": "bare", "fetch.wait.max.ms": "50", "check.crcs": "true",
      "queued.min.messages": "1000000", "queued.max.messages.kbytes": "262144", "enable.auto.offset.store": "false",
      "enable.partition.eof": "true", "isolation.level": "read_committed",
    ]
    for (key, value) in options { rd_kafka_conf_set(configuration, key, value, nil, 0) }
    handle = rd_kafka_new(RD_KAFKA_CONSUMER, configuration, nil, 0)!
  }

  deinit { rd_kafka_destroy(handle) }

  /// From the assignment, which begins at the first offset of every partition, to the last one's end.
  func everything(of topic: String) throws -> (events: Int, seconds: Double) {
    let partitions = try partitionCount(of: topic)
    let begin = ContinuousClock.now
    let list = rd_kafka_topic_partition_list_new(partitions)!
    for id in 0..<partitions {
      rd_kafka_topic_partition_list_add(list, topic, id).pointee.offset = Int64(RD_KAFKA_OFFSET_BEGINNING)
    }
    rd_kafka_assign(handle, list)
    rd_kafka_topic_partition_list_destroy(list)
    let queue = rd_kafka_queue_get_consumer(handle)
    defer { rd_kafka_queue_destroy(queue) }
    var (count, ends) = (0, 0)
    var taken = [UnsafeMutablePointer<rd_kafka_message_t>?](repeating: nil, count: 4096)
    while ends < partitions {
      taken[0] = rd_kafka_consumer_poll(handle, 100)
      guard taken[0] != nil else { continue }
      let more = taken.withUnsafeMutableBufferPointer {
        max(0, rd_kafka_consume_batch_queue(queue, 0, $0.baseAddress! + 1, $0.count - 1))
      }
      for place in 0...more {
        switch taken[place]!.pointee.err {
        case RD_KAFKA_RESP_ERR_NO_ERROR: count += 1
        case RD_KAFKA_RESP_ERR__PARTITION_EOF: ends += 1
        default: throw MockError(String(cString: rd_kafka_message_errstr(taken[place])))
        }
        rd_kafka_message_destroy(taken[place])
      }
    }
    return (count, (ContinuousClock.now - begin) / .seconds(1))
  }

  private func partitionCount(of topic: String) throws -> Int32 {
    let named = rd_kafka_topic_new(handle, topic, nil)
    defer { rd_kafka_topic_destroy(named) }
    var answer: UnsafePointer<rd_kafka_metadata>?
    let code = rd_kafka_metadata(handle, 0, named, &answer, 10_000)
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let answer else {
      throw MockError(String(cString: rd_kafka_err2str(code)))
    }
    defer { rd_kafka_metadata_destroy(answer) }
    return answer.pointee.topics.pointee.partition_cnt
  }
}
