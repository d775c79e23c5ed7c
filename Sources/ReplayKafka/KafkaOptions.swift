import ReplayCore

/// librdkafka's own options as the user gave them (`-X key=value`), with what protects the contract left out of his
/// hands and with secrets kept out of every text.
struct KafkaOptions: Sendable {
  private(set) var pairs: [(key: String, value: String)] = []
  private var secrets: [String] = []

  /// Throws `.usage` for an option that may not be set, `.missing` where a value's file or variable is not there.
  init(_ given: [(String, String)]) throws {
    for (key, value) in given {
      if let reason = KafkaOptions.isProtected(key) {
        throw ReplayError(.usage, "the Kafka option \(key) cannot be set: \(reason)", next: "leave out -X \(key)=…")
      }
      let (resolved, isElsewhere) = try KafkaOptions.resolve(value, of: key)
      pairs.append((key, resolved))
      if isElsewhere || KafkaOptions.isSecret(key) { secrets.append(resolved) }
    }
  }

  /// What replay sets itself, after the user's options. An event that was not asked for, or none where one was, would be
  /// the result of another value.
  static let fixed: [(key: String, value: String)] = [
    ("auto.offset.reset", "error"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("enable.partition.eof", "true"),
    ("isolation.level", "read_committed"),
    ("check.crcs", "true"),
    ("allow.auto.create.topics", "false"),
    ("log.queue", "false"),
  ]

  /// What replay sets where the user says nothing. The wait is short since it is the age of an event at an idle topic's
  /// end. The queue is wide since librdkafka 2.0 rests for a second whenever it is full: it holds
  /// most of a second's work (half as much rested in three of five catch-ups, see Benchmarks/Runs/2026-11-24-2core-live).
  static let defaults: [(key: String, value: String)] = [
    ("client.id", "replay"),
    ("fetch.wait.max.ms", "50"),
    ("queued.min.messages", "1000000"),
    ("queued.max.messages.kbytes", "262144"),
    ("reconnect.backoff.max.ms", "2000"),
    ("topic.metadata.refresh.fast.interval.ms", "100"),
    ("socket.keepalive.enable", "true"),
  ]

  private static func isProtected(_ key: String) -> String? {
    switch key {
    case "bootstrap.servers", "metadata.broker.list": "the brokers are in the stream's address"
    case "group.id", "group.instance.id", "group.protocol": "the stream is read without a consumer group"
    case "auto.commit.enable", "offset.store.method": "positions are in the store, not in Kafka"
    case "test.mock.num.brokers": "it replaces the brokers by imagined ones"
    default: fixed.first { $0.key == key }.map { "replay is only exact with \($0.key)=\($0.value)" }
    }
  }

  /// Options whose value no text may hold.
  static func isSecret(_ key: String) -> Bool {
    if key.contains("password") || key.contains("secret") || key == "ssl.key.pem" { return true }
    return key == "sasl.oauthbearer.config" || key == "sasl.oauthbearer.extensions"
  }

  /// `@file:PATH` and `@env:NAME` stand for what is in there (of a file without the line end behind it).
  private static func resolve(_ value: String, of key: String) throws -> (value: String, isElsewhere: Bool) {
    if value.hasPrefix("@file:") {
      let path = String(value.dropFirst(6))
      guard let text = SecretFile.read(path) else {
        throw ReplayError(.missing, "the file with the value of \(key) cannot be read: \(path)")
      }
      return (text, true)
    }
    if value.hasPrefix("@env:") {
      let name = String(value.dropFirst(5))
      guard let text = SecretFile.environment(name) else {
        throw ReplayError(.missing, "the environment variable with the value of \(key) is not set: \(name)")
      }
      return (text, true)
    }
    return (value, false)
  }

  /// A text of librdkafka's without the secrets that it may repeat.
  func withoutSecrets(_ text: String) -> String {
    var shown = text
    for secret in secrets where !secret.isEmpty { shown = shown.replacing(secret, with: "…") }
    return shown
  }
}
