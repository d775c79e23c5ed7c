import ReplayCore

/// What the decoder saw at the beginning of one file.
public struct RecordSample: Sendable, Hashable {
  /// Names of the first record's members, top level, in their order.
  public var members: [String]
  /// For each member that is an object, the names of its members.
  public var nested: [String: [String]]
  /// False where the first record is no JSON object; `beginning` then tells what it may be.
  public var isObject: Bool
  /// Nil where the content is no JSON.
  public var framing: Framing?
  /// The first bytes after decompression; sixteen are enough.
  public var beginning: [UInt8]

  public init(
    members: [String], nested: [String: [String]] = [:], isObject: Bool = true, framing: Framing? = .lines,
    beginning: [UInt8] = []
  ) {
    self.members = members
    self.nested = nested
    self.isObject = isObject
    self.framing = framing
    self.beginning = beginning
  }

  /// What the bytes are, where they are no JSON objects.
  var foreignContent: String {
    let magics: [(String, [UInt8])] = [
      ("Avro", Array("Obj".utf8) + [1]), ("Parquet", Array("PAR1".utf8)), ("ORC", Array("ORC".utf8)),
      ("a Hadoop sequence file", Array("SEQ".utf8)), ("bzip2", Array("BZh".utf8)), ("zip", Array("PK".utf8) + [3, 4]),
      ("xz", [0xfd] + Array("7zXZ".utf8)), ("LZ4", [0x04, 0x22, 0x4d, 0x18]),
      ("Snappy", [0xff, 0x06, 0x00, 0x00] + Array("sNaPpY".utf8)), ("Snappy", [0x82] + Array("SNAPPY".utf8)),
    ]
    for (name, magic) in magics where beginning.starts(with: magic) { return name }
    if framing != nil { return "JSON, but its records are no objects" }
    return isText ? "text that is no JSON, perhaps CSV" : "unknown"
  }

  /// An object that begins, and is not one to its end.
  var isDamaged: Bool { !isObject && beginning.first == UInt8(ascii: "{") }

  var isText: Bool {
    !beginning.isEmpty && beginning.allSatisfy { $0 >= 0x20 || $0 == 9 || $0 == 10 || $0 == 13 }
  }
}

/// How a writer wraps a payload; chosen by the members of the first record.
enum Envelope: Hashable {
  /// The record is the event.
  case none
  /// An object `value` beside key, offset, timestamp, headers (Aiven; and kcr, whose value is text).
  case fields
  /// key, value, headers and metadata (Lenses).
  case metadata
  /// schema and payload (Kafka Connect's JSON converter with schemas on).
  case schema

  init(_ sample: RecordSample) {
    let members = Set(sample.members)
    let fields: Set<String> = ["key", "value", "offset", "partition", "timestamp", "headers"]
    if sample.nested["value"] != nil, members.isSubset(of: fields) {
      self = .fields
    } else if sample.nested["value"] != nil, members.contains("metadata"),
      members.isSubset(of: ["key", "value", "headers", "metadata", "keyIsArray", "valueIsArray"])
    {
      self = .metadata
    } else if members == ["schema", "payload"] {
      self = .schema
    } else {
      self = .none
    }
  }

  /// The member that holds the event.
  var payload: String? {
    switch self {
    case .none: nil
    case .fields, .metadata: "value"
    case .schema: "payload"
    }
  }

  /// Where the record's own number is, if the sample has one.
  func position(_ sample: RecordSample) -> JSONPath? {
    switch self {
    case .fields where sample.members.contains("offset"): JSONPath(members: ["offset"])
    case .metadata where sample.nested["metadata"]?.contains("offset") ?? false:
      JSONPath(members: ["metadata", "offset"])
    default: nil
    }
  }

  /// Where the record says which partition it is of, if it does.
  func partition(_ sample: RecordSample) -> JSONPath? {
    switch self {
    case .fields where sample.members.contains("partition"): JSONPath(members: ["partition"])
    case .metadata where sample.nested["metadata"]?.contains("partition") ?? false:
      JSONPath(members: ["metadata", "partition"])
    default: nil
    }
  }

  /// Where the writer put the partition key, if it did.
  func key(_ sample: RecordSample) -> JSONPath? {
    guard self == .fields || self == .metadata, sample.members.contains("key") else { return nil }
    return JSONPath(members: ["key"])
  }
}
