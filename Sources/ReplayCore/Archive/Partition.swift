/// Which world a partition belongs to. An archive whose positions are file and line can meet a stream with its own.
public enum Side: String, Sendable, Hashable {
  case archive
  case live
}

/// The source's own ordered sub-log: a Kafka partition, a Kinesis shard, or a whole archive that has no partitions.
public struct Partition: Hashable, Sendable {
  /// The topic or stream; empty where the archive does not say.
  public let log: String
  public let side: Side
  /// The source's own name of the partition, as bytes.
  public let id: [UInt8]

  public init(log: String, side: Side = .archive, id: [UInt8]) {
    self.log = log
    self.side = side
    self.id = id
  }

  public init(log: String, side: Side = .archive, id: String) {
    self.init(log: log, side: side, id: Array(id.utf8))
  }

  /// The id as a person reads it.
  public var name: String { String(decoding: id, as: UTF8.self) }
}

extension Partition {
  /// By bytes: two names that Swift holds for equal (in different normal forms) are two logs.
  public static func == (a: Partition, b: Partition) -> Bool {
    a.id == b.id && a.side == b.side && a.log.utf8.elementsEqual(b.log.utf8)
  }

  public func hash(into hasher: inout Hasher) {
    for byte in log.utf8 { hasher.combine(byte) }
    hasher.combine(id)
  }
}

extension Partition: Comparable {
  /// By log, then by id: shorter ids first, so that `2` comes before `10`.
  public static func < (a: Partition, b: Partition) -> Bool {
    if !a.log.utf8.elementsEqual(b.log.utf8) { return a.log.utf8.lexicographicallyPrecedes(b.log.utf8) }
    if a.side != b.side { return a.side == .archive }
    if a.id.count != b.id.count { return a.id.count < b.id.count }
    return a.id.lexicographicallyPrecedes(b.id)
  }
}

extension Partition: CustomStringConvertible {
  public var description: String { log.isEmpty ? name : "\(log)/\(name)" }
}
