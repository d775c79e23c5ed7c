/// How long the stream waits for brokers.
public struct KafkaLimits: Sendable, Hashable {
  /// Without any broker for longer than this, a poll fails; so it does where a partition is refused for as long.
  public var outage: Duration = .seconds(60)
  /// A broker that has said nothing for this long is asked whether it is there; so is, more often, one that is not.
  public var silence: Duration = .seconds(5)
  /// Brokers that are away for shorter than this are not told of.
  public var blip: Duration = .seconds(2)
  /// Every so often the topic is asked for new partitions.
  public var refresh: Duration = .seconds(30)
  /// The first question (which partitions there are, where they begin and end) is answered within this, or fails: a
  /// wrong address is said soon. Once a broker has answered, a question is repeated as long as `outage`.
  public var answer: Duration = .seconds(10)

  public init() {}
}
