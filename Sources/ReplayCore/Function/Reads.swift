/// Where a function's field comes from: a part that every event has, or a path into the payload.
public enum FieldSource: Hashable, Sendable {
  case key, type, time, id, headers
  case payload(JSONPath)
}

extension FieldSource {
  /// The field as a user names it.
  public var name: String {
    switch self {
    case .key: "key"
    case .type: "type"
    case .time: "time"
    case .id: "id"
    case .headers: "headers"
    case .payload(let path): path.description
    }
  }
}

/// A text field of the events; `event[field]` is its unescaped UTF-8.
@frozen public struct TextField: Hashable, Sendable {
  @usableFromInline let index: Int
}
/// A JSON integer that fits 64 bits; anything else is an error, never rounded.
@frozen public struct IntegerField: Hashable, Sendable {
  @usableFromInline let index: Int
}
/// A JSON number read exactly, with at most `scale` digits behind the point; more is an error.
@frozen public struct DecimalField: Hashable, Sendable {
  @usableFromInline let index: Int
  @usableFromInline let scale: Int
}
/// A moment: an RFC 3339 date and time, or a whole number of units since 1970.
@frozen public struct TimeField: Hashable, Sendable {
  @usableFromInline let index: Int
  /// Microseconds a unit; 0: RFC 3339.
  @usableFromInline let microseconds: Int64
}
/// How a number tells a time.
public enum TimeUnit: Int64, Sendable {
  case seconds = 1_000_000
  case milliseconds = 1_000
  case microseconds = 1
}
/// `true` or `false`.
@frozen public struct BooleanField: Hashable, Sendable {
  @usableFromInline let index: Int
}
/// Any JSON value, as the bytes that were archived.
@frozen public struct JSONField: Hashable, Sendable {
  @usableFromInline let index: Int
}

/// The whole record's bytes as archived, envelope included.
@frozen public struct RecordField: Hashable, Sendable {}

/// The payload's bytes as archived, without the layout's envelope.
@frozen public struct PayloadField: Hashable, Sendable {
  @usableFromInline let index: Int
}

/// What a function declares that it reads. Only these fields are extracted, and only events that meet every condition
/// reach the function; all others are settled as *ignored*.
public struct Reads: Sendable {
  /// `event[field]` must equal one of `values`. An event without the field does not meet it.
  public struct Condition: Sendable, Hashable {
    public let field: Int
    public let values: [String]
  }

  public private(set) var fields: [FieldSource] = []
  public private(set) var conditions: [Condition] = []
  /// True where the function reads whole records.
  public private(set) var wholeRecords = false

  public init() {}

  /// The partition key.
  public mutating func key() -> TextField { TextField(index: index(of: .key)) }
  /// The event's type.
  public mutating func type() -> TextField { TextField(index: index(of: .type)) }
  /// The event's own time.
  public mutating func time() -> TimeField { TimeField(index: index(of: .time), microseconds: 0) }
  public mutating func id() -> TextField { TextField(index: index(of: .id)) }
  /// The stream's headers of the event, in the form that the archive's writer gave them: `[{"key":…,"value":…}]` of the
  /// Confluent and Aiven sinks, an object of the others.
  public mutating func headers() -> JSONField { JSONField(index: index(of: .headers)) }

  /// The record as it was archived. Ask for it only where it is needed: events then cannot be held back without it.
  public mutating func record() -> RecordField {
    wholeRecords = true
    return RecordField()
  }

  /// The payload as it was archived, for who hands it on. What was said of `record()` holds.
  public mutating func payload() -> PayloadField {
    wholeRecords = true
    return PayloadField(index: index(of: .payload(JSONPath(members: []))))
  }

  public mutating func text(_ path: String) -> TextField { TextField(index: index(of: path)) }
  public mutating func integer(_ path: String) -> IntegerField { IntegerField(index: index(of: path)) }
  public mutating func decimal(_ path: String, scale: Int) -> DecimalField {
    precondition((0...18).contains(scale), "a decimal has 0 to 18 digits behind the point")
    return DecimalField(index: index(of: path), scale: scale)
  }
  public mutating func time(_ path: String) -> TimeField { TimeField(index: index(of: path), microseconds: 0) }
  /// A moment that is written as a number since 1970.
  public mutating func time(_ path: String, since1970 unit: TimeUnit) -> TimeField {
    TimeField(index: index(of: path), microseconds: unit.rawValue)
  }
  public mutating func boolean(_ path: String) -> BooleanField { BooleanField(index: index(of: path)) }
  public mutating func json(_ path: String) -> JSONField { JSONField(index: index(of: path)) }

  /// Lets only events of these types reach the function.
  public mutating func only(type values: String...) {
    conditions.append(Condition(field: index(of: .type), values: values))
  }

  /// Lets only events whose text at `path` is one of `values` reach the function.
  public mutating func only(_ path: String, is values: String...) {
    conditions.append(Condition(field: index(of: path), values: values))
  }

  /// Lets only events whose text at `source` is one of `values` reach the function.
  public mutating func only(_ source: FieldSource, in values: [String]) {
    conditions.append(Condition(field: index(of: source), values: values))
  }

  /// A text field of any source.
  public mutating func text(_ source: FieldSource) -> TextField { TextField(index: index(of: source)) }

  private mutating func index(of path: String) -> Int { index(of: .payload(JSONPath(path))) }

  private mutating func index(of source: FieldSource) -> Int {
    if let known = fields.firstIndex(of: source) { return known }
    fields.append(source)
    return fields.count - 1
  }
}
