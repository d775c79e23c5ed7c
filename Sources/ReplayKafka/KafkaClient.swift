import CKafka
import ReplayCore

/// One librdkafka consumer of one topic: its configuration, its words, and the questions it asks brokers. It never joins
/// a group.
final class KafkaClient {
  let address: KafkaAddress
  let options: KafkaOptions
  /// Whoever waits for an answer wants none any more.
  var isStopped: () -> Bool = { false }
  let trouble: KafkaTrouble
  /// Both owned: destroyed by `close()`, after which nothing may use them.
  let handle: OpaquePointer
  let topicHandle: OpaquePointer
  private var isClosed = false

  init(
    _ address: KafkaAddress, options: KafkaOptions, group: String, isolation: String? = nil, log: KafkaTrouble.Log?
  ) throws {
    self.address = address
    self.options = options
    trouble = KafkaTrouble(options: options, log: log)
    let configuration = rd_kafka_conf_new()!
    do {
      try KafkaClient.configure(configuration, address, options, group: group, isolation: isolation)
      KafkaClient.listen(configuration, trouble)
      var words = [CChar](repeating: 0, count: 512)
      guard let made = rd_kafka_new(RD_KAFKA_CONSUMER, configuration, &words, words.count) else {
        let reason = words.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        throw ReplayError(.usage, "Kafka's options do not fit together: \(options.withoutSecrets(reason))")
      }
      handle = made
    } catch {
      rd_kafka_conf_destroy(configuration)
      throw error
    }
    guard let named = rd_kafka_topic_new(handle, address.topic, nil) else {
      rd_kafka_destroy(handle)
      throw ReplayError(.usage, "\(address.topic) is not a topic's name")
    }
    topicHandle = named
  }

  deinit { close() }

  func close() {
    guard !isClosed else { return }
    isClosed = true
    rd_kafka_topic_destroy(topicHandle)
    rd_kafka_assign(handle, nil)
    KafkaEnd.of(handle, trouble, within: .seconds(5))
  }

  private static func configure(
    _ configuration: OpaquePointer, _ address: KafkaAddress, _ options: KafkaOptions, group: String, isolation: String?
  ) throws {
    func set(_ key: String, _ value: String, byUser: Bool = false) throws {
      var words = [CChar](repeating: 0, count: 512)
      let result = rd_kafka_conf_set(configuration, key, value, &words, words.count)
      if result == RD_KAFKA_CONF_OK { return }
      let reason = words.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
      // The reason repeats the value: a secret must not get there.
      let shown = KafkaOptions.isSecret(key) ? "its value is not accepted" : options.withoutSecrets(reason)
      throw ReplayError(
        byUser ? .usage : .unexpected, "the Kafka option \(key) cannot be set: \(shown)",
        next: "options and values: librdkafka's CONFIGURATION.md")
    }
    for (key, value) in KafkaOptions.defaults { try set(key, value) }
    for (key, value) in options.pairs { try set(key, value, byUser: true) }
    for (key, value) in KafkaOptions.fixed { try set(key, value) }
    if let isolation { try set("isolation.level", isolation) }
    try set("bootstrap.servers", address.bootstrap)
    try set("group.id", group)
  }

  /// The opaque pointer is not retained: the client, and then its end, hold `trouble` until librdkafka's threads are over.
  private static func listen(_ configuration: OpaquePointer, _ trouble: KafkaTrouble) {
    rd_kafka_conf_set_opaque(configuration, Unmanaged.passUnretained(trouble).toOpaque())
    rd_kafka_conf_set_error_cb(configuration) { _, code, reason, opaque in
      guard let opaque else { return }
      let trouble = Unmanaged<KafkaTrouble>.fromOpaque(opaque).takeUnretainedValue()
      if rd_kafka_resp_err_t(code) == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN { return trouble.noteDown() }
      if let reason { trouble.note(String(cString: reason)) }
    }
    rd_kafka_conf_set_log_cb(configuration) { handle, level, _, line in
      guard let handle, let line, let opaque = rd_kafka_opaque(handle) else { return }
      let trouble = Unmanaged<KafkaTrouble>.fromOpaque(opaque).takeUnretainedValue()
      trouble.logged(level: level, String(cString: line))
    }
  }

  /// Takes in what librdkafka has to say about brokers.
  func hear() { rd_kafka_poll(handle, 0) }

  static func words(_ code: rd_kafka_resp_err_t) -> String { String(cString: rd_kafka_err2str(code)) }

  /// An error that names the brokers and the last thing that was heard of them.
  func unavailable(_ summary: String, _ code: rd_kafka_resp_err_t? = nil) -> ReplayError {
    hear()
    var details = ["brokers: \(address.brokers.joined(separator: ", "))"]
    if let last = trouble.last { details.append("last broker error: \(last)") }
    if let code { details.append("librdkafka: \(KafkaClient.words(code))") }
    return ReplayError(
      .unavailable, summary, details: details,
      next: "check that the brokers can be reached from here, and the -X options")
  }
}
