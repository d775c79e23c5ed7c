/// The open epoch's changes to one merged table: an open-addressing table of rows in plain memory, folded per row.
///
/// Unsafe pointers: a row is touched per event, and an array's reference counting and bounds checks per cell would
/// cost more than the fold. All indexing goes through `SumColumn` and its kin, which only the table itself hands out.
public final class MergedRows {
  public let schema: TableSchema
  @usableFromInline let keyCount: Int
  /// The kinds of the key columns; of the last ones again where there are fewer than three.
  @usableFromInline let kinds: (CellKind, CellKind, CellKind)
  /// Cells a row: its hash, its keys, its values.
  @usableFromInline let stride: Int
  // Unchecked: each access is over before the next line, and a check of that at run time is a third of what finding a
  // row costs.
  @exclusivity(unchecked) @usableFromInline var rows: UnsafeMutablePointer<Cell>
  @exclusivity(unchecked) @usableFromInline var slots: UnsafeMutablePointer<UInt32>
  @exclusivity(unchecked) @usableFromInline var mask: Int
  @exclusivity(unchecked) @usableFromInline var capacity: Int
  @exclusivity(unchecked) public private(set) var count = 0
  @usableFromInline let arena = Arena()
  /// What the cells of list columns stand for: a cell's number is a place in here and 1.
  var lists: [MergedList] = []
  private var listBytes = 0

