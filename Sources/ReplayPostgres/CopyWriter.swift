import CPQ
import ReplayCore
import ReplaySQL

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Sends rows in COPY's binary format: numbers as they are in memory, texts without escapes. No value costs an
/// allocation.
///
/// Unsafe pointers: a buffer that is filled and sent again and again, and texts that are lent where they lie (the row's
/// memory, or its arena).
struct CopyWriter: ~Copyable {
  private let connection: PostgresConnection
  private let table: TableSchema
  private let types: ContiguousArray<ColumnType>
  private let buffer: UnsafeMutableRawPointer
  private var used = 0

  private static let capacity = 64 << 10
  /// What one number needs at most, with its length before it.
  private static let numberBytes = 12
  /// PostgreSQL counts from 2000-01-01.
  private static let firstDay: Int64 = 10_957
  private static let firstMicrosecond: Int64 = 946_684_800_000_000

  /// `columns` are those of the cells to come, from the first of a row on. `sql` is the COPY.
  init(_ sql: String, _ table: TableSchema, _ columns: [TableSchema.Column], on connection: PostgresConnection) throws {
    self.connection = connection
    self.table = table
    types = ContiguousArray(columns.map(\.type))
    try connection.batch(sql)
    buffer = .allocate(byteCount: CopyWriter.capacity, alignment: 16)
    // Signature, flags, length of what else is in the header.
    for byte in Array("PGCOPY\n".utf8) + [0xff, 0x0d, 0x0a, 0] + [UInt8](repeating: 0, count: 8) { put(byte) }
  }

  deinit { buffer.deallocate() }

  /// One row. Throws `.data` where no column can hold a value.
  mutating func write(_ cells: UnsafePointer<Cell>) throws {
    try reserve(2)
    put(Int16(truncatingIfNeeded: types.count))
    for column in 0..<types.count { try write(cells + column, column) }
  }

  /// Ends the rows; throws what the server has against them.
  mutating func end() throws {
    try reserve(2)
    put(Int16(-1))
    try send()
    guard PQputCopyEnd(connection.handle, nil) == 1 else { throw failure() }
    let result = PQgetResult(connection.handle)
    defer { while let more = PQgetResult(connection.handle) { PQclear(more) } }
    try connection.checked(result, doing: "COPY of \(table.storedName)")
  }

  /// Leaves the COPY, and with it the transaction, undone.
  mutating func abandon() {
    guard PQputCopyEnd(connection.handle, "the rows are not sent to their end") == 1 else { return }
    while let result = PQgetResult(connection.handle) { PQclear(result) }
  }

  @inline(__always)
  private mutating func write(_ cell: UnsafePointer<Cell>, _ column: Int) throws {
    try reserve(CopyWriter.numberBytes)
    if cell.pointee.isNull { return put(Int32(-1)) }
    switch types[column] {
    case .text, .json: try write(Cell.text(at: cell), cell, column)
    case .bytes: try write(bytes: Cell.text(at: cell))
    case .integer, .decimal:
      guard let number = Int64(exactly: cell.pointee.number) else {
        throw misfit(cell, column, "a whole number of 64 bits")
      }
      put(Int32(8))
      put(number)
    case .timestamp:
      guard let time = Int64(exactly: cell.pointee.number),
        ISOText.days.contains(Timestamp(microseconds: time).day.number)
      else { throw misfit(cell, column, "a time of the years 0000 to 9999") }
      put(Int32(8))
      put(time - CopyWriter.firstMicrosecond)
    case .day:
      guard let day = Int64(exactly: cell.pointee.number), ISOText.days.contains(day) else {
        throw misfit(cell, column, "a day of the years 0000 to 9999")
      }
      put(Int32(4))
      put(Int32(truncatingIfNeeded: day - CopyWriter.firstDay))
    }
  }

  private mutating func write(_ text: Text, _ cell: UnsafePointer<Cell>, _ column: Int) throws {
    if let nul = memchr(text.start, 0, text.count) {
      let place = UnsafeRawPointer(nul) - text.start
      throw ReplayError(
        .data,
        "a text holds a NUL character, which PostgreSQL cannot store: \(table.storedName).\(table.columns[column].name)",
        details: [
          "row \(RowKey.text(cell - column, table))",
          "the value is \"\(ReplayError.excerpt(text))\", the NUL (\\u0000 in JSON) is its byte \(place)",
        ], effect: RowKey.effect,
        next: "look for the event: replay cat; let the function leave such characters out, or use a store in SQLite")
    }
    try write(bytes: text)
  }

  private mutating func write(bytes text: Text) throws {
    guard let count = Int32(exactly: text.count) else {
      throw ReplayError(
        .data, "a value is longer than PostgreSQL can hold: table \(table.storedName)", effect: RowKey.effect)
    }
    put(count)
    if used + text.count > CopyWriter.capacity { try send() }
    if text.count > CopyWriter.capacity {
      // A COPY may be cut anywhere.
      guard PQputCopyData(connection.handle, text.start.assumingMemoryBound(to: CChar.self), count) == 1 else {
        throw failure()
      }
    } else {
      (buffer + used).copyMemory(from: text.start, byteCount: text.count)
      used += text.count
    }
  }

  @inline(__always) private mutating func put<Number: FixedWidthInteger>(_ number: Number) {
    (buffer + used).storeBytes(of: number.bigEndian, as: Number.self)
    used += MemoryLayout<Number>.size
  }

  @inline(__always) private mutating func reserve(_ bytes: Int) throws {
    if used + bytes > CopyWriter.capacity { try send() }
  }

  private mutating func send() throws {
    let start = buffer.assumingMemoryBound(to: CChar.self)
    guard PQputCopyData(connection.handle, start, Int32(used)) == 1 else { throw failure() }
    used = 0
  }

  /// What the server said that made it end the COPY, or that it is gone.
  private func failure() -> any Error {
    let result = PQgetResult(connection.handle)
    defer { PQclear(result) }
    return connection.failure(result, doing: "COPY of \(table.storedName)")
  }

  private func misfit(_ cell: UnsafePointer<Cell>, _ column: Int, _ expected: String) -> ReplayError {
    RowKey.misfit(cell - column, table, column, expected)
  }
}
