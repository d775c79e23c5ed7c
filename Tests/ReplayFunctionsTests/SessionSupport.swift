import ReplayCore
import ReplayDecode
import ReplayTesting

@testable import ReplayFunctions

/// A session whose function is a closure and whose clocks are numbers; and the events that it is given.
final class SessionUnderTest {
  let session: ForeignSession
  let worker: ScriptedWorker
  let clock: Clock
  let left: LeftEvents
  let changes: Changes
  private let reads: Reads
  private var next: [String: UInt64] = [:]

  /// Milliseconds.
  final class Clock: Sendable {
    private let state = Monitor((now: Int64(0), wall: Int64(0)))
    var now: Int64 {
      get { state.quietly { $0.now } }
      set { state.change { $0.now = newValue } }
    }
    var wall: Int64 {
      get { state.quietly { $0.wall } }
      set { state.change { $0.wall = newValue } }
    }
  }

  init(
    _ policy: FailurePolicy = FailurePolicy(), contract: FunctionContract = .writesItself, tables: [DeclaredTable] = [],
    limits given: ForeignSession.Limits = ForeignSession.Limits(),
    answer: @escaping (Delivery) throws -> DeliveryOutcome = {
      DeliveryOutcome(answers: [($0.events.count, .object([]))])
    }
  ) {
    var reads = Reads()
    worker = ScriptedWorker(payload: reads.payload(), time: reads.time(), answer: answer)
    self.reads = reads
    let clock = Clock()
    self.clock = clock
    var limits = given
    (limits.now, limits.wall) = ({ clock.now }, { clock.wall })
    session = ForeignSession("scripted", worker: worker, contract: contract, tables: tables, limits: limits)
    left = LeftEvents(policy)
    changes = Changes(tables: tables.map(\.table.schema))
    session.begin(DeliveryLog(run: 1) { _ in }, keys: .all)
  }

  /// Hands the session these records, behind those that it was given of the partition.
  func give(_ records: [String], partition id: String = "0", phase: Phase = .live) throws {
    let archive = MemoryArchive(["events": Array(records.joined(separator: "\n").utf8)])
    let extraction = Extraction([reads], anatomy: Anatomy(), needsKey: true)
    let decoder = ArchiveDecoder(extraction, framing: .concatenated)
    let first = next[id, default: 0]
    next[id] = first + UInt64(records.count)
    let segment = Segment(
      entry: try archive.list()[0], partition: Partition(log: "t", id: Array(id.utf8)),
      numbering: .counted(from: WideNumber(low: first)))
    let opened = try decoder.open(segment, in: archive, range: SegmentRange(from: [0]))
    let block = decoder.makeBlock(for: segment)
    while try opened.next(block) {
      block.partitionIndex = UInt32(id) ?? 0
      try extraction.functions[0].columns.withUnsafeBufferPointer { columns in
        guard let columns = columns.baseAddress else { return }
        var place = 0
        try withUnsafeMutablePointer(to: &place) { cursor in
          try session.apply(
            Batch(
              block: block, columns: columns, mask: 1, keyColumn: extraction.keyColumn, cursor: cursor, phase: phase),
            changes, left)
        }
      }
    }
  }

  func settle() throws { try session.settle(changes, left) }

  /// A record with a number, of the key `k`, `seconds` after 1970.
  static func record(_ n: Int, key: String = "k", seconds: Int64? = nil) -> String {
    let time = seconds.map { ",\"time\":\"\(Timestamp(microseconds: $0 * 1_000_000))\"" } ?? ""
    return "{\"n\":\(n),\"partitionkey\":\"\(key)\"\(time)}"
  }
}

/// Remembers what it was given.
final class ScriptedWorker: FunctionWorker {
  private let payload: PayloadField
  private let timeField: TimeField
  private let answer: (Delivery) throws -> DeliveryOutcome
  private(set) var deliveries: [Delivery] = []

  init(payload: PayloadField, time: TimeField, answer: @escaping (Delivery) throws -> DeliveryOutcome) {
    (self.payload, timeField, self.answer) = (payload, time, answer)
  }

  func encode(_ event: Event, key: Text, phase: Phase) throws -> [UInt8] { Array(event[payload].bytes) }
  func time(of event: Event) -> Timestamp? { event.time(timeField) }

  func deliver(_ delivery: Delivery) throws -> DeliveryOutcome {
    deliveries.append(delivery)
    return try answer(delivery)
  }

  func cancel() {}
  func close() {}

  /// The numbers of the records of each delivery.
  var given: [[Int]] { deliveries.map(\.numbers) }
}

extension Delivery {
  var numbers: [Int] {
    events.map { event in
      let record = try? event.encoded.withUnsafeBytes { try JSONReader.read($0) }
      guard case .number(let text)? = record?["n"] else { return -1 }
      return Int(text) ?? -1
    }
  }
}
