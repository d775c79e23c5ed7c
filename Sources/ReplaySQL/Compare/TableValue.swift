import ReplayCore

/// One value of a row that was read to be compared: as the database holds it, not as a column's type says.
package enum TableValue: Hashable, Sendable {
  case null
  case integer(Int64)
  case real(Double)
  /// Of a database that has a type for it; where times are texts (SQLite) they stay texts.
  case time(Timestamp)
  /// UTF-8, as far as the database sees to it.
  case text([UInt8])
  case bytes([UInt8])

  package static func text(_ text: String) -> TableValue { .text(Array(text.utf8)) }

  /// Kinds follow one another as in SQLite: NULL, numbers, texts, bytes.
  private var kind: Int {
    switch self {
    case .null: 0
    case .integer, .real: 1
    case .time: 2
    case .text: 3
    case .bytes: 4
    }
  }
}

extension TableValue: Comparable {
  /// The order that rows are read in: numbers by value, texts byte by byte.
  package static func < (a: TableValue, b: TableValue) -> Bool {
    switch (a, b) {
    case (.integer(let a), .integer(let b)): a < b
    case (.real(let a), .real(let b)): a < b
    case (.integer(let a), .real(let b)): isLess(a, b)
    case (.real(let a), .integer(let b)): isLess(a, b)
    case (.time(let a), .time(let b)): a < b
    case (.text(let a), .text(let b)), (.bytes(let a), .bytes(let b)): a.lexicographicallyPrecedes(b)
    default: a.kind < b.kind
    }
  }

  /// Exactly: a large whole number is not rounded first.
  private static func isLess(_ a: Int64, _ b: Double) -> Bool {
    if b >= 0x1p63 { return true }
    if b < -0x1p63 { return false }
    let whole = b.rounded(.down)
    return a < Int64(whole) || a == Int64(whole) && whole < b
  }

  private static func isLess(_ a: Double, _ b: Int64) -> Bool {
    if a >= 0x1p63 { return false }
    if a < -0x1p63 { return true }
    return Int64(a.rounded(.up)) < b || a < a.rounded(.up) && Int64(a.rounded(.up)) == b
  }
}

extension TableValue {
  /// For a person: `NULL`, `24`, `"a-7"`, `2026-01-31T08:12:33.123Z`, `x'00ff'`; at most `limit` bytes of it.
  package func shown(limit: Int = 80) -> String {
    switch self {
    case .null: "NULL"
    case .integer(let number): "\(number)"
    case .real(let number): "\(number)"
    case .time(let time): "\(time)"
    case .text(let text): "\"" + text.withUnsafeBytes { ReplayError.excerpt(Text($0), limit: limit) } + "\""
    case .bytes(let bytes):
      "x'" + bytes.prefix(limit / 2).map { String(Hex.text(UInt64($0)).suffix(2)) }.joined()
        + (bytes.count > limit / 2 ? "…'" : "'")
    }
  }
}
