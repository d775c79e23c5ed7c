import ReplayCore

/// Where an event is: what its appender gets once it is there to stay.
public struct AppendReceipt: Sendable, Hashable, CustomStringConvertible {
  /// The partition's id.
  public let partition: String
  public let position: Position

  /// `partition:position`.
  public var description: String { "\(partition):\(position)" }
}

/// Appends events to a directory stream. Several appenders, in any processes, may share one: each takes the partition's
/// lock for as long as it writes.
///
/// Events are acknowledged by their receipts and by nothing else: what was added before an error, or a crash, may be in
/// the stream and may not be. A last line without an end is what a crash left; nobody got a receipt for it, and the next
/// appender that has the lock cuts it off.
public final class DirectoryAppender {
  public struct Options: Sendable {
    /// A file takes no further line that would make it longer; a longer line has a file of its own.
    public var rotateBytes: UInt64 = 64 << 20
    /// Whether receipts wait for the disk. Without it a crash of the machine, not of the process, may lose what was
    /// acknowledged.
    public var syncs = true

    public init(rotateBytes: UInt64 = 64 << 20, syncs: Bool = true) {
      self.rotateBytes = rotateBytes
      self.syncs = syncs
    }
  }

  private struct Pending {
    var bytes: [UInt8] = []
    /// Behind each line feed in `bytes`.
    var ends: [Int] = []

    mutating func add(_ event: UnsafeRawBufferPointer) {
      bytes.append(contentsOf: event)
      bytes.append(10)
      ends.append(bytes.count)
    }
  }

  private let directory: String
  private let options: Options
  private var logs: [String: PartitionLog] = [:]
  private var pending: [String: Pending] = [:]
  /// The partition of each event, in the order of adding.
  private var order: [String] = []

  /// Makes the directory where there is none (its parent must exist).
  public init(_ directory: String, options: Options = Options()) throws {
    self.directory = directory
    self.options = options
    try AppendedDirectory.make(directory)
    if options.syncs { try AppendedDirectory.sync(StreamLayout.join(directory, "..")) }
  }

  /// Events added and not yet committed, and their bytes.
  public var count: Int { order.count }
  public private(set) var byteCount = 0

  /// Makes the partition where it is not there, cuts a torn last line off where it is, and says which position comes
  /// next.
  @discardableResult
  public func open(_ id: String) throws -> Position { Position(try log(id).next()) }

  /// Makes the partitions `0` to `count - 1`, or throws `.usage` where the stream has others: a key would move to another
  /// partition, and its order be lost.
  public func divide(into count: Int) throws {
    try FileLock(StreamLayout.join(directory, ".lock")).locked {
      let there = Set(try StreamListing.ids(in: directory))
      let wanted = Set((0..<count).map(String.init))
      if !there.isEmpty, there != wanted { throw AppendFault.division(there, count) }
      for id in wanted.sorted() { try open(id) }
    }
  }

  /// Keeps the event for the next `commit`. It is one JSON value without a line feed; whether it is JSON is the caller's
  /// business.
  public func add(_ event: UnsafeRawBufferPointer, to id: String) throws {
    if event.isBlank || event.lineEnd(from: 0) != nil { throw AppendFault.line(isBlank: event.isBlank) }
    _ = try log(id)
    pending[id, default: Pending()].add(event)
    order.append(id)
    byteCount += event.count + 1
  }

  /// Writes what was added, partition by partition. Receipts come in the order of adding, after all of it is written and
  /// (with `syncs`) on the disk.
  public func commit() throws -> [AppendReceipt] {
    let (parts, ids) = (pending, order)
    (pending, order, byteCount) = ([:], [], 0)
    var next: [String: UInt64] = [:]
    for (id, part) in parts.sorted(by: { $0.key < $1.key }) {
      next[id] = try log(id).append(part.bytes, ends: part.ends)
    }
    return ids.map { id in
      let position = next[id, default: 0]
      next[id] = position + 1
      return AppendReceipt(partition: id, position: Position(position))
    }
  }

  private func log(_ id: String) throws -> PartitionLog {
    if let log = logs[id] { return log }
    if let reason = PartitionID.fault(in: id) { throw AppendFault.id(id, reason) }
    let path = StreamLayout.join(directory, StreamLayout.partitionPrefix + id)
    let log = try PartitionLog(path, in: directory, options: options)
    logs[id] = log
    return log
  }
}

/// What an appender refuses.
enum AppendFault {
  static func line(isBlank: Bool) -> ReplayError {
    ReplayError(
      .data, isBlank ? "an event to be appended is blank" : "an event to be appended has a line feed in it",
      details: ["expected: one JSON value on one line"], next: "write each event on one line of its own")
  }

  static func division(_ there: Set<String>, _ count: Int) -> ReplayError {
    let few = there.map(StreamFault.shown).sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) }.prefix(10)
    return ReplayError(
      .usage, "the stream is divided in another way than into \(count) partitions",
      details: [
        "expected: the partitions 0 to \(count - 1)",
        "found:    \(few.joined(separator: ", "))\(there.count > few.count ? " …" : ""), \(there.count) in all",
      ],
      next: count == 1
        ? "say --partition, or --key and --partitions"
        : "give the number that the stream began with: another would take keys to other partitions")
  }

  static func full(_ partition: String, next: UInt64) -> ReplayError {
    ReplayError(
      .data, "the partition has no positions left: \(StreamFault.shown(partition))",
      details: ["the next event would be at \(next)", "expected: positions below 2^63"],
      next: "look whether the names of its files are right: no stream grows so long")
  }

  static func id(_ id: String, _ reason: String) -> ReplayError {
    ReplayError(
      .usage, "a partition cannot have this id: \(StreamFault.shown(id))", details: ["found: \(reason)"],
      effect: "nothing was appended", next: "give it another: a number, or a name as eu-west")
  }
}
