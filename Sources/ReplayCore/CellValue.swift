/// A value that a key or a column can hold. Conformances are the project's own; the list is closed.
public protocol CellValue {
  /// The seedless hash of the value, by `KeyHash`.
  var keyHash: UInt64 { get }
  /// True where the cell holds this value.
  func matches(_ cell: Cell) -> Bool
  /// The value as a cell; `arena` owns what does not fit inline.
  func cell(in arena: Arena) -> Cell
}

extension Text: CellValue {
  @inlinable public var keyHash: UInt64 { KeyHash.hash(self) }
  @inlinable public func matches(_ cell: Cell) -> Bool { cell.equals(self) }
  @inlinable public func cell(in arena: Arena) -> Cell { Cell(self, in: arena) }
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
  @inlinable public var cellNumber: Int128 { Int128(self) }
}
extension Int: NumberValue {
  @inlinable public var cellNumber: Int128 { Int128(self) }
}
extension Day: NumberValue {
  @inlinable public var cellNumber: Int128 { Int128(number) }
}
extension Timestamp: NumberValue {
  @inlinable public var cellNumber: Int128 { Int128(microseconds) }
}
extension FixedDecimal: NumberValue {
  @inlinable public var cellNumber: Int128 { unscaled }
}
