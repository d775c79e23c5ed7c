import CKafka
import ReplayCore

/// A Kafka topic as the live stream: its partitions are read from exact offsets, outside of any consumer group, and
/// nothing is ever committed to Kafka.
///
/// Only what is committed is read (`read_committed`): a partition ends, for now, at its last stable offset, which a
/// transaction that is open holds back. Short troubles are librdkafka's: brokers that are away, leaders that move.
public final class KafkaStream: LiveSource {
  public let name: String
  public let log: String

  let limits: KafkaLimits
  let client: KafkaClient
  /// The consumer's own queue: all partitions that are read, and news. Owned.
  private let queue: OpaquePointer
  let batch = KafkaBatch(capacity: 4096)
  let messages: LiveMessages
  var headers = KafkaHeaders()
  /// By partition id: the offset to be delivered next; nil where the partition is not read.
  var expected: [Int64?] = []
  /// Partitions that were told of: what is not among them is opened.
  var named: Set<Int32> = []
  var opened: [Int32] = []
  var refreshDue = ContinuousClock.now
  /// When the brokers were asked for the topic.
  var asked = ContinuousClock.now
  /// Since when brokers have not known the topic.
  var missingSince: ContinuousClock.Instant?
  /// Resets in a row without an event between them.
  var resets = 0
  /// By partition id: since when brokers have refused to let it be read, and when they last did.
  var refused: [Int32: (since: ContinuousClock.Instant, last: ContinuousClock.Instant)] = [:]
  /// What ended the reading; a seek begins anew.
  private var failure: (any Error)?
  var isClosed = false

  /// `options` are librdkafka's, as given with `-X`. Throws `.usage` where one cannot be set; connects to nobody yet.
  /// `log` gets librdkafka's log lines (level 3: an error), on any thread; without it they are dropped. `isStopped`: no
  /// question is repeated any more.
  public init(
    _ address: KafkaAddress, options: [(String, String)] = [], limits: KafkaLimits = KafkaLimits(),
    isStopped: @escaping () -> Bool = { false },
    log: (@Sendable (_ level: Int32, _ line: String) -> Void)? = nil
  ) throws {
    name = address.description
    self.log = address.topic
    self.limits = limits
    // librdkafka reads for a group only. This one is never joined and nothing is committed for it.
    client = try KafkaClient(address, options: try KafkaOptions(options), group: "replay", log: log)
    client.isStopped = isStopped
    queue = rd_kafka_queue_get_consumer(client.handle)
    messages = LiveMessages(partition: Partition(log: address.topic, side: .live, id: ""))
  }

  deinit { close() }

  /// As the last fetches told. The log's end, which may lie behind what may be read: an open transaction, its marker.
  public func ends() -> [Partition: Position] {
    var found: [Partition: Position] = [:]
    for index in expected.indices where expected[index] != nil {
      var (low, high) = (Int64(-1), Int64(-1))
      let code = rd_kafka_get_watermark_offsets(client.handle, log, Int32(index), &low, &high)
      if code == RD_KAFKA_RESP_ERR_NO_ERROR, high >= 0 {
        found[client.partition(Int32(index))] = Position(UInt64(high))
      }
    }
    return found
  }

  /// How long a question may take: brokers that were there once are waited for as long as while reading.
  var patience: Duration { client.trouble.wasHeard ? max(limits.outage, limits.answer) : limits.answer }

  public var outage: String? {
    guard let since = client.trouble.downSince, .now - since >= limits.blip else { return nil }
    return "no broker of \(log) can be reached" + (client.trouble.last.map { ": \($0)" } ?? "")
  }

  public func close() {
    guard !isClosed else { return }
    isClosed = true
    batch.discard()
    rd_kafka_queue_destroy(queue)
    client.close()
  }

  public func partitions() throws -> [LivePartition] {
    try checkOpen()
    let deadline = ContinuousClock.now + patience
    let ids = try client.partitionIDs(within: patience)
    let (starts, ends) = try client.bounds(of: ids, within: max(deadline - .now, limits.answer))
    named.formUnion(ids)
    opened.removeAll { named.contains($0) }
    return ids.map {
      LivePartition(partition: client.partition($0), start: Position($0, in: starts), end: Position($0, in: ends))
    }
  }

  public func positions(at milliseconds: Int64) throws -> [Partition: Position]? {
    try checkOpen()
    let ids = try client.partitionIDs(within: patience)
    // Below zero the numbers mean the start and the end.
    let found = try client.offsets(at: max(0, milliseconds), of: ids, within: patience)
    let ends = try client.offsets(at: KafkaClient.Offset.end, of: ids, within: patience)
    return Dictionary(
      uniqueKeysWithValues: ids.map { id in
        let offset = found[id].flatMap { $0 >= 0 ? $0 : nil } ?? ends[id] ?? 0
        return (client.partition(id), Position(UInt64(clamping: offset)))
      })
  }

  public func seek(_ positions: [Partition: Position]) throws {
    try checkOpen()
    var wanted: [(Int32, Int64)] = []
    for (partition, position) in positions { wanted.append(try client.place(partition, position)) }
    wanted.sort { $0.0 < $1.0 }
    let known = Set(try client.partitionIDs(within: patience))
    if let strange = wanted.first(where: { !known.contains($0.0) }) {
      throw ReplayError(
        .missing, "topic \(log) has no partition \(strange.0)", details: ["it has \(known.count)"],
        next: "check that this is the topic that the archive was written from")
    }
    // What is not there any more is the next poll's to say.
    var gone: LiveError?
    do { try client.checkBounds(wanted, within: patience) } catch let error as LiveError {
      (gone, wanted) = (error, [])
    }
    expected = Array(repeating: nil, count: Int(wanted.last?.0 ?? -1) + 1)
    for (id, offset) in wanted { expected[Int(id)] = offset }
    named.formUnion(wanted.map(\.0))
    try assign()
    (failure, missingSince, resets, refreshDue, refused) = (gone, nil, 0, .now + limits.refresh, [:])
  }

  public func poll(milliseconds: Int) throws -> LiveEvent? {
    try checkOpen()
    if let failure { throw failure }
    do {
      return try nextEvent(until: .now + .milliseconds(max(0, milliseconds)))
    } catch {
      failure = error
      throw error
    }
  }

  private func nextEvent(until deadline: ContinuousClock.Instant) throws -> LiveEvent? {
    while true {
      if let event = try eventOfBatch() { return event }
      client.hear()
      try look()
      if let id = opened.popLast() { return .opened(client.partition(id), parents: []) }
      // Not longer than the troubles want to be looked after.
      let left = deadline - .now
      batch.fill(from: client.handle, queue, milliseconds: left > .zero ? min(500, deadline.millisecondsLeft) : 0)
      if let event = try eventOfBatch() { return event }
      if .now >= deadline { return nil }
    }
  }

  private func checkOpen() throws {
    if isClosed { throw ReplayError(.unexpected, "the stream \(name) was closed") }
  }

  func isRead(_ id: Int32) -> Bool { id >= 0 && Int(id) < expected.count && expected[Int(id)] != nil }

  /// Reads all partitions from where they are expected to go on; what was fetched before is dropped.
  func assign() throws {
    batch.discard()
    let wanted = KafkaOffsets(topic: log, expected.indices.compactMap { id in expected[id].map { (Int32(id), $0) } })
    let code = wanted.with { rd_kafka_assign(client.handle, $0) }
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
      throw client.unavailable("the partitions of \(log) cannot be read", code)
    }
  }
}
