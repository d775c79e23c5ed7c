import KafkaMock
import ReplayCore
import ReplayKafka

/// What a stream delivered, event by event, copied out of the reused memory.
struct Delivered {
  struct Event: Equatable {
    var offset: UInt64
    var payload: String?
    var key: String?
    var headers: String?
    var time: Int64?
  }

  var events: [Int32: [Event]] = [:]
  var caughtUp: [Int32: Position] = [:]
  var opened: [Int32] = []

  mutating func take(_ event: LiveEvent) {
    switch event {
    case .messages(let messages):
      func text(_ range: Range<Int>?) -> String? { range.map { String(decoding: messages.bytes[$0], as: UTF8.self) } }
      events[id(messages.partition), default: []] += messages.messages.map {
        Event(
          offset: $0.position.number.low, payload: text($0.payload), key: text($0.key), headers: text($0.headers),
          time: $0.time)
      }
    case .caughtUp(let partition, let next): caughtUp[id(partition)] = next
    case .opened(let partition, _): opened.append(id(partition))
    case .closed: break
    }
  }

  func offsets(_ partition: Int32) -> [UInt64] { events[partition, default: []].map(\.offset) }
  func payloads(_ partition: Int32) -> [String?] { events[partition, default: []].map(\.payload) }

  private func id(_ partition: Partition) -> Int32 { Int32(partition.name)! }
}

struct TimedOut: Error {}

extension KafkaStream {
  static func of(_ cluster: MockCluster, _ topic: String, options: [(String, String)] = []) throws -> KafkaStream {
    var limits = KafkaLimits()
    limits.refresh = .milliseconds(200)
    return try KafkaStream(
      KafkaAddress("kafka://\(cluster.bootstraps)/\(topic)"), options: fast + options, limits: limits)
  }

  /// Shorter rests than the defaults, so that tests of outages are quick.
  static let fast = [("reconnect.backoff.ms", "20"), ("reconnect.backoff.max.ms", "100")]

  func at(_ id: Int32) -> Partition { Partition(log: log, side: .live, id: String(id)) }

  func seek(_ offsets: [Int32: UInt64]) throws {
    try seek(Dictionary(uniqueKeysWithValues: offsets.map { (at($0), Position($1)) }))
  }

  /// Polls into `delivered` until it is enough.
  func read(
    _ delivered: inout Delivered, within limit: Duration = .seconds(30), until isEnough: (Delivered) -> Bool
  ) throws {
    let deadline = ContinuousClock.now + limit
    while !isEnough(delivered) {
      guard .now < deadline else { throw TimedOut() }
      if let event = try poll(milliseconds: 100) { delivered.take(event) }
    }
  }

  func read(within limit: Duration = .seconds(30), until isEnough: (Delivered) -> Bool) throws -> Delivered {
    var delivered = Delivered()
    try read(&delivered, within: limit, until: isEnough)
    return delivered
  }
}

func numbered(_ range: Range<Int>) -> [MockMessage] { range.map { MockMessage("{\"n\":\($0)}") } }
func numbers(_ range: Range<Int>) -> [String?] { range.map { "{\"n\":\($0)}" } }
