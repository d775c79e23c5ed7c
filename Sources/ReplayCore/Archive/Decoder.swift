/// What one read of the archive takes out of each record, for all its functions.
public struct Extraction: Sendable {
  public struct Condition: Sendable {
    /// Index into `fields`.
    public let field: Int
    public let values: [String]

    public init(field: Int, values: [String]) {
      self.field = field
      self.values = values
    }
  }

  /// One function's share: its bit in the masks is its place in `functions`.
  public struct Function: Sendable {
    public var conditions: [Condition]
    /// For each field it declared, the place in `fields`.
    public var columns: [Int]
    /// True where the function has no conditions of its own, and those here are the filter's.
    public var isFiltered: Bool

    public init(conditions: [Condition], columns: [Int], isFiltered: Bool = false) {
      self.conditions = conditions
      self.columns = columns
      self.isFiltered = isFiltered
    }
  }

  public private(set) var fields: [JSONPath] = []
  public private(set) var functions: [Function] = []
  /// Place of the partition key in `fields`; -1 where nobody needs it.
  public private(set) var keyColumn = -1
  /// Place of the event's id in `fields`; -1 where nobody reads it.
  public private(set) var idColumn = -1
  /// Place of the stream's headers in `fields`; -1 where nobody reads them.
  public private(set) var headersColumn = -1
  /// Places of the event's type and time in `fields`; -1 where the filter does not ask for them.
  public private(set) var typeColumn = -1
  public private(set) var timeColumn = -1
  /// Place of the record's own partition in `fields`; -1 where records carry none.
  public var partitionColumn: Int { anatomy.partition.flatMap { fields.firstIndex(of: $0) } ?? -1 }
  public let anatomy: Anatomy

  /// At most 32 functions share one read. `needsKey` asks for the partition key whatever the functions declare; what
  /// `filter` looks at is taken out too.
  public init(_ reads: [Reads], anatomy: Anatomy, needsKey: Bool, filter: EventFilter = EventFilter()) {
    precondition(reads.count <= 32, "at most 32 functions share one read")
    self.anatomy = anatomy
    // Who reads the key needs it found wherever it is, in a file of its own too.
    if needsKey || filter.readsKey || reads.contains(where: { $0.fields.contains(.key) }) {
      keyColumn = add(anatomy.key)
    }
    if filter.readsType { typeColumn = add(anatomy.type) }
    if filter.readsTime { timeColumn = add(anatomy.time) }
    if let partition = anatomy.partition { _ = add(partition) }
    for read in reads {
      let columns = read.fields.map { $0 == .headers ? addHeaders() : add(anatomy.absolute($0)) }
      if let place = read.fields.firstIndex(of: .headers) { headersColumn = columns[place] }
      if let place = read.fields.firstIndex(of: .id) { idColumn = columns[place] }
      let conditions = read.conditions.map { Condition(field: columns[$0.field], values: $0.values) }
      // Of a function with conditions, what these leave out could not be told from what the filter does.
      if let types = filter.types, conditions.isEmpty {
        let condition = Condition(field: typeColumn, values: types.strings)
        functions.append(Function(conditions: [condition], columns: columns, isFiltered: true))
      } else {
        functions.append(Function(conditions: conditions, columns: columns))
      }
    }
  }

  /// An extraction of exactly these fields.
  public init(fields: [JSONPath], functions: [Function], anatomy: Anatomy) {
    self.fields = fields
    self.functions = functions
    self.anatomy = anatomy
  }

  private mutating func add(_ path: JSONPath) -> Int {
    if let known = fields.indices.first(where: { fields[$0] == path && $0 != besideColumn }) { return known }
    fields.append(path)
    return fields.count - 1
  }

  /// The column of headers that come from beside the record: its own, whatever other field has no path.
  private var besideColumn: Int { anatomy.headers == nil ? headersColumn : -1 }

  private mutating func addHeaders() -> Int {
    if anatomy.headers != nil { return add(anatomy.absolute(.headers)) }
    if headersColumn < 0 {
      fields.append(anatomy.absolute(.headers))
      headersColumn = fields.count - 1
    }
    return headersColumn
  }
}

/// Which records of a segment are wanted, as marks of that segment.
public struct SegmentRange: Sendable {
  /// For each function, the first mark it has not settled.
  public var from: [UInt64]
  /// Records from this ordinal on are not looked at.
  public var untilOrdinal: UInt64

  public init(from: [UInt64], untilOrdinal: UInt64 = .max) {
    self.from = from
    self.untilOrdinal = untilOrdinal
  }
}

/// What was found out about a segment once it was read to its end.
public struct SegmentSummary: Sendable {
  public var records: UInt64 = 0
  /// Least and greatest explicit number; nil where there are none.
  public var firstNumber: UInt64?
  public var lastNumber: UInt64?
  /// Numbers between the first and the last that no record has.
  public var missingNumbers: UInt64 = 0
  public var duplicates: UInt64 = 0
  public var inversions: UInt64 = 0
  public var decompressedBytes: UInt64 = 0
  public var frames = 0
  public var framesWithoutChecksum = 0
  /// CRC-64 of the compressed bytes.
  public var digest: UInt64 = 0
  /// As in `RecordBlock`, behind the last record that was looked at.
  public var prefixBytes: UInt64 = 0
  public var prefixDigest: UInt64 = 0

  public init() {}
}

/// Reads one segment, block by block.
public protocol SegmentDecoder: AnyObject {
  /// Fills `block` with the next records; false at the segment's end. Throws `ReplayError` with the place.
  func next(_ block: RecordBlock) throws -> Bool
  /// Complete once `next` has answered false.
  var summary: SegmentSummary { get }
}

/// Bytes to records to columns.
public protocol Decoder: Sendable {
  func open(_ segment: Segment, in source: any SegmentSource, range: SegmentRange) throws -> any SegmentDecoder
  /// A block that this decoder can fill.
  func makeBlock(for segment: Segment) -> RecordBlock
  /// One short piece of work, on a thread that has no segment of its own, that some open segment's reader is thereby
  /// spared; false where there is none to do now. Nothing depends on whether anybody helps.
  func help() -> Bool
}

extension Decoder {
  public func help() -> Bool { false }
}
