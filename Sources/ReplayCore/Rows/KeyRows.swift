/// The rows of one partition key in a keyed table, as they are after all earlier events of that key. Valid until the
/// next key is asked for.
public struct KeyRows {
  /// Not counted: a table outlives what it lends.
  let owner: Unmanaged<KeyedRows>
  let entry: Int

  private var table: KeyedRows { owner.takeUnretainedValue() }

  public var count: Int { owner._withUnsafeGuaranteedRef { $0.rowCount(entry) } }

  /// The row at `place`, counted from 0.
  public subscript(place: Int) -> KeyedRow {
    KeyedRow(cells: table.row(entry, place), owner: owner, entry: entry)
  }

  /// Where the first row is whose `column` is `text`.
  public func firstIndex(where column: ValueColumn, is text: Text) -> Int? {
    let (first, width, count) = owner._withUnsafeGuaranteedRef { table in
      (table.rows(entry) + table.subkeyCount + column.index, table.width, table.rowCount(entry))
    }
    if text.count <= Cell.inlineLimit {
      let wanted = Cell(inline: text)
      for place in 0..<count where first[place * width] == wanted { return place }
    } else {
      for place in 0..<count where first[place * width].equals(text) { return place }
    }
    return nil
  }

  /// Makes an empty row at `place`; later rows move down by one. For tables with a rank.
  public func insert(at place: Int) -> KeyedRow {
    let cells = owner._withUnsafeGuaranteedRef { table in
      precondition(table.isRanked, "a table without a rank finds rows by key: use upsert")
      return table.insertRow(entry, at: place)
    }
    return KeyedRow(cells: cells, owner: owner, entry: entry)
  }

  /// Removes the row at `place`; later rows move up by one.
  public func remove(at place: Int) { owner._withUnsafeGuaranteedRef { $0.removeRow(entry, at: place) } }

  /// Removes the rows behind the first `limit`.
  public func keep(first limit: Int) {
    while count > limit { remove(at: count - 1) }
  }

  /// The row with this key behind the partition key, or nil. Throws `MisfitError`, as all that takes subkeys or values.
  public func find(_ subkeys: any CellValue...) throws -> KeyedRow? {
    guard let place = try place(of: subkeys) else { return nil }
    return self[place]
  }

  /// The row with this key behind the partition key, made where there is none, with NULL in every column.
  public func upsert(_ subkeys: any CellValue...) throws -> KeyedRow { try upsert(subkeys) }

  public func upsert(_ subkeys: [any CellValue]) throws -> KeyedRow {
    precondition(!table.isRanked, "a table with a rank takes rows by place: use insert(at:)")
    if let place = try place(of: subkeys) { return self[place] }
    let cells = table.insertRow(entry, at: count)
    for (index, subkey) in subkeys.enumerated() { cells[index] = subkey.cell(in: table.arena) }
    return KeyedRow(cells: cells, owner: owner, entry: entry)
  }

  /// Deletes the row with this key behind the partition key; false where there is none.
  @discardableResult public func delete(_ subkeys: any CellValue...) throws -> Bool { try delete(subkeys) }

  @discardableResult public func delete(_ subkeys: [any CellValue]) throws -> Bool {
    guard let place = try place(of: subkeys) else { return false }
    remove(at: place)
    return true
  }

  private func place(of subkeys: [any CellValue]) throws -> Int? {
    let kinds = table.isRanked ? [] : table.schema.keys.dropFirst().map(\.type.kind)
    guard subkeys.map(\.cellKind) == kinds else {
      throw MisfitError(
        place: "the key of \(table.schema.name) behind the partition key",
        expected: "(" + kinds.map(\.description).joined(separator: ", ") + ")",
        found: "(" + subkeys.map(\.cellKind.description).joined(separator: ", ") + ")")
    }
    return (0..<count).first { place in
      let row = table.row(entry, place)
      return subkeys.indices.allSatisfy { subkeys[$0].matches(row[$0]) }
    }
  }
}

/// One row of a keyed table. Valid until another row is inserted or removed, or another key asked for.
public struct KeyedRow {
  @usableFromInline let cells: UnsafeMutablePointer<Cell>
  @usableFromInline let owner: Unmanaged<KeyedRows>
  @usableFromInline let entry: Int

  private var table: KeyedRows { owner.takeUnretainedValue() }

  @inlinable public func set(_ column: ValueColumn, to value: some CellValue) throws {
    guard value.cellKind == column.kind else { throw misfit(column, value.cellKind) }
    owner._withUnsafeGuaranteedRef { table in
      cells[table.subkeyCount + column.index] = value.cell(in: table.arena)
      table.touch(entry)
    }
  }

  @usableFromInline func misfit(_ column: ValueColumn, _ found: CellKind) -> MisfitError {
    let schema = table.schema
    let definition = schema.values[column.index]
    return MisfitError(place: "\(schema.name).\(definition.name)", expected: "\(definition.type)", found: "\(found)")
  }

  public func setNull(_ column: ValueColumn) {
    cells[table.subkeyCount + column.index] = .null
    table.touch(entry)
  }

  public func isNull(_ column: ValueColumn) -> Bool { cells[table.subkeyCount + column.index].isNull }

  /// The number in the column; 0 where it is NULL.
  public func integer(_ column: ValueColumn) -> Int64 {
    let cell = cells[table.subkeyCount + column.index]
    return cell.isNull ? 0 : Int64(truncatingIfNeeded: cell.number)
  }

  /// The number in the column as a decimal of the column's own scale; nil where it is NULL.
  public func decimal(_ column: ValueColumn) -> FixedDecimal? {
    let cell = cells[table.subkeyCount + column.index]
    guard !cell.isNull, case .decimal(let scale) = table.schema.values[column.index].type else { return nil }
    return FixedDecimal(unscaled: cell.number, scale: scale)
  }

  /// The moment in the column; nil where it is NULL.
  public func timestamp(_ column: ValueColumn) -> Timestamp? {
    let cell = cells[table.subkeyCount + column.index]
    return cell.isNull ? nil : Timestamp(microseconds: Int64(truncatingIfNeeded: cell.number))
  }

  /// The day in the column; nil where it is NULL.
  public func day(_ column: ValueColumn) -> Day? {
    let cell = cells[table.subkeyCount + column.index]
    return cell.isNull ? nil : Day(number: Int64(truncatingIfNeeded: cell.number))
  }

  /// The text in the column; nil where it is NULL.
  public func string(_ column: ValueColumn) -> String? {
    let cell = cells[table.subkeyCount + column.index]
    return cell.isNull ? nil : cell.withText { String($0) }
  }
}
