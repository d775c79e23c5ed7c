import CKafka

/// A list of partitions of one topic with an offset each, as librdkafka takes and fills it.
final class KafkaOffsets {
  struct Element {
    let partition: Int32
    let offset: Int64
    let error: rd_kafka_resp_err_t
  }

  /// Owned: freed with the list, so it leaves only by `with`.
  private let list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

  init<Pairs: Collection>(topic: String, _ offsets: Pairs) where Pairs.Element == (Int32, Int64) {
    list = rd_kafka_topic_partition_list_new(Int32(offsets.count))
    for (partition, offset) in offsets {
      rd_kafka_topic_partition_list_add(list, topic, partition).pointee.offset = offset
    }
  }

  deinit { rd_kafka_topic_partition_list_destroy(list) }

  func with<T>(_ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) -> T) -> T {
    withExtendedLifetime(self) { body(list) }
  }

  var elements: [Element] {
    with { list in
      UnsafeBufferPointer(start: list.pointee.elems, count: Int(list.pointee.cnt)).map {
        Element(partition: $0.partition, offset: $0.offset, error: $0.err)
      }
    }
  }
}
