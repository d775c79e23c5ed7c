import ReplayCore
import ReplaySQL

/// Cells as SQLite takes them, and what is said of those that no column can hold.
///
/// Unsafe pointers: texts are lent where they lie (the row's memory, its arena, or `scratch` for times); a copy of each
/// would cost as much as the insert. A time's text stays until the next one of its column.
struct CellValues: ~Copyable {
  private let table: TableSchema
  let types: ContiguousArray<ColumnType>
  private let scratch: UnsafeMutablePointer<UInt8>

  /// What SQLite is given; the bytes are lent.
  enum Lent {
    case null
    case integer(Int64)
    case text(UnsafePointer<CChar>, Int)
    case blob(UnsafeRawPointer, Int)
  }

  /// `columns` are those of the cells to come, from the first of a row on.
  init(_ table: TableSchema, columns: [TableSchema.Column]) {
    self.table = table
    types = ContiguousArray(columns.map(\.type))
    scratch = .allocate(capacity: ISOText.capacity * max(1, columns.count))
  }

  deinit { scratch.deallocate() }

  /// The value of the cell, which is that of `column`.
  @inline(__always)
  func value(_ cell: UnsafePointer<Cell>, _ column: Int) throws(ReplayError) -> Lent {
    if cell.pointee.isNull { return .null }
    switch types[column] {
    case .text, .json:
      let text = Cell.text(at: cell)
      return .text(text.start.assumingMemoryBound(to: CChar.self), text.count)
    case .bytes:
      let text = Cell.text(at: cell)
      return .blob(text.start, text.count)
    case .integer, .decimal:
      guard let number = Int64(exactly: cell.pointee.number) else {
        throw misfit(cell, column, "a whole number of 64 bits")
      }
      return .integer(number)
    case .timestamp, .day: return try time(cell, column)
    }
  }

  private func time(_ cell: UnsafePointer<Cell>, _ column: Int) throws(ReplayError) -> Lent {
    let place = scratch + column * ISOText.capacity
    let isDay = types[column] == .day
    guard let number = Int64(exactly: cell.pointee.number),
      ISOText.days.contains(isDay ? number : Timestamp(microseconds: number).day.number)
    else { throw misfit(cell, column, "a \(isDay ? "day" : "time") of the years 0000 to 9999") }
    let count = isDay ? ISOText.write(day: number, to: place) : ISOText.write(time: number, to: place)
    return .text(UnsafeRawPointer(place).assumingMemoryBound(to: CChar.self), count)
  }

  private func misfit(_ cell: UnsafePointer<Cell>, _ column: Int, _ expected: String) -> ReplayError {
    RowKey.misfit(cell - column, table, column, expected)
  }

  /// SQLite's error with the row that it came with.
  func failure(_ error: ReplayError, of cells: UnsafePointer<Cell>) -> ReplayError {
    RowKey.failure(error, of: RowKey.text(cells, table), in: table)
  }
}
