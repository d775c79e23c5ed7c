import CKafka
import ReplayCore

/// What librdkafka hands over, as the events of a live stream.
extension KafkaStream {
  func eventOfBatch() throws -> LiveEvent? {
    while let message = batch.first {
      let (id, code, offset) = (message.pointee.partition, message.pointee.err, message.pointee.offset)
      if code == RD_KAFKA_RESP_ERR_NO_ERROR {
        if takeRun(of: id) { return .messages(messages) }
        continue
      }
      let words = rd_kafka_message_errstr(message).map { String(cString: $0) } ?? ""
      batch.drop()
      if code == RD_KAFKA_RESP_ERR__PARTITION_EOF {
        guard isRead(id) else { continue }
        answered(id, next: offset)
        return .caughtUp(client.partition(id), next: Position(UInt64(clamping: offset)))
      }
      try bear(code, words, of: id)
    }
    return nil
  }

  /// Copies the events of one partition that lie in a row, up to about 1 MiB. False where none of them was asked for.
  private func takeRun(of id: Int32) -> Bool {
    messages.begin(client.partition(id))
    let from = isRead(id) ? expected[Int(id)] ?? .max : .max
    var (next, headers) = (from, KafkaHeaders())
    swap(&headers, &self.headers)
    batch.takeRun(bytes: 1 << 20) { message in
      guard message.pointee.offset >= next else { return }
      append(message, &headers)
      next = message.pointee.offset + 1
    }
    swap(&headers, &self.headers)
    guard messages.count > 0 else { return false }
    answered(id, next: next)
    return true
  }

  private func append(_ message: KafkaBatch.Message, _ headers: inout KafkaHeaders) {
    let kafka = message.pointee
    var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    let time = rd_kafka_message_timestamp(message, &kind)
    let isTimed = kind != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && time >= 0
    // Without a pointer there is no payload, which is something else than an empty one. Copied before the message goes.
    let payload = kafka.payload.map { UnsafeRawBufferPointer(start: $0, count: kafka.len) }
    let key = kafka.key.map { UnsafeRawBufferPointer(start: $0, count: kafka.key_len) }
    let position = Position(UInt64(kafka.offset))
    if headers.read(message) {
      headers.text.withUnsafeBytes {
        messages.append(at: position, payload: payload, key: key, headers: $0, time: isTimed ? time : nil)
      }
    } else {
      messages.append(at: position, payload: payload, key: key, time: isTimed ? time : nil)
    }
  }

  private func answered(_ id: Int32, next: Int64) {
    expected[Int(id)] = next
    resets = 0
    if !refused.isEmpty { refused[id] = nil }
    client.trouble.noteAnswer()
  }
}
