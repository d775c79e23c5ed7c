import CPQ
import ReplayCore
import ReplaySQL

/// A row of an answer in PostgreSQL's binary format.
struct BinaryRow {
  let result: PostgresResult
  let row: Int32

  private static let firstDay: Int64 = 10_957
  private static let firstMicrosecond: Int64 = 946_684_800_000_000

  /// The bytes, lent as long as the result lives; nil: NULL.
  func bytes(_ column: Int32) -> UnsafeRawBufferPointer? {
    if PQgetisnull(result.handle, row, column) == 1 { return nil }
    return UnsafeRawBufferPointer(
      start: PQgetvalue(result.handle, row, column), count: Int(PQgetlength(result.handle, row, column)))
  }

  func integer(_ column: Int32) -> Int64 {
    guard let bytes = bytes(column) else { return 0 }
    return bytes.count == 4
      ? Int64(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)))
      : Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
  }

  /// Throws `.config` where another program has made the column anything else.
  func cell(_ column: Int32, _ definition: TableSchema.Column, of table: String, in arena: Arena) throws -> Cell {
    guard let bytes = bytes(column) else { return .null }
    switch definition.type {
    case .text, .json, .bytes: return Cell(Text(bytes), in: arena)
    case .integer where bytes.count == 8, .decimal where bytes.count == 8:
      return Cell(number: Int128(integer(column)))
    case .timestamp where bytes.count == 8:
      let (time, overflow) = integer(column).addingReportingOverflow(BinaryRow.firstMicrosecond)
      if !overflow { return Cell(number: Int128(time)) }
    case .day where bytes.count == 4: return Cell(number: Int128(integer(column) + BinaryRow.firstDay))
    default: break
    }
    throw ReplayError(
      .config, "a value in the store cannot be read: \(table).\(definition.name)",
      details: ["it is not a \(definition.type)"],
      next: "another program wrote it, or changed the column: correct it, or replay from the start with --full-refresh")
  }
}
