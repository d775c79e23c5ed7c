/// What a listing says of one archived file, enough to know later whether it is still the same file.
public struct SegmentEntry: Hashable, Sendable {
  /// Path or key below the archive's root, with `/`; unique within the archive.
  public let name: String
  /// Compressed size in bytes.
  public let size: UInt64
  /// The source's own mark of this version: an ETag, or a modification time.
  public let version: String

  public init(name: String, size: UInt64, version: String) {
    self.name = name
    self.size = size
    self.version = version
  }
}

/// How the events of a segment get their positions.
public enum Numbering: Hashable, Sendable {
  /// The first event has this number and each record adds one (a Kafka offset in the file name).
  case counted(from: WideNumber)
  /// Each record carries its own number in a field.
  case explicit
  /// The source has no numbers: the file's place is the number, the record's place in the file is the sub-index.
  case place(WideNumber)
}

/// One archived file: one partition, one contiguous range of positions, one compression.
public struct Segment: Sendable {
  public let entry: SegmentEntry
  public let partition: Partition
  public let numbering: Numbering
  /// The number that the name promises for the last record, where it does (Lenses).
  public let lastNumber: WideNumber?
  /// A file beside this one that holds the partition keys, one JSON value a line (Confluent's `.keys.`).
  public let keysEntry: SegmentEntry?
  /// A file beside this one that holds the headers, one JSON value a line (Confluent's `.headers.`).
  public let headersEntry: SegmentEntry?
  /// The number that the name promises for the first record, where it does and the records carry their own (Aiven).
  public let firstNumber: WideNumber?

  public init(
    entry: SegmentEntry, partition: Partition, numbering: Numbering, firstNumber: WideNumber? = nil,
    lastNumber: WideNumber? = nil, keysEntry: SegmentEntry? = nil, headersEntry: SegmentEntry? = nil
  ) {
    self.entry = entry
    self.partition = partition
    self.numbering = numbering
    self.firstNumber = firstNumber
    self.lastNumber = lastNumber
    self.keysEntry = keysEntry
    self.headersEntry = headersEntry
  }

  public var name: String { entry.name }

  /// What a store keeps of the file and those beside it: the sizes of the latter stand behind the version.
  public var kept: SegmentEntry {
    let beside = [("keys", keysEntry), ("headers", headersEntry)].compactMap { word, entry in
      entry.map { " \(word) \($0.size)" }
    }
    return SegmentEntry(name: entry.name, size: entry.size, version: entry.version + beside.joined())
  }

  /// The position of the record with this mark: its number where numbers are explicit, else its place in the segment.
  @inlinable public func position(mark: UInt64) -> Position {
    switch numbering {
    case .counted(let start): Position(number: start.advanced(by: mark))
    case .explicit: Position(mark)
    case .place(let place): Position(number: place, index: mark)
    }
  }

  /// The least mark whose position is at or after `next`; `UInt64.max` when the whole segment lies before it.
  public func mark(atOrAfter next: Position) -> UInt64 {
    switch numbering {
    case .counted(let start):
      guard next > Position(number: start) else { return 0 }
      guard let distance = next.number.distance(from: start) else { return .max }
      return next.index == 0 || distance == .max ? distance : distance + 1
    case .explicit:
      guard next.number.high == 0, next.number.middle == 0 else { return .max }
      return next.index == 0 || next.number.low == .max ? next.number.low : next.number.low + 1
    case .place(let place):
      if next.number < place { return 0 }
      return next.number == place ? next.index : .max
    }
  }
}

/// The segments of one partition, in the order of their positions.
public struct PartitionPlan: Sendable {
  public let partition: Partition
  public var segments: [Segment]

  public init(partition: Partition, segments: [Segment]) {
    self.partition = partition
    self.segments = segments
  }
}

/// What would be read: every partition of the archive with its segments in order, frozen at the listing.
public struct ArchivePlan: Sendable {
  public var partitions: [PartitionPlan]
  public var anatomy: Anatomy
  /// True where all events of one partition key are in one partition, as the layout's writer promises.
  public var partitionsSeparateKeys: Bool

  public init(partitions: [PartitionPlan], anatomy: Anatomy, partitionsSeparateKeys: Bool) {
    self.partitions = partitions
    self.anatomy = anatomy
    self.partitionsSeparateKeys = partitionsSeparateKeys
  }

  public var bytes: UInt64 { partitions.reduce(0) { $0 + $1.segments.reduce(0) { $0 + $1.entry.size } } }
  public var segmentCount: Int { partitions.reduce(0) { $0 + $1.segments.count } }
}
