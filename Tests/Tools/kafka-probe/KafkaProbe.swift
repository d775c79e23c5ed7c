import CKafka
import Glibc
import KafkaMock
import ReplayCore
import ReplayKafka

/// `kafka-probe [PARTITIONS [ROUNDS [BYTES]]]`: events a second of `KafkaStream.poll` beside librdkafka's own calls, from
/// the same cluster in memory, in turns. A partition holds 5 MiB, in batches of about 1 MiB.
///
/// `kafka-probe consume BOOTSTRAP TOPIC`: all of a topic by librdkafka alone, `events=N seconds=S`.
@main
struct KafkaProbe {
  let cluster: MockCluster
  let partitions: Int32
  let size: Int

  static func main() throws {
    let words = CommandLine.arguments
    if words.count == 4, words[1] == "consume" {
      let read = try BareConsumer(words[2]).everything(of: words[3])
      print("events=\(read.events) seconds=\(read.seconds)")
      return
    }
    let numbers = CommandLine.arguments.dropFirst().compactMap { Int($0) }
    let probe = KafkaProbe(
      cluster: try MockCluster(brokers: 2), partitions: Int32(numbers.first ?? 16),
      size: numbers.dropFirst(2).first ?? 200)
    let total = try probe.fill()
    print("\(total) events of \(probe.size) bytes in \(probe.partitions) partitions")
    for _ in 0..<(numbers.dropFirst().first ?? 5) {
      for (name, run) in [("batch", probe.batches), ("stream", probe.stream), ("single", probe.singles)] {
        let (begin, used) = (ContinuousClock.now, KafkaProbe.used())
        let (count, first) = try run(total)
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        let afterFirst = (ContinuousClock.now - first) / .seconds(1)
        let work = Int((KafkaProbe.used() - used) * 1e9 / Double(count))
        print(
          "\(name): \(count) events in \(seconds) s; behind the first \(Int(Double(count) / afterFirst)) events/s; "
            + "this thread's work \(work) ns an event")
      }
    }
  }

  /// Processor seconds of this thread: what others on the machine do is not in it.
  private static func used() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private func fill() throws -> Int {
    try cluster.create("events", partitions: partitions)
    let producer = try MockProducer(cluster.bootstraps, batch: 4000)
    let each = (9 << 19) / (size + 10)
    let message = MockMessage(Array(repeating: UInt8(ascii: "x"), count: size))
    for id in 0..<partitions {
      for _ in 0..<each { try producer.add("events", id, message) }
      try producer.flush()
    }
    return each * Int(partitions)
  }

  private func stream(_ total: Int) throws -> (Int, ContinuousClock.Instant) {
    let address = KafkaAddress(brokers: cluster.bootstraps.split(separator: ",").map(String.init), topic: "events")
    let stream = try KafkaStream(address)
    defer { stream.close() }
    let places = (0..<partitions).map { (Partition(log: "events", side: .live, id: String($0)), Position.zero) }
    try stream.seek(Dictionary(uniqueKeysWithValues: places))
    var (count, first) = (0, ContinuousClock.Instant?.none)
    while count < total {
      guard case .messages(let messages)? = try stream.poll(milliseconds: 100) else { continue }
      first = first ?? .now
      count += messages.count
    }
    return (count, first ?? .now)
  }

  private func singles(_ total: Int) -> (Int, ContinuousClock.Instant) { bare(total, batch: 1) }
  private func batches(_ total: Int) -> (Int, ContinuousClock.Instant) { bare(total, batch: 4096) }

  /// librdkafka alone, with the same options: the payloads are not looked at.
  private func bare(_ total: Int, batch: Int) -> (Int, ContinuousClock.Instant) {
    let consumer = BareConsumer(cluster.bootstraps)
    let handle = consumer.handle
    let list = rd_kafka_topic_partition_list_new(partitions)!
    for id in 0..<partitions { rd_kafka_topic_partition_list_add(list, "events", id).pointee.offset = 0 }
    rd_kafka_assign(handle, list)
    rd_kafka_topic_partition_list_destroy(list)
    let queue = rd_kafka_queue_get_consumer(handle)
    defer { rd_kafka_queue_destroy(queue) }
    var (count, first) = (0, ContinuousClock.Instant?.none)
    var taken = [UnsafeMutablePointer<rd_kafka_message_t>?](repeating: nil, count: batch)
    while count < total {
      taken[0] = rd_kafka_consumer_poll(handle, 100)
      guard taken[0] != nil else { continue }
      first = first ?? .now
      let more =
        batch == 1
        ? 0
        : taken.withUnsafeMutableBufferPointer {
          max(0, rd_kafka_consume_batch_queue(queue, 0, $0.baseAddress! + 1, batch - 1))
        }
      for place in 0...more {
        if taken[place]!.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR { count += 1 }
        rd_kafka_message_destroy(taken[place])
      }
    }
    return (count, first ?? .now)
  }
}
