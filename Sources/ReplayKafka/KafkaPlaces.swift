import ReplayCore

/// Partitions and positions as Kafka counts them.
extension KafkaClient {
  func partition(_ id: Int32) -> Partition { Partition(log: address.topic, side: .live, id: String(id)) }

  /// The id and the offset that a stored position means: behind offset n is n + 1. Throws where they are none of Kafka's.
  func place(_ partition: Partition, _ position: Position) throws -> (Int32, Int64) {
    let topic = address.topic
    guard partition.log.utf8.elementsEqual(topic.utf8), partition.side == .live, let id = Int32(partition.name),
      id >= 0,
      String(id) == partition.name
    else { throw ReplayError(.usage, "\(partition) is not a partition of topic \(topic)") }
    guard position.number.high == 0, position.number.middle == 0, position.number.low < UInt64(Int64.max) else {
      throw ReplayError(
        .data, "position \(position) of partition \(id) of \(topic) is not an offset of Kafka's",
        details: ["expected a number below 2^63"], next: "check that the archive was written from this topic")
    }
    return (id, Int64(position.number.low) + (position.index > 0 ? 1 : 0))
  }

  func bounds(of ids: [Int32], within limit: Duration) throws -> (starts: [Int32: Int64], ends: [Int32: Int64]) {
    let deadline = ContinuousClock.now + limit
    // Retention may pass the end between the questions: then there is nothing, and both are the start's.
    let ends = try offsets(at: Offset.end, of: ids, within: limit)
    let starts = try offsets(at: Offset.start, of: ids, within: deadline - .now)
    return (starts, ends.merging(starts) { max($0, $1) })
  }

  /// Throws where one of the offsets is not there any more, or not yet.
  func checkBounds(_ wanted: [(Int32, Int64)], within limit: Duration) throws {
    let ids = wanted.map(\.0)
    var (starts, ends) = try bounds(of: ids, within: limit)
    if wanted.contains(where: { $0.1 > ends[$0.0] ?? 0 }) {
      // An open transaction holds the readable end back; the log may go further, and an archive may have read that.
      let log = try logEnds(of: ids, within: limit)
      ends.merge(log) { max($0, $1) }
    }
    for (id, offset) in wanted {
      let (position, start, end) = (Position(UInt64(offset)), Position(id, in: starts), Position(id, in: ends))
      if position < start { throw LiveError.expired(partition(id), wanted: position, start: start) }
      if position > end { throw LiveError.beyondEnd(partition(id), wanted: position, end: end) }
    }
  }

  private func logEnds(of ids: [Int32], within limit: Duration) throws -> [Int32: Int64] {
    let other = try KafkaClient(address, options: options, group: "replay", isolation: "read_uncommitted", log: nil)
    defer { other.close() }
    return try other.offsets(at: Offset.end, of: ids, within: limit)
  }
}

extension Position {
  init(_ id: Int32, in offsets: [Int32: Int64]) { self.init(UInt64(clamping: offsets[id] ?? 0)) }
}
