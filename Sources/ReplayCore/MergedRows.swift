/// The open epoch's changes to one merged table: an open-addressing table of rows in plain memory, folded per row.
///
/// Unsafe pointers: a row is touched per event, and an array's reference counting and bounds checks per cell would
/// cost more than the fold. All indexing goes through `SumColumn` and its kin, which only the table itself hands out.
public final class MergedRows {
  public let schema: TableSchema
  @usableFromInline let keyCount: Int
  /// Cells a row: its hash, its keys, its values.
  @usableFromInline let stride: Int
  @usableFromInline var rows: UnsafeMutablePointer<Cell>
  @usableFromInline var slots: UnsafeMutablePointer<UInt32>
  @usableFromInline var mask: Int
  @usableFromInline var capacity: Int
  public private(set) var count = 0
  @usableFromInline let arena = Arena()

  public init(_ schema: TableSchema) {
    self.schema = schema
    keyCount = schema.keys.count
    stride = 1 + schema.keys.count + schema.values.count
    capacity = 64
    mask = 127
    rows = .allocate(capacity: capacity * stride)
    slots = .allocate(capacity: mask + 1)
    slots.initialize(repeating: 0, count: mask + 1)
  }

  deinit {
    rows.deallocate()
    slots.deallocate()
  }

  /// Memory held, in bytes.
  public var byteCount: Int { capacity * stride * 16 + (mask + 1) * 4 + arena.byteCount }

  /// The row of this key, made where there is none. Valid until the next row is asked for.
  @inlinable public subscript<K: CellValue>(key: K) -> MergedRow {
    let hash = key.keyHash
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0 {
      let row = rows + Int(slots[slot] - 1) * stride
      if row.pointee.low == hash && key.matches(row[1]) { return MergedRow(values: row + 1 + keyCount, arena: arena) }
      slot = (slot + 1) & mask
    }
    let row = insert(hash, at: slot)
    row[1] = key.cell(in: arena)
    return MergedRow(values: row + 1 + keyCount, arena: arena)
  }

  /// The row of this composite key, made where there is none. Valid until the next row is asked for.
  @inlinable public subscript<K1: CellValue, K2: CellValue>(first: K1, second: K2) -> MergedRow {
    let hash = KeyHash.combine(first.keyHash, second.keyHash)
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0 {
      let row = rows + Int(slots[slot] - 1) * stride
      if row.pointee.low == hash && first.matches(row[1]) && second.matches(row[2]) {
        return MergedRow(values: row + 1 + keyCount, arena: arena)
      }
      slot = (slot + 1) & mask
    }
    let row = insert(hash, at: slot)
    row[1] = first.cell(in: arena)
    row[2] = second.cell(in: arena)
    return MergedRow(values: row + 1 + keyCount, arena: arena)
  }

  /// The row of this composite key, made where there is none. Valid until the next row is asked for.
  @inlinable
  public subscript<K1: CellValue, K2: CellValue, K3: CellValue>(
    first: K1, second: K2, third: K3
  ) -> MergedRow {
    let hash = KeyHash.combine(KeyHash.combine(first.keyHash, second.keyHash), third.keyHash)
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0 {
      let row = rows + Int(slots[slot] - 1) * stride
      if row.pointee.low == hash && first.matches(row[1]) && second.matches(row[2]) && third.matches(row[3]) {
        return MergedRow(values: row + 1 + keyCount, arena: arena)
      }
      slot = (slot + 1) & mask
    }
    let row = insert(hash, at: slot)
    row[1] = first.cell(in: arena)
    row[2] = second.cell(in: arena)
    row[3] = third.cell(in: arena)
    return MergedRow(values: row + 1 + keyCount, arena: arena)
  }

  /// Makes an empty row: sums begin at 0, the least and greatest at NULL.
  @usableFromInline func insert(_ hash: UInt64, at slot: Int) -> UnsafeMutablePointer<Cell> {
    var slot = slot
    if count == capacity {
      grow()
      slot = Int(truncatingIfNeeded: hash) & mask
      while slots[slot] != 0 { slot = (slot + 1) & mask }
    }
    slots[slot] = UInt32(count + 1)
    let row = rows + count * stride
    count += 1
    row.initialize(to: Cell(low: hash, high: 0))
    for (index, column) in schema.values.enumerated() {
      (row + 1 + keyCount + index).initialize(to: column.merge == .sum ? Cell(number: 0) : .null)
    }
    return row
  }

