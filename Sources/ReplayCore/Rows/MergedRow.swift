/// One row of a merged table in the open epoch: what has been added to it since the last commit.
@frozen public struct MergedRow {
  @usableFromInline let values: UnsafeMutablePointer<Cell>
  @usableFromInline unowned(unsafe) let table: MergedRows

  @inlinable init(values: UnsafeMutablePointer<Cell>, table: MergedRows) {
    self.values = values
    self.table = table
  }

  // Everything a function does to a row throws `MisfitError` where the value is not of the column's type.

  @inlinable func check(_ value: some CellValue, _ kind: CellKind, _ column: Int) throws {
    if value.cellKind != kind { throw misfit(value.cellKind, column) }
  }

  @usableFromInline func misfit(_ found: CellKind, _ column: Int) -> MisfitError {
    let definition = table.schema.values[column]
    return MisfitError(
      place: "\(table.schema.name).\(definition.name)", expected: "\(definition.type)", found: "\(found)")
  }

  /// Adds `value` to the sum, which has 127 bits here (beyond them: `OverflowError`); the store refuses one that does
  /// not fit its column.
  @inlinable public func add(_ value: some NumberValue, to column: SumColumn) throws {
    try check(value, column.kind, column.index)
    let (sum, overflow) = values[column.index].number.addingReportingOverflow(value.cellNumber)
    if overflow { throw OverflowError() }
    values[column.index] = Cell(number: sum)
  }

  @inlinable public func lower(_ column: MinColumn, to value: some NumberValue) throws {
    try check(value, column.kind, column.index)
    let cell = values[column.index]
    if cell.isNull || value.cellNumber < cell.number { values[column.index] = Cell(number: value.cellNumber) }
  }

  @inlinable public func raise(_ column: MaxColumn, to value: some NumberValue) throws {
    try check(value, column.kind, column.index)
    let cell = values[column.index]
    if cell.isNull || value.cellNumber > cell.number { values[column.index] = Cell(number: value.cellNumber) }
  }

  @inlinable public func lower(_ column: MinColumn, to text: Text) throws {
    try check(text, column.kind, column.index)
    let cell = values[column.index]
    if cell.isNull || cell.withText({ text < $0 }) { values[column.index] = Cell(text, in: table.arena) }
  }

  @inlinable public func raise(_ column: MaxColumn, to text: Text) throws {
    try check(text, column.kind, column.index)
    let cell = values[column.index]
    if cell.isNull || cell.withText({ $0 < text }) { values[column.index] = Cell(text, in: table.arena) }
  }

  /// Keeps `value` where `event` is before all others so far by `order`; events of one order are told apart by log,
  /// partition and position.
  public func keep(
    _ value: some CellValue, in column: FirstColumn, by order: some NumberValue, of event: Event
  ) throws {
    try check(value, column.kind, column.index)
    keep(value, at: column.index, order.cellNumber, event, later: false)
  }

  /// Keeps `value` where `event` is behind all others so far by `order`; events of one order are told apart by log,
  /// partition and position.
  public func keep(
    _ value: some CellValue, in column: LastColumn, by order: some NumberValue, of event: Event
  ) throws {
    try check(value, column.kind, column.index)
    keep(value, at: column.index, order.cellNumber, event, later: true)
  }

  /// Keeps `value` among those of the last events by `order`; events of one order are told apart by log, partition and
  /// position.
  public func keep(
    _ value: some CellValue, in column: RecentColumn, by order: some NumberValue, of event: Event
  ) throws {
    try checkElement(value, column.type, column.index)
    let list = table.list(at: values + column.index)
    let (partition, position) = (event.partition, event.position)
    let order = [UInt8](unsafeUninitializedCapacity: EventOrder.byteCount(partition)) { bytes, count in
      count = bytes.count
      guard let base = bytes.baseAddress else { return }
      EventOrder.write(order.cellNumber, partition, position, to: base)
    }
    let before = table.lists[list].elements.count
    table.lists[list].keep({ token(of: value, column.type) }, order: order, limit: column.limit)
    if table.lists[list].elements.count > before { table.grewList(by: 160 + order.count) }
  }