  public init(_ schema: TableSchema) {
    self.schema = schema
    keyCount = schema.keys.count
    let keys = schema.keys.map(\.type.kind)
    kinds = (keys[0], keys[min(1, keys.count - 1)], keys[keys.count - 1])
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
  public var byteCount: Int { capacity * stride * 16 + (mask + 1) * 4 + arena.byteCount + listBytes }

  /// The row of this key, made where there is none. Valid until the next row is asked for. Throws `MisfitError`.
  @inlinable public subscript<K: CellValue>(key: K) -> MergedRow {
    get throws {
      guard keyCount == 1 && key.cellKind == kinds.0 else { throw misfit([key.cellKind]) }
      let hash = key.keyHash
      var slot = Int(truncatingIfNeeded: hash) & mask
      while slots[slot] != 0 {
        let row = rows + Int(slots[slot] - 1) * stride
        if row.pointee.low == hash && key.matches(row[1]) { return MergedRow(values: row + 1 + keyCount, table: self) }
        slot = (slot + 1) & mask
      }
      let row = insert(hash, at: slot)
      row[1] = key.cell(in: arena)
      return MergedRow(values: row + 1 + keyCount, table: self)
    }
  }

  /// The row of this composite key, made where there is none. Valid until the next row is asked for. Throws `MisfitError`.
  @inlinable public subscript<K1: CellValue, K2: CellValue>(first: K1, second: K2) -> MergedRow {
    get throws {
      guard keyCount == 2 && first.cellKind == kinds.0 && second.cellKind == kinds.1 else {
        throw misfit([first.cellKind, second.cellKind])
      }
      let hash = KeyHash.combine(first.keyHash, second.keyHash)
      var slot = Int(truncatingIfNeeded: hash) & mask
      while slots[slot] != 0 {
        let row = rows + Int(slots[slot] - 1) * stride
        if row.pointee.low == hash && first.matches(row[1]) && second.matches(row[2]) {
          return MergedRow(values: row + 1 + keyCount, table: self)
        }
        slot = (slot + 1) & mask
      }
      let row = insert(hash, at: slot)
      row[1] = first.cell(in: arena)
      row[2] = second.cell(in: arena)
      return MergedRow(values: row + 1 + keyCount, table: self)
    }
  }

  /// The row of this composite key, made where there is none. Valid until the next row is asked for. Throws `MisfitError`.
  @inlinable
  public subscript<K1: CellValue, K2: CellValue, K3: CellValue>(
    first: K1, second: K2, third: K3
  ) -> MergedRow {
    get throws {
      guard keyCount == 3 && first.cellKind == kinds.0 && second.cellKind == kinds.1 && third.cellKind == kinds.2 else {
        throw misfit([first.cellKind, second.cellKind, third.cellKind])
      }
      let hash = KeyHash.combine(KeyHash.combine(first.keyHash, second.keyHash), third.keyHash)
      var slot = Int(truncatingIfNeeded: hash) & mask
      while slots[slot] != 0 {
        let row = rows + Int(slots[slot] - 1) * stride
        if row.pointee.low == hash && first.matches(row[1]) && second.matches(row[2]) && third.matches(row[3]) {
          return MergedRow(values: row + 1 + keyCount, table: self)
        }
        slot = (slot + 1) & mask
      }
      let row = insert(hash, at: slot)
      row[1] = first.cell(in: arena)
      row[2] = second.cell(in: arena)
      row[3] = third.cell(in: arena)
      return MergedRow(values: row + 1 + keyCount, table: self)
    }
  }

  /// The row of this key, of as many values as the key has columns, made where there is none. For keys whose types are not
  /// known when this is compiled.
  public func row(of key: [any CellValue]) throws -> MergedRow {
    switch key.count {
    case 1: try self[key[0]]
    case 2: try self[key[0], key[1]]
    case 3: try self[key[0], key[1], key[2]]
    default: throw misfit(key.map(\.cellKind))
    }
  }

  @usableFromInline func misfit(_ found: [CellKind]) -> MisfitError {
    let keys = schema.keys.map { "\($0.name) \($0.type)" }.joined(separator: ", ")
    return MisfitError(
      place: "the key of \(schema.name)", expected: "(\(keys))",
      found: "(" + found.map(\.description).joined(separator: ", ") + ")")
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

  /// Forgets all rows and keeps the memory.
  public func removeAll() {
    guard count > 0 else { return }
    slots.update(repeating: 0, count: mask + 1)
    count = 0
    arena.removeAll()
    lists = []
    listBytes = 0
  }

  /// Merges another lane's rows of the same table into this one. Throws `MergedList.Full`, and `OverflowError`.
  public func absorb(_ other: MergedRows) throws {
    precondition(other.stride == stride)
    for index in 0..<other.count {
      let from = other.rows + index * stride + 1 + keyCount
      let row = MergedRow(values: find(like: other.rows + index * stride) + 1 + keyCount, table: self)
      for column in schema.values.indices { try row.merge(from + column, of: other, into: column) }
    }
  }

  /// The list that the cell stands for, made where there is none.
  func list(at cell: UnsafeMutablePointer<Cell>) -> Int {
    if cell.pointee.isNull {
      lists.append(MergedList())
      cell.pointee = Cell(number: Int128(lists.count))
    }
    return Int(cell.pointee.number) - 1
  }

  func grewList(by bytes: Int) { listBytes += bytes }

  /// Puts the lists' texts into their cells. Nothing may be merged in after it.
  private func writeLists() {
    for (column, definition) in schema.values.enumerated() {
      for row in 0..<count {
        let cell = rows + row * stride + 1 + keyCount + column
        switch definition.merge {
        case .recent where !cell.pointee.isNull:
          let list = lists[list(at: cell)]
          list.ordersJSON.withUnsafeBytes { cell[1] = Cell(Text($0), in: arena) }
          list.json.withUnsafeBytes { cell[0] = Cell(Text($0), in: arena) }
        case .union where !cell.pointee.isNull:
          lists[list(at: cell)].json.withUnsafeBytes { cell[0] = Cell(Text($0), in: arena) }
        default: break
        }
      }
    }
    lists = []
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

  /// The rows as a store wants them: sorted by key, without the hashes. Ends the collecting.
  public func sorted() -> RowSet {
    if schema.hasLists { writeLists() }
    return RowSet(schema: schema, rows: UnsafePointer(rows) + 1, count: count, stride: stride, arenas: [arena])
  }
}
