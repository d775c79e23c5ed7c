/// A value that a key or a column can hold. Conformances are the project's own; the list is closed.
public protocol CellValue {
  /// Which columns can hold it.
  var cellKind: CellKind { get }
  /// The seedless hash of the value, by `KeyHash`.
  var keyHash: UInt64 { get }
  /// True where the cell holds this value.
  func matches(_ cell: Cell) -> Bool
  /// The value as a cell; `arena` owns what does not fit inline.
  func cell(in arena: Arena) -> Cell
}

/// The type of a value or a column as one number, cheap to compare: texts (text, JSON, bytes) are one kind, decimals
/// one for each scale.
@frozen public struct CellKind: Hashable, Sendable {
  @usableFromInline let code: Int32
  @inlinable init(code: Int32) { self.code = code }

  @inlinable public static var text: CellKind { CellKind(code: 0) }
  @inlinable public static var integer: CellKind { CellKind(code: 1) }
  @inlinable public static var day: CellKind { CellKind(code: 2) }
  @inlinable public static var timestamp: CellKind { CellKind(code: 3) }
  /// Without digits behind the point it is an integer.
  @inlinable public static func decimal(scale: Int) -> CellKind {
    scale == 0 ? .integer : CellKind(code: 100 + Int32(truncatingIfNeeded: scale))
  }
}

extension CellKind: CustomStringConvertible {
  public var description: String {
    switch code {
    case 0: "text"
    case 1: "integer"
    case 2: "day"
    case 3: "timestamp"
    default: "decimal(scale: \(code - 100))"
    }
  }
}

/// A function gave a table or a column something that it does not hold: a fault in the function, whatever the event.
public struct MisfitError: Error, CustomStringConvertible {
  /// `table.column`, or the table.
  public let place: String
  public let expected: String
  public let found: String

  public var description: String { "fault in the function: \(place) holds \(expected), it was given \(found)" }
}

extension Text: CellValue {
  @inlinable public var cellKind: CellKind { .text }
  @inlinable public var keyHash: UInt64 { KeyHash.hash(self) }
  @inlinable public func matches(_ cell: Cell) -> Bool { cell.equals(self) }
  @inlinable public func cell(in arena: Arena) -> Cell { Cell(self, in: arena) }
}

extension String: CellValue {
  @inlinable public var cellKind: CellKind { .text }
  public var keyHash: UInt64 { withText { $0.keyHash } }
  public func matches(_ cell: Cell) -> Bool { withText { cell.equals($0) } }
  public func cell(in arena: Arena) -> Cell { withText { Cell($0, in: arena) } }

  /// Lends the UTF-8.
  func withText<Result>(_ body: (Text) throws -> Result) rethrows -> Result {
    var copy = self
    return try copy.withUTF8 { try body(Text(UnsafeRawBufferPointer($0))) }
  }
}

/// A value that is a number in memory.
public protocol NumberValue: CellValue {
  var cellNumber: Int128 { get }
}

extension NumberValue {
  @inlinable public var keyHash: UInt64 { KeyHash.hash(UInt64(truncatingIfNeeded: cellNumber)) }
  @inlinable public func matches(_ cell: Cell) -> Bool { cell == Cell(number: cellNumber) }
  @inlinable public func cell(in arena: Arena) -> Cell { Cell(number: cellNumber) }
}

extension Int64: NumberValue {
  @inlinable public var cellKind: CellKind { .integer }
  @inlinable public var cellNumber: Int128 { Int128(self) }
}
extension Int: NumberValue {
  @inlinable public var cellKind: CellKind { .integer }
  @inlinable public var cellNumber: Int128 { Int128(self) }
}
extension Day: NumberValue {
  @inlinable public var cellKind: CellKind { .day }
  @inlinable public var cellNumber: Int128 { Int128(number) }
}
extension Timestamp: NumberValue {
  @inlinable public var cellKind: CellKind { .timestamp }
  @inlinable public var cellNumber: Int128 { Int128(microseconds) }
}
extension FixedDecimal: NumberValue {
  @inlinable public var cellKind: CellKind { .decimal(scale: scale) }
  @inlinable public var cellNumber: Int128 { unscaled }
}
