import ReplayCore

/// A digest of a table's rows, whatever order they come in: the sum, modulo 2⁶⁴, of each row's `KeyHash`.
///
/// What is hashed of a row is, for each of its columns in the order of their names' bytes, `NAME=VALUE` and a line end:
///
/// | value | text |
/// |---|---|
/// | NULL | `n` |
/// | a whole number | `i` and its digits: `i-42` |
/// | a binary fraction | `r` and the shortest digits that read back as it: `r0.1` |
/// | a text, JSON as it is kept, a day, a time as SQLite keeps it | `t`, its bytes' number, `:` and the bytes: `t3:a-7` |
/// | bytes | `b`, their number, `:` and they: `b2:..` |
///
/// So the digest is the same in every store that holds the same rows, on every machine and in every version. It finds
/// accidents, and no forger.
package struct TableDigest: Sendable {
  package private(set) var value: UInt64 = 0
  package private(set) var rows: UInt64 = 0
  /// Each column's place in a row, and what its part of the text begins with.
  private let columns: [(place: Int, start: [UInt8])]
  private var text: [UInt8] = []

  /// `columns`: the names of a row's values in their order; `leavingOut`: those that do not count.
  package init(_ columns: [String], leavingOut: Set<String> = []) {
    self.columns = columns.enumerated().filter { !leavingOut.contains($1) }
      .map { (place: $0, start: Array($1.utf8) + [UInt8(ascii: "=")]) }
      .sorted { $0.start.dropLast().lexicographicallyPrecedes($1.start.dropLast()) }
  }

  package mutating func add(_ row: [TableValue]) {
    text.removeAll(keepingCapacity: true)
    for column in columns {
      text += column.start
      put(row[column.place])
      text.append(10)
    }
    value &+= text.withUnsafeBytes { KeyHash.hash(Text($0)) }
    rows += 1
  }

  private mutating func put(_ value: TableValue) {
    switch value {
    case .null: text.append(UInt8(ascii: "n"))
    case .integer(let number): put("i", "\(number)")
    case .real(let number): put("r", "\(number)")
    case .time(let time): put("t", Array(time.description.utf8))
    case .text(let bytes): put("t", bytes)
    case .bytes(let bytes): put("b", bytes)
    }
  }

  private mutating func put(_ tag: String, _ digits: String) {
    text += tag.utf8
    text += digits.utf8
  }

  private mutating func put(_ tag: String, _ bytes: [UInt8]) {
    put(tag, "\(bytes.count):")
    text += bytes
  }
}
