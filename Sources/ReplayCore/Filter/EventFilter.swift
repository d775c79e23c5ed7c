/// Where a partition's events begin or end for a filter.
public struct PartitionEdge: Sendable, Hashable {
  /// The partition's name, or `log/name`; nil: every partition that is not named.
  public let partition: String?
  public let position: Position

  public init(_ partition: String?, _ position: Position) {
    self.partition = partition
    self.position = position
  }

  /// A stream's partition goes by its name: the archive is of one topic then, whatever that is called in either.
  func names(_ other: Partition) -> Bool {
    guard let partition else { return false }
    return partition == other.name || partition == other.description
      || (other.side == .live && partition.hasSuffix("/" + other.name))
  }
}

/// Which events of an archive and its stream a run gives to its functions. Pure: each event is decided by itself, in the
/// archive as in the stream. Ranges are half-open.
///
/// The order is position, type, key, time: what is left out by one is not asked for the next. So only events that all
/// others let through need a time.
public struct EventFilter: Sendable, Hashable {
  public var fromTime: Timestamp?
  public var toTime: Timestamp?
  public var fromPositions: [PartitionEdge] = []
  public var toPositions: [PartitionEdge] = []
  /// Nil: all types.
  public var types: TextSet?
  public var keys: TextSet?
  public var excludedKeys: TextSet?
  public var sample: KeySample?

  /// Leaves nothing out.
  public init() {}

  public var isNone: Bool { self == EventFilter() }
  public var readsType: Bool { types != nil }
  public var readsKey: Bool { keys != nil || excludedKeys != nil || sample != nil }
  public var readsTime: Bool { fromTime != nil || toTime != nil }

  /// The first position that is wanted, and the first behind it that is not.
  public func positions(of partition: Partition) -> (from: Position?, to: Position?) {
    (EventFilter.edge(of: partition, fromPositions), EventFilter.edge(of: partition, toPositions))
  }

  private static func edge(of partition: Partition, _ edges: [PartitionEdge]) -> Position? {
    (edges.first { $0.names(partition) } ?? edges.first { $0.partition == nil })?.position
  }

  /// Nil: the event has none, and is of no type.
  public func admits(type: Text?) -> Bool {
    guard let types else { return true }
    return type.map(types.contains) ?? false
  }

  /// Nil: the event has no key. It is none of some keys, and not one of those that are left out.
  public func admits(key: Text?) -> Bool {
    guard let key else { return keys == nil && sample == nil }
    return keys?.contains(key) ?? true && !(excludedKeys?.contains(key) ?? false) && sample?.contains(key) ?? true
  }

  public func admits(time: Timestamp) -> Bool {
    fromTime.map { $0 <= time } ?? true && toTime.map { time < $0 } ?? true
  }
}

/// An event's own time as archives and streams write it.
public enum EventTime {
  /// A time in RFC 3339, or a number of milliseconds since 1970 or, below a hundred thousand millions (which are of 1973
  /// in milliseconds), of seconds. Nil where it is neither.
  public static func read(_ kind: Slice.Kind, _ text: Text) -> Timestamp? {
    switch kind {
    case .string: return ValueParsing.timestamp(text)
    case .number:
      guard let number = ValueParsing.integer(text) else { return nil }
      let unit: TimeUnit = number.magnitude < 100_000_000_000 ? .seconds : .milliseconds
      return ValueParsing.time(text, microseconds: unit.rawValue)
    default: return nil
    }
  }
}