  /// Adds `value` to the set. Throws `MergedList.Full`.
  public func insert(_ value: some CellValue, into column: SetColumn) throws {
    try checkElement(value, column.type, column.index)
    let list = table.list(at: values + column.index)
    let token = token(of: value, column.type)
    let before = table.lists[list].elements.count
    guard table.lists[list].insert(token, limit: column.limit) else { throw full(column.index) }
    if table.lists[list].elements.count > before { table.grewList(by: 80 + token.count) }
  }

  private func checkElement(_ value: some CellValue, _ type: ColumnType, _ column: Int) throws {
    guard value.cellKind != type.kind else { return }
    let place = "\(table.schema.name).\(table.schema.values[column].name)"
    throw MisfitError(place: place, expected: "values of type \(type)", found: "\(value.cellKind)")
  }

  private func token(of value: some CellValue, _ type: ColumnType) -> [UInt8] {
    let arena = Arena()
    return withExtendedLifetime(arena) { JSONToken.of(value.cell(in: arena), type) }
  }

  private func full(_ column: Int) -> MergedList.Full {
    let definition = table.schema.values[column]
    guard case .union(let limit)? = definition.merge else { return MergedList.Full(column: definition.name, limit: 0) }
    return MergedList.Full(column: definition.name, limit: limit)
  }

  private func keep(_ value: some CellValue, at column: Int, _ order: Int128, _ event: Event, later: Bool) {
    let known = values[column + 1]
    if !known.isNull {
      let before = EventOrder.value(at: known.longAddress)
      if later ? order < before : order > before { return }
    }
    let (partition, position) = (event.partition, event.position)
    let count = EventOrder.byteCount(partition)
    withUnsafeTemporaryAllocation(byteCount: count, alignment: 8) { bytes in
      guard let base = bytes.baseAddress else { return }
      EventOrder.write(order, partition, position, to: base)
      let new = Text(start: base, count: count)
      if !known.isNull, known.withText({ later ? new < $0 : $0 < new }) { return }
      // In place where it fits: an order for each event would fill the memory.
      if !known.isNull, known.textCount == count {
        UnsafeMutableRawPointer(mutating: known.longAddress).copyMemory(from: base, byteCount: count)
      } else {
        values[column + 1] = Cell(new, in: table.arena)
      }
      values[column] = value.cell(in: table.arena)
    }
  }

  /// Merges what another lane has in this column; `cell` is its own.
  func merge(_ cell: UnsafeMutablePointer<Cell>, of other: MergedRows, into column: Int) throws {
    let definition = table.schema.values[column]
    guard !cell.pointee.isNull, let merge = definition.merge else { return }
    let number = cell.pointee.number
    switch (merge, definition.type.isText) {
    case (.sum, _):
      let (sum, overflow) = values[column].number.addingReportingOverflow(number)
      if overflow { throw OverflowError() }
      values[column] = Cell(number: sum)
    case (.min, false): if values[column].isNull || number < values[column].number { values[column] = cell.pointee }
    case (.max, false): if values[column].isNull || number > values[column].number { values[column] = cell.pointee }
    case (.min, true):
      try cell.pointee.withText { try lower(MinColumn(index: column, kind: .text), to: $0) }
    case (.max, true):
      try cell.pointee.withText { try raise(MaxColumn(index: column, kind: .text), to: $0) }
    case (.first, _), (.last, _): take(cell, at: column, definition.type, later: merge == .last)
    case (.recent, _), (.union, _):
      let list = table.list(at: values + column)
      guard table.lists[list].merge(other.lists[other.list(at: cell)], by: merge) else { throw full(column) }
    case (.order, _): break
    }
  }

  /// Takes another lane's value where its order wins.
  private func take(_ cell: UnsafeMutablePointer<Cell>, at column: Int, _ type: ColumnType, later: Bool) {
    let (known, new) = (values[column + 1], cell[1])
    if !known.isNull, new.withText({ new in known.withText { later ? new < $0 : $0 < new } }) { return }
    let arena = table.arena
    values[column + 1] = new.withText { Cell($0, in: arena) }
    values[column] = type.isText && !cell[0].isNull ? cell[0].withText { Cell($0, in: arena) } : cell[0]
  }
}
