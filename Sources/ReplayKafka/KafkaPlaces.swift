import CKafka
import ReplayCore

/// Partitions and positions as Kafka counts them.
extension KafkaStream {
  func partition(_ id: Int32) -> Partition { Partition(log: log, side: .live, id: String(id)) }

  func isRead(_ id: Int32) -> Bool { id >= 0 && Int(id) < expected.count && expected[Int(id)] != nil }

  func checkOpen() throws {
    if isClosed { throw ReplayError(.unexpected, "the stream \(name) was closed") }
  }

  /// Reads all partitions from where they are expected to go on; what was fetched before is dropped.
  func assign() throws {
    batch.discard()
    let wanted = expected.indices.compactMap { id in expected[id].map { (Int32(id), $0) } }
    let code = KafkaOffsets(topic: log, wanted).with { rd_kafka_assign(client.handle, $0) }
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
      throw client.unavailable("the partitions of \(log) cannot be read", code)
    }
  }

  func place(_ partition: Partition, _ position: Position) throws -> (Int32, Int64) {
    guard partition.log.utf8.elementsEqual(log.utf8), partition.side == .live, let id = Int32(partition.name), id >= 0,
      String(id) == partition.name
    else { throw ReplayError(.usage, "\(partition) is not a partition of topic \(log)") }
    guard position.number.high == 0, position.number.middle == 0, position.number.low < UInt64(Int64.max) else {
      throw ReplayError(
        .data, "position \(position) of partition \(id) of \(log) is not an offset of Kafka's",
        details: ["expected a number below 2^63"], next: "check that the archive was written from this topic")
    }
    return (id, Int64(position.number.low) + (position.index > 0 ? 1 : 0))
  }

  func bounds(of ids: [Int32]) throws -> (starts: [Int32: Int64], ends: [Int32: Int64]) {
    // The start last: were it asked for first, retention could move it behind the end.
    let ends = try client.offsets(at: KafkaClient.Offset.end, of: ids, within: limits.answer)
    let starts = try client.offsets(at: KafkaClient.Offset.start, of: ids, within: limits.answer)
    return (starts.merging(ends) { min($0, $1) }, ends)
  }

  func checkBounds(_ wanted: [(Int32, Int64)]) throws {
    let (starts, ends) = try bounds(of: wanted.map(\.0))
    for (id, offset) in wanted {
      let position = Position(UInt64(offset))
      if offset < starts[id] ?? 0 {
        throw LiveError.expired(partition(id), wanted: position, start: Position(id, in: starts))
      }
      if offset > ends[id] ?? 0 {
        throw LiveError.beyondEnd(partition(id), wanted: position, end: Position(id, in: ends))
      }
    }
  }
}

extension Position {
  init(_ id: Int32, in offsets: [Int32: Int64]) { self.init(UInt64(clamping: offsets[id] ?? 0)) }
}