  private func grow() {
    let wider = UnsafeMutablePointer<Cell>.allocate(capacity: capacity * 2 * stride)
    wider.moveInitialize(from: rows, count: count * stride)
    rows.deallocate()
    rows = wider
    capacity *= 2
    slots.deallocate()
    mask = mask * 2 + 1
    slots = .allocate(capacity: mask + 1)
    slots.initialize(repeating: 0, count: mask + 1)
    for index in 0..<count {
      var slot = Int(truncatingIfNeeded: rows[index * stride].low) & mask
      while slots[slot] != 0 { slot = (slot + 1) & mask }
      slots[slot] = UInt32(index + 1)
    }
  }

  /// Merges another lane's rows of the same table into this one.
  public func absorb(_ other: MergedRows) {
    precondition(other.stride == stride)
    for index in 0..<other.count {
      let from = other.rows + index * stride
      let row = MergedRow(values: find(like: from) + 1 + keyCount, arena: arena)
      for (column, definition) in schema.values.enumerated() {
        row.merge(from[1 + keyCount + column], into: column, by: definition)
      }
    }
  }

  private func find(like other: UnsafeMutablePointer<Cell>) -> UnsafeMutablePointer<Cell> {
    let hash = other.pointee.low
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0 {
      let row = rows + Int(slots[slot] - 1) * stride
      if row.pointee.low == hash && sameKey(row, other) { return row }
      slot = (slot + 1) & mask
    }
    let row = insert(hash, at: slot)
    for key in 0..<keyCount { row[1 + key] = copy(other[1 + key], schema.keys[key].type) }
    return row
  }

  private func sameKey(_ a: UnsafeMutablePointer<Cell>, _ b: UnsafeMutablePointer<Cell>) -> Bool {
    for key in 0..<keyCount {
      let same = schema.keys[key].type.isText ? b[1 + key].withText { a[1 + key].equals($0) } : a[1 + key] == b[1 + key]
      if !same { return false }
    }
    return true
  }

  private func copy(_ cell: Cell, _ type: ColumnType) -> Cell {
    type.isText && !cell.isNull ? cell.withText { Cell($0, in: arena) } : cell
  }

  /// The rows as a store wants them: sorted by key, without the hashes.
  public func sorted() -> RowSet {
    RowSet(schema: schema, rows: UnsafePointer(rows) + 1, count: count, stride: stride, arenas: [arena])
  }
}

/// One row of a merged table in the open epoch: what has been added to it since the last commit.
@frozen public struct MergedRow {
  @usableFromInline let values: UnsafeMutablePointer<Cell>
  @usableFromInline unowned(unsafe) let arena: Arena

  @inlinable init(values: UnsafeMutablePointer<Cell>, arena: Arena) {
    self.values = values
    self.arena = arena
  }

  /// Adds `value` to the sum. A sum has 127 bits here; the store refuses one that does not fit its column.
  @inlinable public func add(_ value: some NumberValue, to column: SumColumn) {
    values[column.index] = Cell(number: values[column.index].number + value.cellNumber)
  }

  @inlinable public func lower(_ column: MinColumn, to value: some NumberValue) {
    let cell = values[column.index]
    if cell.isNull || value.cellNumber < cell.number { values[column.index] = Cell(number: value.cellNumber) }
  }

  @inlinable public func raise(_ column: MaxColumn, to value: some NumberValue) {
    let cell = values[column.index]
    if cell.isNull || value.cellNumber > cell.number { values[column.index] = Cell(number: value.cellNumber) }
  }

  @inlinable public func lower(_ column: MinColumn, to text: Text) {
    let cell = values[column.index]
    if cell.isNull || cell.withText({ text < $0 }) { values[column.index] = Cell(text, in: arena) }
  }

  @inlinable public func raise(_ column: MaxColumn, to text: Text) {
    let cell = values[column.index]
    if cell.isNull || cell.withText({ $0 < text }) { values[column.index] = Cell(text, in: arena) }
  }

  func merge(_ cell: Cell, into column: Int, by definition: TableSchema.Column) {
    guard !cell.isNull, let merge = definition.merge else { return }
    switch (merge, definition.type.isText) {
    case (.sum, _): add(FixedDecimal(unscaled: cell.number, scale: 0), to: SumColumn(index: column))
    case (.min, false): lower(MinColumn(index: column), to: FixedDecimal(unscaled: cell.number, scale: 0))
    case (.max, false): raise(MaxColumn(index: column), to: FixedDecimal(unscaled: cell.number, scale: 0))
    case (.min, true): cell.withText { lower(MinColumn(index: column), to: $0) }
    case (.max, true): cell.withText { raise(MaxColumn(index: column), to: $0) }
    }
  }
}
