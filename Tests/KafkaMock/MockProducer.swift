import CKafka

/// One event to be written. Nil and empty are different things to Kafka, for payloads and keys alike.
public struct MockMessage: Sendable {
  public var payload: [UInt8]?
  public var key: [UInt8]?
  public var headers: [(String, [UInt8]?)]
  /// Milliseconds since 1970; nil: now.
  public var time: Int64?

  public init(_ payload: [UInt8]?, key: [UInt8]? = nil, headers: [(String, [UInt8]?)] = [], time: Int64? = nil) {
    self.payload = payload
    self.key = key
    self.headers = headers
    self.time = time
  }

  public init(_ payload: String) { self.init(Array(payload.utf8)) }
}

/// Writes to a cluster through librdkafka's real producer.
///
/// `@unchecked Sendable`: the handle is constant, and librdkafka locks behind every call.
public final class MockProducer: @unchecked Sendable {
  /// Owned.
  private let handle: OpaquePointer

  /// `codec`: none, gzip, snappy, lz4 or zstd. `batch`: the most messages of one batch.
  public init(_ bootstraps: String, codec: String = "none", batch: Int = 10_000) throws {
    let configuration = rd_kafka_conf_new()!
    rd_kafka_conf_set_log_cb(configuration) { _, _, _, _ in }
    let options = [
      "bootstrap.servers": bootstraps, "compression.codec": codec, "batch.num.messages": String(batch),
      "linger.ms": "2",
      "queue.buffering.max.messages": "1000000", "message.max.bytes": "8000000", "enable.idempotence": "true",
      "reconnect.backoff.max.ms": "200",
      "topic.metadata.refresh.fast.interval.ms": "50",
    ]
    for (key, value) in options where rd_kafka_conf_set(configuration, key, value, nil, 0) != RD_KAFKA_CONF_OK {
      rd_kafka_conf_destroy(configuration)
      throw MockError("producer option \(key)=\(value)")
    }
    guard let handle = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0) else {
      rd_kafka_conf_destroy(configuration)
      throw MockError("no producer")
    }
    self.handle = handle
  }

  deinit { rd_kafka_destroy(handle) }

  /// Hands all of them over and waits until the brokers have them.
  public func produce(_ topic: String, _ partition: Int32, _ messages: [MockMessage]) throws {
    for message in messages { try add(topic, partition, message) }
    try flush()
  }

  public func add(_ topic: String, _ partition: Int32, _ message: MockMessage) throws {
    while true {
      let code = send(topic, partition, message)
      if code == RD_KAFKA_RESP_ERR_NO_ERROR { return }
      guard code == RD_KAFKA_RESP_ERR__QUEUE_FULL else {
        throw MockError("produce: \(String(cString: rd_kafka_err2str(code)))")
      }
      rd_kafka_poll(handle, 20)
    }
  }

  public func flush(milliseconds: Int32 = 30_000) throws {
    let code = rd_kafka_flush(handle, milliseconds)
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw MockError("flush: \(String(cString: rd_kafka_err2str(code)))") }
  }

  private func send(_ topic: String, _ partition: Int32, _ message: MockMessage) -> rd_kafka_resp_err_t {
    var parts: [rd_kafka_vu_t] = []
    func part(_ kind: rd_kafka_vtype_t, _ fill: (inout rd_kafka_vu_t) -> Void) {
      var one = rd_kafka_vu_t()
      one.vtype = kind
      fill(&one)
      parts.append(one)
    }
    part(RD_KAFKA_VTYPE_PARTITION) { $0.u.i32 = partition }
    part(RD_KAFKA_VTYPE_MSGFLAGS) { $0.u.i = RD_KAFKA_MSG_F_COPY }
    if let time = message.time { part(RD_KAFKA_VTYPE_TIMESTAMP) { $0.u.i64 = time } }
    // librdkafka holds the list only if it takes the message.
    let headers = rd_kafka_headers_new(message.headers.count)!
    for (name, value) in message.headers { rd_kafka_header_add(headers, name, -1, value, value?.count ?? 0) }
    if message.headers.isEmpty {
      rd_kafka_headers_destroy(headers)
    } else {
      part(RD_KAFKA_VTYPE_HEADERS) { $0.u.headers = headers }
    }
    return topic.withCString { name in
      part(RD_KAFKA_VTYPE_TOPIC) { $0.u.cstr = name }
      return MockProducer.withMemory(message.payload) { payload, size in
        part(RD_KAFKA_VTYPE_VALUE) { $0.u.mem = .init(ptr: payload, size: size) }
        return MockProducer.withMemory(message.key) { key, size in
          part(RD_KAFKA_VTYPE_KEY) { $0.u.mem = .init(ptr: key, size: size) }
          let error = rd_kafka_produceva(handle, parts, parts.count)
          guard let error else { return RD_KAFKA_RESP_ERR_NO_ERROR }
          defer { rd_kafka_error_destroy(error) }
          if !message.headers.isEmpty { rd_kafka_headers_destroy(headers) }
          return rd_kafka_error_code(error)
        }
      }
    }
  }

  /// A pointer also for what is empty, none for what is not there.
  private static func withMemory<T>(_ bytes: [UInt8]?, _ body: (UnsafeMutableRawPointer?, Int) -> T) -> T {
    guard let bytes else { return body(nil, 0) }
    var copy = bytes + [0]
    return copy.withUnsafeMutableBytes { body($0.baseAddress, bytes.count) }
  }
}
