import ReplayCore

/// What a stream can keep beside the payload.
public enum LiveAbility: Sendable, Hashable, CaseIterable {
  case tombstones, keys, headers
  /// Partitions can be made while the stream is followed.
  case openedLater
  /// `expire` works.
  case retention
  /// It knows when its events were written.
  case times
}

/// A stream to be examined, made anew and without partitions for each case.
public protocol LiveHarness: AnyObject {
  var abilities: Set<LiveAbility> { get }
  /// Another reader of the stream, which was told nothing yet.
  func source() throws -> any LiveSource
  /// Makes an empty partition; its id as `source` names it.
  func create(_ id: String) throws
  /// Appends, and answers where each event is. Payloads are JSON objects on one line.
  func append(_ drafts: [LiveDraft], to id: String) throws -> [Position]
  /// Lets the oldest events of the partition pass retention, at least one and not all; the first that is left.
  func expire(_ id: String) throws -> Position
}

/// The contract of `LiveSource` as a list of cases that any implementation must pass. Each throws `ContractViolation` and
/// depends on no test framework.
public enum LiveSourceConformance {
  public struct Case: Sendable, CustomStringConvertible {
    public let description: String
    /// Without these the case says nothing and is passed over.
    public let needs: Set<LiveAbility>
    public let body: @Sendable (any LiveHarness) throws -> Void

    init(
      _ description: String, needs: Set<LiveAbility> = [], _ body: @escaping @Sendable (any LiveHarness) throws -> Void
    ) {
      self.description = description
      self.needs = needs
      self.body = body
    }

    public func run(_ make: () throws -> any LiveHarness) throws {
      let harness = try make()
      if needs.isSubset(of: harness.abilities) { try body(harness) }
    }
  }

  public static let all: [Case] = readingCases + endCases + eventCases
}

/// What a reader got of each partition, in order.
struct LiveAccount {
  struct Event: Hashable {
    var position: Position
    var draft: LiveDraft
  }

  var events: [Partition: [Event]] = [:]
  /// The last thing each partition said was that it is at its end, and which.
  var ends: [Partition: Position] = [:]
  var opened: [Partition] = []
  /// Partitions in the order in which deliveries came.
  var turns: [Partition] = []
}

extension LiveSource {
  func partition(_ id: String) -> Partition { Partition(log: log, side: .live, id: id) }

  func live(_ id: String) throws -> LivePartition {
    let partition = partition(id)
    guard let found = try partitions().first(where: { $0.partition == partition }) else {
      throw violated("partitions() does not name \(partition)")
    }
    return found
  }

  /// Polls until all of `wanted` are at their end (or `enough` is true), at most ten thousand times.
  func read(
    _ wanted: [String], into account: inout LiveAccount, until enough: (LiveAccount) -> Bool = { _ in false }
  ) throws {
    let wanted = Set(wanted.map(partition))
    for _ in 0..<10_000 {
      if let event = try poll(milliseconds: 20) { try account.add(event) }
      if enough(account) || (!wanted.isEmpty && wanted.isSubset(of: Set(account.ends.keys))) { return }
    }
    throw violated("10,000 polls did not bring what there is; at their end: \(account.ends)")
  }

  /// Everything from `positions` to the ends.
  func everything(from positions: [String: Position]) throws -> LiveAccount {
    try seek(Dictionary(uniqueKeysWithValues: positions.map { (partition($0), $1) }))
    var account = LiveAccount()
    try read(Array(positions.keys), into: &account)
    return account
  }
}

extension LiveAccount {
  mutating func add(_ event: LiveEvent) throws {
    switch event {
    case .messages(let messages): try add(messages)
    case .caughtUp(let partition, let next):
      if let last = events[partition]?.last?.position, next <= last {
        throw violated("\(partition) says that its end is \(next), and delivered \(last)")
      }
      if ends[partition] == next { throw violated("\(partition) said twice that it is at its end \(next)") }
      ends[partition] = next
    case .opened(let partition, _):
      if opened.contains(partition) { throw violated("\(partition) was opened twice") }
      opened.append(partition)
    case .closed(let partition): throw violated("\(partition) was closed by nobody")
    }
  }

  private mutating func add(_ messages: LiveMessages) throws {
    let partition = messages.partition
    guard let last = messages.messages.last else { throw violated("a delivery of \(partition) is empty") }
    if messages.next <= last.position { throw violated("next is \(messages.next), behind it comes \(last.position)") }
    for message in messages.messages {
      if let before = events[partition]?.last?.position, message.position <= before {
        throw violated("\(partition) delivered \(message.position) after \(before)")
      }
      if let end = ends[partition], message.position < end {
        throw violated("\(partition) delivered \(message.position), and said before that its end is \(end)")
      }
      func part(_ range: Range<Int>?) -> [UInt8]? { range.map { Array(messages.bytes[$0]) } }
      let draft = LiveDraft(
        payload: part(message.payload), key: part(message.key), headers: part(message.headers), time: message.time)
      events[partition, default: []].append(Event(position: message.position, draft: draft))
    }
    ends[partition] = nil
    turns.append(partition)
  }

  func payloads(_ partition: Partition) -> [[UInt8]?] { (events[partition] ?? []).map(\.draft.payload) }

  func positions(_ partition: Partition) -> [Position] { (events[partition] ?? []).map(\.position) }
}

/// Events that are told apart by their number.
func drafts(_ numbers: Range<Int>) -> [LiveDraft] { numbers.map { LiveDraft("{\"n\":\($0)}") } }

func requireEqual(_ found: [[UInt8]?], _ expected: [LiveDraft], _ what: String) throws {
  func text(_ bytes: [UInt8]??) -> String {
    guard let bytes = bytes ?? nil else { return "nothing" }
    return String(decoding: bytes.prefix(60), as: UTF8.self)
  }
  for place in 0..<max(found.count, expected.count) {
    let (a, b) = (place < found.count ? found[place] : nil, place < expected.count ? expected[place].payload : nil)
    if place < found.count, place < expected.count, a == b { continue }
    throw violated(
      "\(what): \(found.count) of \(expected.count) events; event \(place) is \(text(a)), expected \(text(b))")
  }
}
