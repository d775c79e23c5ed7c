import ReplayCore

/// What a column of `events` holds, as a file writes it.
enum SQLColumnType: Sendable, Hashable {
  case text, integer, boolean, json
  case decimal(scale: Int)
  /// Nil: RFC 3339.
  case timestamp(TimeUnit?)
  case day(TimeUnit?)

  static let all = "give text, integer, decimal(2), boolean, timestamp, timestamp(ms), day, day(ms) or json"

  init?(_ text: String) {
    let parts = text.split(separator: "(", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    if parts.count == 2, !parts[1].hasSuffix(")") { return nil }
    let argument = parts.count == 2 ? String(parts[1].dropLast()) : nil
    switch (parts[0], argument) {
    case ("text", nil): self = .text
    case ("integer", nil): self = .integer
    case ("boolean", nil): self = .boolean
    case ("json", nil): self = .json
    case ("timestamp", nil): self = .timestamp(nil)
    case ("day", nil): self = .day(nil)
    case ("decimal", let digits?):
      guard let scale = Int(digits), (0...18).contains(scale) else { return nil }
      self = .decimal(scale: scale)
    case ("timestamp", let unit?), ("day", let unit?):
      guard let unit = SQLColumnType.units[unit] else { return nil }
      self = parts[0] == "day" ? .day(unit) : .timestamp(unit)
    default: return nil
    }
  }

  private static let units: [String: TimeUnit] = ["s": .seconds, "ms": .milliseconds, "us": .microseconds]

  /// True where the store is given texts, false where whole numbers.
  var isText: Bool {
    switch self {
    case .text, .json, .timestamp, .day: true
    case .integer, .boolean, .decimal: false
    }
  }

  /// Whether a field of this source can be of this type.
  func canBe(_ source: FieldSource) -> Bool {
    switch (source, self) {
    case (.payload, _): true
    case (.key, .text), (.type, .text), (.id, .text): true
    case (.time, .timestamp(nil)), (.time, .day(nil)): true
    case (.headers, .json): true
    default: false
    }
  }
}

/// A declared column of `events`: which field it is, and how its cell is written.
struct SQLColumn: Sendable {
  private enum Field: Sendable {
    case text(TextField)
    case integer(IntegerField)
    case decimal(DecimalField)
    case boolean(BooleanField)
    case timestamp(TimeField)
    case day(TimeField)
    case json(JSONField)
  }

  private let name: String
  private let field: Field
  private let isOptional: Bool

  /// Declares the field in `reads`.
  init(_ column: SQLDirectives.Column, in reads: inout Reads) {
    name = column.name
    isOptional = column.isOptional
    switch (column.type, column.source) {
    case (.text, let source): field = .text(reads.text(source))
    case (.integer, .payload(let path)): field = .integer(reads.integer(path.written))
    case (.decimal(let scale), .payload(let path)): field = .decimal(reads.decimal(path.written, scale: scale))
    case (.boolean, .payload(let path)): field = .boolean(reads.boolean(path.written))
    case (.json, .payload(let path)): field = .json(reads.json(path.written))
    case (.json, _): field = .json(reads.headers())
    case (.timestamp(let unit), .payload(let path)): field = .timestamp(SQLColumn.time(path, unit, in: &reads))
    case (.day(let unit), .payload(let path)): field = .day(SQLColumn.time(path, unit, in: &reads))
    case (.day, _): field = .day(reads.time())
    // `canBe` lets nothing else through.
    case (.timestamp, _), (.integer, _), (.decimal, _), (.boolean, _): field = .timestamp(reads.time())
    }
  }

  private static func time(_ path: JSONPath, _ unit: TimeUnit?, in reads: inout Reads) -> TimeField {
    unit.map { reads.time(path.written, since1970: $0) } ?? reads.time(path.written)
  }

  /// Writes the event's value to `cell`. Throws `FieldError` where it is not what was declared.
  func write(_ event: Event, to cell: UnsafeMutablePointer<Cell>, in arena: Arena) throws {
    cell.initialize(to: isOptional ? try optional(event, arena) : try required(event, arena))
  }

  private func required(_ event: Event, _ arena: Arena) throws -> Cell {
    switch field {
    case .text(let field): Cell(try event[field], in: arena)
    case .integer(let field): Cell(number: Int128(try event[field]))
    case .decimal(let field): try decimal(event[field], field)
    case .boolean(let field): Cell(number: try event[field] ? 1 : 0)
    case .timestamp(let field): SQLColumn.cell(try event[field], in: arena)
    case .day(let field): SQLColumn.cell(try event[field].day, in: arena)
    case .json(let field):
      if let json = event[field] { Cell(json, in: arena) } else { throw MissingValue(name: name) }
    }
  }

  private func optional(_ event: Event, _ arena: Arena) throws -> Cell {
    switch field {
    case .text(let field): try event[ifPresent: field].map { Cell($0, in: arena) } ?? .null
    case .integer(let field): try event[ifPresent: field].map { Cell(number: Int128($0)) } ?? .null
    case .decimal(let field): try event[ifPresent: field].map { try decimal($0, field) } ?? .null
    case .boolean(let field): try event[ifPresent: field].map { Cell(number: $0 ? 1 : 0) } ?? .null
    case .timestamp(let field): try event[ifPresent: field].map { SQLColumn.cell($0, in: arena) } ?? .null
    case .day(let field): try event[ifPresent: field].map { SQLColumn.cell($0.day, in: arena) } ?? .null
    case .json(let field): event[field].map { Cell($0, in: arena) } ?? .null
    }
  }

  /// The scaled whole number, which a store keeps in 64 bits.
  private func decimal(_ value: FixedDecimal, _ field: DecimalField) throws -> Cell {
    guard Int64(exactly: value.unscaled) != nil else { throw TooLarge(name: name, value: value) }
    return Cell(number: value.unscaled)
  }

  private static func cell(_ day: Day, in arena: Arena) -> Cell {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: ISOText.capacity) { bytes in
      guard let start = bytes.baseAddress else { return .null }
      return Cell(Text(start: start, count: ISOText.write(day: day.number, to: start)), in: arena)
    }
  }

  private static func cell(_ time: Timestamp, in arena: Arena) -> Cell {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: ISOText.capacity) { bytes in
      guard let start = bytes.baseAddress else { return .null }
      return Cell(Text(start: start, count: ISOText.write(time: time.microseconds, to: start)), in: arena)
    }
  }

  private struct TooLarge: Error, CustomStringConvertible {
    let name: String
    let value: FixedDecimal
    var description: String { "column \(name): \(value.unscaled) of its smallest units are more than 64 bits hold" }
  }

  private struct MissingValue: Error, CustomStringConvertible {
    let name: String
    var description: String { "column \(name): expected a JSON value, found none" }
  }
}

extension JSONPath {
  /// As `init(_:)` reads it.
  fileprivate var written: String {
    members.map { member in
      member.reduce(into: "") { $0 += $1 == "." || $1 == "\\" ? "\\\($1)" : "\($1)" }
    }.joined(separator: ".")
  }
}
