import ReplayCore

/// `kafka://host:port[,host:port]/topic`, an IPv6 address in brackets: which brokers to ask first, and the topic.
public struct KafkaAddress: Sendable, Hashable, CustomStringConvertible {
  /// `host:port` each, as given.
  public let brokers: [String]
  public let topic: String

  public init(brokers: [String], topic: String) {
    self.brokers = brokers
    self.topic = topic
  }

  public var description: String { KafkaAddress.scheme + bootstrap + "/" + topic }

  /// As librdkafka takes them.
  var bootstrap: String { brokers.joined(separator: ",") }

  static let scheme = "kafka://"
}

extension KafkaAddress {
  /// Throws `.usage`, which says what is wrong. The text itself is not repeated: somebody may have put a password in it.
  public init(_ text: String) throws {
    guard text.hasPrefix(KafkaAddress.scheme) else { throw KafkaAddress.wrong("it does not begin with kafka://") }
    let rest = text.dropFirst(KafkaAddress.scheme.count)
    guard !rest.contains("@") else {
      throw KafkaAddress.wrong(
        "it holds a user or a password", next: "say -X sasl.username=NAME and -X sasl.password=@file:PATH")
    }
    guard !rest.contains(where: { $0 == "?" || $0 == "#" }) else {
      throw KafkaAddress.wrong("it holds options", next: "say -X KEY=VALUE for each of librdkafka's options")
    }
    guard let slash = rest.firstIndex(of: "/") else { throw KafkaAddress.wrong("no topic follows the brokers") }
    let servers = rest[..<slash].split(separator: ",", omittingEmptySubsequences: false)
    let topic = String(rest[rest.index(after: slash)...])
    for server in servers { try KafkaAddress.check(server: server) }
    try KafkaAddress.check(topic: topic)
    self.init(brokers: servers.map(String.init), topic: topic)
  }

  private static func check(server: Substring) throws {
    guard !server.isEmpty else { throw wrong("a broker is empty") }
    guard let colon = server.lastIndex(of: ":"), server.last != "]" else {
      throw wrong("broker \(server) has no port", next: "write \(server):9092, or the port that your brokers listen at")
    }
    let (host, port) = (server[..<colon], server[server.index(after: colon)...])
    guard let number = UInt16(port), number > 0, port.utf8.allSatisfy({ (48...57).contains($0) }) else {
      throw wrong("the port of broker \(server) is not a number from 1 to 65535")
    }
    if host.hasPrefix("["), host.hasSuffix("]") {
      let inner = host.dropFirst().dropLast()
      let isAddress = inner.contains(":") && inner.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." }
      guard isAddress else { throw wrong("\(host) is not an IPv6 address") }
      return
    }
    guard !host.contains(":") else { throw wrong("an IPv6 address stands in brackets: [::1]:9092") }
    let isName = host.utf8.allSatisfy {
      isLetterOrDigit($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
    }
    guard !host.isEmpty, isName else { throw wrong("the host of broker \(server) is not a name or an address") }
  }

  /// Kafka's own rule for names of topics.
  private static func check(topic: String) throws {
    guard !topic.isEmpty else { throw wrong("no topic follows the brokers") }
    guard !topic.contains("/") else { throw wrong("a topic's name holds no slash: \(topic)") }
    let isName = topic.utf8.allSatisfy {
      isLetterOrDigit($0) || [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")].contains($0)
    }
    guard isName, topic.utf8.count <= 249, topic != ".", topic != ".." else {
      throw wrong("\(topic) is not a topic's name: up to 249 of a-z A-Z 0-9 . _ -")
    }
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), 48...57: true
    default: false
    }
  }

  private static func wrong(_ what: String, next: String? = nil) -> ReplayError {
    ReplayError(
      .usage, "the stream's address is not one of Kafka: \(what)",
      details: ["expected kafka://host:port[,host:port]/topic"],
      next: next)
  }
}
