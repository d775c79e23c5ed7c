import ReplayCore
import ReplaySQL
import ReplaySQLite
import Testing

/// Expected digests are of a program in Python that was written from the definition alone.
@Suite struct TableDigestTests {
  private static let columns = ["units", "sku", "seen", "day", "note", "raw"]
  private static let first: [TableValue] = [
    .integer(3), .text("a-7"), .text("2026-01-31T08:12:33.123Z"), .text("2026-01-31"), .null, .bytes([0, 255]),
  ]
  private static let second: [TableValue] = [
    .integer(-42), .text("b-é"), .text("1969-12-31T23:59:59.999999Z"), .text("1969-12-31"), .text("{\"a\": 1}"),
    .bytes([]),
  ]

  private static func digest(_ columns: [String], _ rows: [[TableValue]], leavingOut: Set<String> = []) -> String {
    var digest = TableDigest(columns, leavingOut: leavingOut)
    for row in rows { digest.add(row) }
    #expect(digest.rows == UInt64(rows.count))
    return Hex.text(digest.value)
  }

  @Test func knownDigests() {
    #expect(Self.digest(Self.columns, [Self.first, Self.second]) == "de35e1403d5555aa")
    #expect(Self.digest(Self.columns, [Self.first]) == "df15a41c7bd7ae1a")
    #expect(Self.digest(Self.columns, []) == "0000000000000000")
    #expect(Self.digest(["share", "id"], [[.real(0.1), .integer(1)]]) == "8b629f7f34ac3593")
  }

  @Test func neitherTheOrderOfRowsNorOfColumnsCounts() {
    #expect(Self.digest(Self.columns, [Self.second, Self.first]) == "de35e1403d5555aa")
    #expect(Self.digest(Self.columns.reversed(), [Self.first.reversed()]) == "df15a41c7bd7ae1a")
    #expect(Self.digest(Self.columns + ["at"], [Self.first + [.integer(9)]], leavingOut: ["at"]) == "df15a41c7bd7ae1a")
  }

  @Test func aTimeOfADatabaseIsTheTextThatOthersKeep() throws {
    let times = [Timestamp(microseconds: 1_769_847_153_123_000), Timestamp(microseconds: -1)]
    let rows = zip([Self.first, Self.second], times).map { row, time in
      row[..<2] + [TableValue.time(time)] + row[3...]
    }
    #expect(Self.digest(Self.columns, rows.map { Array($0) }) == "de35e1403d5555aa")
  }

  @Test func whatCountsTwiceAndWhatIsAlmostTheSame() {
    let once = Self.digest(["a", "b"], [[.text("x"), .text("y")]])
    let others: [[[TableValue]]] = [
      [[.text("x"), .text("y")], [.text("x"), .text("y")]], [[.text("y"), .text("x")]],
      [[.text("x\nb=t1:y"), .text("")]],
      [[.text("x"), .bytes(Array("y".utf8))]], [[.text("x"), .null]], [],
    ]
    #expect(Set(others.map { Self.digest(["a", "b"], $0) } + [once]).count == others.count + 1)
  }
}

/// The order is SQLite's own, of all kinds of values.
@Suite struct TableValueTests {
  private static let sorted: [TableValue] = [
    .null, .real(-.infinity), .real(-9.3e18), .integer(.min), .integer(-1), .real(-0.5), .integer(0), .real(0.5),
    .integer(1),
    .integer(1 << 53), .integer((1 << 53) + 1), .integer(.max), .real(0x1p63), .text(""), .text("A"), .text("a"),
    .text("ab"),
    .text("é"), .bytes([]), .bytes([0]), .bytes([0, 0]), .bytes([255]),
  ]

  @Test func everyPairOfTheTable() {
    for (place, a) in Self.sorted.enumerated() {
      for (other, b) in Self.sorted.enumerated() { #expect((a < b) == (place < other), "\(a) and \(b)") }
    }
  }

  @Test func equalNumbersOfTwoKindsAreNotLess() {
    for (a, b) in [
      (TableValue.integer(2), TableValue.real(2)), (.integer(.min), .real(-0x1p63)), (.integer(0), .real(-0.0)),
    ] {
      #expect(!(a < b) && !(b < a))
    }
  }

  /// SQLite sorts the same values, put in by chance, into the same order.
  @Test func sqliteAgrees() throws {
    let scratch = try Scratch()
    let store = scratch.store()
    try store.open(Function.sums())
    try store.close()
    try scratch.sql("CREATE TABLE t (v)")
    for value in Self.sorted.shuffled() {
      let sql =
        switch value {
        case .integer(.min): "-9223372036854775807 - 1"
        case .real(let number) where number.isInfinite: "-9e999"
        case .real(let number): "\(number)"
        case .text(let text): "'\(String(decoding: text, as: UTF8.self))'"
        default: value.shown()
        }
      try scratch.sql("INSERT INTO t VALUES (\(sql))")
    }
    let found = try SQLiteInspector(scratch.path).reading { connection in
      let shape = try #require(try connection.shape(of: "t"))
      let cursor = try connection.rows(RowOrder(shape, columns: ["v"], key: ["v"]))
      var values: [TableValue] = []
      while let row = try cursor.next() { values += row }
      #expect(try cursor.next() == nil, "the end stays the end")
      return values
    }
    #expect(found == Self.sorted)
  }

  @Test func whatAPersonSees() {
    #expect(TableValue.text("a\u{1b}[31m\"").shown() == "\"a\\x1b[31m\"\"")
    #expect(TableValue.bytes([0, 255, 16]).shown() == "x'00ff10'")
    #expect(TableValue.bytes([1, 2, 3]).shown(limit: 4) == "x'0102…'")
    #expect(TableValue.text("abcdef").shown(limit: 3) == "\"abc…\"")
  }
}
