/// How long the stream waits for brokers.
public struct KafkaLimits: Sendable, Hashable {
  /// Without any broker for longer than this, a poll fails.
  public var outage: Duration = .seconds(60)
  /// Every so often the topic is asked for new partitions.
  public var refresh: Duration = .seconds(30)
  /// A question (which partitions there are, where they begin and end) is answered within this, or fails.
  public var answer: Duration = .seconds(10)

  public init() {}
}
