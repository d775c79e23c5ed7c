import ReplayCore

/// A directory of append-only files that any program can append to, followed as a live stream:
/// `DIR/partition=<id>/<start>.jsonl`, one JSON value a line, its position the file's start plus the lines before it.
/// `docs/dir-stream.md` has the rules.
public final class DirectoryStream: LiveSource {
  public let name: String
  public let log: String
  private let directory: String
  private let clock: PollClock
  private let limits: DeliveryLimits
  private var room = ReadRoom(bytes: (1 << 20) + (64 << 10))
  private let messages: LiveMessages
  /// In the order in which they are asked next.
  private var readers: [PartitionReader] = []
  private var turn = 0
  /// The ids that `partitions()`, `seek` or `.opened` have named; nil as long as nobody asked.
  private var named: Set<String>?
  private var counts: [String: LineCount] = [:]
  /// When the directory was last looked at for new partitions.
  private var looked: UInt64?

  /// How often new partitions are looked for while there are events.
  private static let lookMilliseconds: UInt64 = 50
  private static let longestSleep: UInt64 = 20

  /// Throws where there is no such directory.
  ///
  /// - Parameters:
  ///   - maxMessages: a delivery holds at most so many events.
  ///   - maxBytes: it ends with the event that reaches so many bytes.
  public init(_ directory: String, clock: PollClock = .system, maxMessages: Int = 4096, maxBytes: Int = 1 << 20) throws
  {
    self.directory = directory
    self.clock = clock
    limits = DeliveryLimits(messages: max(1, maxMessages), bytes: max(1, maxBytes))
    name = "dir:" + directory
    log = StreamLayout.log(of: directory)
    messages = LiveMessages(partition: Partition(log: log, side: .live, id: []))
    _ = try StreamListing.ids(in: directory)
  }

  public func partitions() throws -> [LivePartition] {
    let ids = try StreamListing.ids(in: directory)
    let found = try ids.map { id in
      let (start, end) = try bounds(id)
      return LivePartition(partition: partition(id), start: Position(start), end: Position(end))
    }
    named = (named ?? []).union(ids)
    return found.sorted { $0.partition < $1.partition }
  }

  public func ends() -> [Partition: Position] {
    let followed = Set(readers.map(\.partition))
    let found = (try? partitions()) ?? []
    return Dictionary(
      uniqueKeysWithValues: found.filter { followed.contains($0.partition) }.map { ($0.partition, $0.end) })
  }

  /// A directory that cannot be read is an error at once.
  public var outage: String? { nil }

  public func seek(_ positions: [Partition: Position]) throws {
    let ids = Set(try StreamListing.ids(in: directory))
    var readers: [PartitionReader] = []
    for (partition, position) in positions.sorted(by: { $0.key < $1.key }) {
      guard partition == self.partition(partition.name), ids.contains(partition.name) else {
        throw StreamFault.unknown(partition.name, in: directory)
      }
      readers.append(PartitionReader(partition, at: position, directory: path(partition.name), limits: limits))
    }
    self.readers = readers
    turn = 0
    named = (named ?? ids).union(positions.keys.map(\.name))
  }

  public func poll(milliseconds: Int) throws -> LiveEvent? {
    let begun = clock.now()
    var sleep: UInt64 = 1
    while true {
      if let event = try opened() { return event }
      if let event = try nextEvent() { return event }
      let waited = clock.now() - begun
      let most = UInt64(max(0, milliseconds))
      if waited >= most { return nil }
      clock.sleep(min(sleep, most - waited))
      sleep = min(sleep * 2, DirectoryStream.longestSleep)
    }
  }

  /// Nil: a line does not say when it was written.
  /// As near as a file: each knows only when it was written to last.
  public func positions(at milliseconds: Int64) throws -> [Partition: Position]? {
    let ids = try StreamListing.ids(in: directory)
    return Dictionary(uniqueKeysWithValues: try ids.map { (partition($0), try position(at: milliseconds, $0)) })
  }

  private func position(at milliseconds: Int64, _ id: String) throws -> Position {
    // The end first: a file that is written to meanwhile is found to be newer, and the position comes before it.
    let end = try bounds(id).end
    for file in try StreamListing.files(in: path(id)) {
      guard let open = try StreamDescriptor.open(file) else { continue }
      if try open.writtenMilliseconds() >= milliseconds { return Position(file.start) }
    }
    return Position(end)
  }

  public func close() {
    readers = []
    counts = [:]
  }

  /// Asks each partition once, beginning with the one after the last that had something to say.
  private func nextEvent() throws -> LiveEvent? {
    for _ in readers.indices {
      let reader = readers[turn]
      turn = (turn + 1) % readers.count
      switch try reader.deliver(into: messages, room: &room) {
      case .messages: return .messages(messages)
      case .caughtUp(let end): return .caughtUp(reader.partition, next: end)
      case .nothing: continue
      }
    }
    return nil
  }

  private func opened() throws -> LiveEvent? {
    guard let named else { return nil }
    let now = clock.now()
    if let looked, now - looked < DirectoryStream.lookMilliseconds { return nil }
    guard let id = try StreamListing.ids(in: directory).filter({ !named.contains($0) }).min() else {
      looked = now
      return nil
    }
    self.named?.insert(id)
    return .opened(partition(id), parents: [])
  }

  private func partition(_ id: String) -> Partition { Partition(log: log, side: .live, id: id) }

  private func path(_ id: String) -> String { StreamLayout.join(directory, StreamLayout.partitionPrefix + id) }

  /// The first position of the partition and the one behind its last whole line.
  private func bounds(_ id: String) throws -> (start: UInt64, end: UInt64) {
    while true {
      let files = try StreamListing.files(in: path(id))
      guard let first = files.first, let last = files.last else { return (0, 0) }
      guard let newest = try StreamDescriptor.open(last) else { continue }
      var count = counts[id] ?? LineCount()
      let lines = try count.lines(of: newest)
      counts[id] = count
      return (first.start, last.start + lines)
    }
  }
}

/// The whole lines of a partition's newest file: each byte is counted once, however often it is asked.
private struct LineCount {
  private var file: StreamFile?
  private var inode: UInt64 = 0
  private var lines: UInt64 = 0
  private var byte: UInt64 = 0

  mutating func lines(of newest: StreamDescriptor) throws -> UInt64 {
    let size = try newest.size()
    if file != newest.file || inode != newest.inode || byte > size {
      (file, inode, lines, byte) = (newest.file, newest.inode, 0, 0)
    }
    let more = try newest.skip(lines: .max, from: byte)
    lines += more.lines
    byte = more.byte
    return lines
  }
}
