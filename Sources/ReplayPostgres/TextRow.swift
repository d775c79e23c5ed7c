import CPQ
import ReplayCore
import ReplaySQL

/// A row of an answer in PostgreSQL's text format.
struct TextRow: SQLRow {
  let result: PostgresResult
  let row: Int32

  func isNull(_ column: Int32) -> Bool { PQgetisnull(result.handle, row, column) == 1 }

  func text(_ column: Int32) -> String { String(Text(bytes(column))) }

  func integer(_ column: Int32) -> Int64 { Int64(text(column)) ?? 0 }

  /// `\x00ff`, as the session asks for.
  func blob(_ column: Int32) -> [UInt8] {
    let digits = bytes(column).dropFirst(2)
    var (bytes, high): ([UInt8], UInt8?) = ([], nil)
    bytes.reserveCapacity(digits.count / 2)
    for digit in digits {
      let value = digit >= 97 ? digit &- 87 : digit &- 48
      if let first = high { bytes.append(first << 4 | value) }
      high = high == nil ? value : nil
    }
    return bytes
  }

  private func bytes(_ column: Int32) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: PQgetvalue(result.handle, row, column), count: Int(PQgetlength(result.handle, row, column)))
  }
}
