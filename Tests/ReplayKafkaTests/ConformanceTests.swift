import Foundation
import KafkaMock
import ReplayCore
import ReplayKafka
import ReplayTesting
import Testing

/// A topic of the mock cluster. It cannot get more partitions later: it is made, with all that were named, for the first
/// reader, and gets then what was appended before.
final class KafkaHarness: LiveHarness {
  let abilities: Set<LiveAbility> = [.tombstones, .keys, .headers, .retention]

  private let cluster: MockCluster
  private let producer: MockProducer
  private var isMade = false
  /// By partition, in the order in which they were made: their offsets count them.
  private var ids: [String] = []
  private var waiting: [[MockMessage]] = []
  private var ends: [UInt64] = []

  init() throws {
    cluster = try MockCluster()
    // Retention takes whole batches.
    producer = try MockProducer(cluster.bootstraps, batch: 7)
  }

  func source() throws -> any LiveSource {
    if !isMade {
      isMade = true
      try cluster.create("events", partitions: Int32(ids.count))
      for (place, messages) in waiting.enumerated() { try producer.produce("events", Int32(place), messages) }
    }
    return try KafkaStream.of(cluster, "events")
  }

  func create(_ id: String) throws {
    guard !isMade, id == String(ids.count) else { throw MockError("partitions are numbered, and made before readers") }
    ids.append(id)
    waiting.append([])
    ends.append(0)
  }

  func append(_ drafts: [LiveDraft], to id: String) throws -> [Position] {
    let place = try #require(ids.firstIndex(of: id))
    let messages = try drafts.map(KafkaHarness.message)
    if isMade { try producer.produce("events", Int32(place), messages) } else { waiting[place] += messages }
    defer { ends[place] += UInt64(drafts.count) }
    return drafts.indices.map { Position(ends[place] + UInt64($0)) }
  }

  /// The oldest batches go when a partition has more than 5 MiB: it gets markers, which no reader delivers, large ones
  /// to near that and then small ones.
  func expire(_ id: String) throws -> Position {
    let place = try #require(ids.firstIndex(of: id))
    let last = Position(ends[place] - 1)
    let source = try source()
    defer { source.close() }
    for number in 0..<300 {
      let marker = number < 19 ? KafkaHarness.large : KafkaHarness.small
      try ControlBatch.append(marker, to: "events", Int32(place), at: cluster.bootstraps)
      ends[place] += 1
      guard number >= 19, let start = try source.partitions().first(where: { $0.partition.name == id })?.start,
        start > .zero
      else { continue }
      guard start <= last else { throw MockError("all passed retention") }
      return start
    }
    throw MockError("nothing passed retention")
  }

  /// 19 of them are 30 KiB less than the mock keeps.
  private static let large = ControlBatch.marker(size: (5 << 20) / 19 - 1600)
  private static let small = ControlBatch.marker(size: 900)

  private static func message(_ draft: LiveDraft) throws -> MockMessage {
    struct Header: Decodable {
      var key: String
      var value: String?
    }
    let headers = try draft.headers.map { try JSONDecoder().decode([Header].self, from: Data($0)) } ?? []
    return MockMessage(
      draft.payload, key: draft.key, headers: headers.map { ($0.key, $0.value.map { Array($0.utf8) }) },
      time: draft.time)
  }
}

/// Each case has a cluster of its own, and waits most of its time.
@Suite(.timeLimit(.minutes(2)))
struct KafkaConformanceTests {
  @Test(arguments: LiveSourceConformance.all) func kafkaStream(_ one: LiveSourceConformance.Case) throws {
    try one.run { try KafkaHarness() }
  }
}
