import CKafka

/// What one call of librdkafka's gave: messages and news of many partitions, handed out partition by partition, in
/// order within each.
final class KafkaBatch {
  typealias Message = UnsafeMutablePointer<rd_kafka_message_t>

  /// Owned, as are the messages from `next` on: freed with the batch.
  private let taken: UnsafeMutablePointer<Message?>
  private let capacity: Int
  /// Partition and place in `taken`, as one number: sorts into partitions and keeps the order within.
  private var order: [UInt64] = []
  private var next = 0

  init(capacity: Int) {
    self.capacity = capacity
    taken = .allocate(capacity: capacity)
    taken.initialize(repeating: nil, count: capacity)
  }

  deinit {
    discard()
    taken.deallocate()
  }

  /// Waits for the first message only: librdkafka's batch call waits until the batch is full or the time is over.
  func fill(from client: OpaquePointer, _ queue: OpaquePointer, milliseconds: Int32) {
    discard()
    guard let first = rd_kafka_consumer_poll(client, milliseconds) else { return }
    taken[0] = first
    let count = 1 + max(0, rd_kafka_consume_batch_queue(queue, 0, taken + 1, capacity - 1))
    for place in 0..<count {
      // News of no partition (-1) come last.
      let partition = UInt32(bitPattern: taken[place]!.pointee.partition)
      order.append(UInt64(partition) << 32 | UInt64(place))
    }
    order.sort()
  }

  var first: Message? { next < order.count ? taken[place(next)] : nil }

  /// Hands out and frees the messages without error that follow for the first one's partition, up to about so many bytes.
  func takeRun(bytes limit: Int, _ body: (Message) -> Void) {
    // Held here: a property of a class is looked after at each use.
    let order = self.order
    var (rank, size, partition) = (next, 0, Int32?.none)
    while rank < order.count, size < limit, let message = taken[Int(order[rank] & 0xffff_ffff)] {
      let kafka = message.pointee
      guard kafka.err == RD_KAFKA_RESP_ERR_NO_ERROR, kafka.partition == partition ?? kafka.partition else { break }
      partition = kafka.partition
      body(message)
      size += kafka.len + kafka.key_len
      rd_kafka_message_destroy(message)
      rank += 1
    }
    next = rank
  }

  /// Frees the first one and what points into it.
  func drop() {
    let place = place(next)
    rd_kafka_message_destroy(taken[place])
    next += 1
  }

  func discard() {
    while next < order.count { drop() }
    order.removeAll(keepingCapacity: true)
    next = 0
  }

  private func place(_ rank: Int) -> Int { Int(order[rank] & 0xffff_ffff) }
}
