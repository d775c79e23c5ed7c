import Foundation
import ReplayCore
import ReplayTesting
import Testing

/// Lends a string's bytes as `Text`.
func withText<Result>(_ string: String, _ body: (Text) throws -> Result) rethrows -> Result {
  var string = string
  return try string.withUTF8 { try body(Text(UnsafeRawBufferPointer($0))) }
}

struct ValueTests {
  @Test(arguments: [
    ("0", 0), ("-0", 0), ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min),
    ("9007199254740993", 9_007_199_254_740_993), ("1.0", 1), ("1e3", 1000), ("-12.50e1", -125), ("20e-1", 2),
    ("0.0", 0),
    ("0e9", 0), ("9.223372036854775807e18", Int64.max),
  ]) func integersAreExact(text: String, value: Int64) {
    #expect(withText(text) { ValueParsing.integer($0) } == value)
  }

  @Test(arguments: [
    "", "-", "01", "1.5", "1e-1", "1e", "1e+", "1.", "1e400000", "9223372036854775808", "-9223372036854775809", "+1",
    " 1",
    "1e19", "0x1", "1.0.0",
  ])
  func whatIsNoIntegerIsNone(text: String) {
    #expect(withText(text) { ValueParsing.integer($0) } == nil)
  }

  @Test(arguments: [
    ("24.90", 2490), ("24.9", 2490), ("24", 2400), ("-0.05", -5), ("1.2300", 123), ("0", 0), ("1e2", 10_000),
    ("1.5E-1", 15), ("123.45e0", 12_345), ("0.012e1", 12),
    ("1234e-2", 1234), ("-0.0", 0), ("0e-99", 0),
  ])
  func decimalsAreExact(text: String, unscaled: Int) {
    #expect(withText(text) { ValueParsing.decimal($0, scale: 2) }?.unscaled == Int128(unscaled))
  }

  @Test(arguments: ["1.234", "1.", ".5", "1e-3", "1e39", "01.00", "", "-", "1.2.3", "1e", "1.2e3.4"])
  func whatDoesNotFitADecimalIsNone(text: String) {
    #expect(withText(text) { ValueParsing.decimal($0, scale: 2) } == nil)
  }

  @Test(arguments: [
    "2026-01-31T08:12:33.123Z", "1969-12-31T23:59:59.999Z", "2024-02-29T00:00:00.000Z", "2000-02-29T12:00:00.000+02:30",
  ]) func timesAreFoundationsTimes(text: String) throws {
    let formatter = ISO8601DateFormatter()
    formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
    let seconds = try #require(formatter.date(from: text)).timeIntervalSince1970
    let found = try #require(withText(text) { ValueParsing.timestamp($0) })
    #expect(abs(Double(found.microseconds) / 1e6 - seconds) < 1e-6)
    if text.hasSuffix("Z") { #expect(found.description == text) }
  }

  @Test(arguments: ["yesterday", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01"])
  func whatIsNoTimeIsNone(text: String) {
    #expect(withText(text) { ValueParsing.timestamp($0) } == nil)
  }

  /// The common form is read by a way of its own. Written with a zone, or another digit, the same text is not.
  @Test(arguments: [UInt64](1...4)) func commonTimesAreTheGeneralOnes(seed: UInt64) {
    print("times, seed: \(seed)")
    var random = SplitMix64(seed: seed)
    let texts = [
      "2024-02-29T23:59:59.999Z", "0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z",
    ]
    for round in 0..<20_000 {
      var bytes = Array(random.one(of: texts).utf8)
      for _ in 0..<random.number(0...6) {
        let place = random.number(0...bytes.count - 2)
        if bytes[place] &- 48 < 10 { bytes[place] = UInt8(random.number(48...57)) }
      }
      if random.once(in: 3) {
        bytes[random.number(0...bytes.count - 2)] = UInt8(random.number(round % 2 == 0 ? 0...255 : 0x20...0x3b))
      }
      let general = bytes.dropLast() + Array("+00:00".utf8)
      let found = bytes.withUnsafeBytes { ValueParsing.timestamp(Text($0)) }
      let expected = Array(general).withUnsafeBytes { ValueParsing.timestamp(Text($0)) }
      #expect(found == expected, "seed \(seed): \(String(decoding: bytes, as: UTF8.self))")
    }
  }

  @Test func positionsOrderAndKeepTheirStoredForm() {
    let wide = WideNumber(high: 1, middle: .max, low: .max)
    let rising = [
      Position.zero, Position(0, index: 1), Position(41), Position(41).successor, Position(42),
      Position(number: wide), Position(number: wide.advanced(by: 1)),
    ]
    #expect(rising == rising.sorted())
    #expect(rising.map(\.stored) == rising.map(\.stored).sorted())
    for position in rising { #expect(Position(stored: position.stored) == position) }
    #expect(wide.advanced(by: 1) == WideNumber(high: 2, middle: 0, low: 0))
    for number in [wide, WideNumber(low: 0), WideNumber(middle: 7, low: .max)] {
      #expect(number.advanced(by: 1).predecessor == number)
    }
    #expect(WideNumber(low: 0).predecessor == nil)
  }

  /// A text of any length is the same text as a cell, and orders as its bytes do.
  @Test func cellsKeepTextsOfEveryLength() {
    let arena = Arena()
    for count in 0...40 {
      let string = String((0..<count).map { Character(UnicodeScalar(UInt8(97 + $0 % 26))) })
      withText(string) { text in
        let cell = Cell(text, in: arena)
        #expect(cell.equals(text))
        #expect(cell.withText { String($0) } == string)
        #expect(!cell.isNull)
      }
    }
  }

  /// Merged rows are a dictionary's sums, whatever the keys.
  @Test func mergedRowsAreADictionarysSums() throws {
    let seed: UInt64 = 42
    var chance = SplitMix64(seed: seed)
    var table = MergedTable("t", key: .text("k"))
    let total = table.sum("total")
    let changes = Changes(tables: [table.schema])
    var expected: [String: Int] = [:]
    for _ in 0..<20_000 {
      let key =
        String(repeating: chance.one(of: ["a", "ß", "語"]), count: chance.number(0...20)) + "\(chance.number(0...50))"
      let value = chance.number(-1000...1000)
      expected[key, default: 0] += value
      try withText(key) { try changes[table][$0].add(value, to: total) }
    }
    let rows = texts(of: changes.takeMerged()[0].sorted())
    #expect(rows.map { $0[0] } == expected.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }, "seed \(seed)")
    #expect(rows.allSatisfy { Int($0[1]) == expected[$0[0]] }, "seed \(seed)")
  }

  @Test func whatLeaves127BitsIsAnErrorAndNoTrap() throws {
    let most = FixedDecimal(unscaled: .max / 2, scale: 2)
    #expect(try most * 2 == FixedDecimal(unscaled: .max - 1, scale: 2))
    #expect(throws: OverflowError.self) { try most * 3 }
    var table = MergedTable("t", key: .integer("k"))
    let total = table.sum("total", .decimal(scale: 2))
    let rows = MergedRows(table.schema)
    try withExtendedLifetime(rows) {
      let row = try rows[Int64(1)]
      try row.add(most, to: total)
      try row.add(most, to: total)
      #expect(throws: OverflowError.self) { try row.add(most, to: total) }
    }
  }

  @Test func aListIsReadBackAsItWasWritten() throws {
    var table = MergedTable("t", key: .integer("k"))
    let words = table.union("words", .text)
    let rows = MergedRows(table.schema)
    for word in ["b", "a\"b", "", "a\\", "a,b", "\u{1}\n", "ß", "b"] {
      try withText(word) { try rows[Int64(1)].insert($0, into: words) }
    }
    let written = texts(of: rows.sorted())[0][1]
    let list = try #require(withText(written) { MergedList(json: $0) })
    #expect(String(decoding: list.json, as: UTF8.self) == written)
    let parsed = try JSONDecoder().decode([String].self, from: Data(written.utf8))
    #expect(Set(parsed) == ["b", "a\"b", "", "a\\", "a,b", "\u{1}\n", "ß"] && parsed.count == 7)
    for bad in ["", "[", "[\"a]", "[1,]", "{}", "null"] {
      #expect(withText(bad) { MergedList(json: $0) } == nil, "\(bad)")
    }
  }

  /// A fault in the function is an error with the table's and the column's name, never a wrong row or a trap.
  @Test func whatAColumnDoesNotHoldIsAnError() throws {
    var table = MergedTable("t", key: .text("k"), .day("d"))
    let cents = table.sum("cents", .decimal(scale: 2))
    let first = table.first("first", .timestamp)
    let rows = MergedRows(table.schema)
    let key = ("k", Day(number: 1))
    #expect(throws: MisfitError.self) { try rows["only one"] }
    #expect(throws: MisfitError.self) { try rows[Int64(1), key.1] }
    #expect(throws: MisfitError.self) { try rows["k", Timestamp(microseconds: 1)] }
    let row = try rows[key.0, key.1]
    defer { withExtendedLifetime(rows) {} }
    #expect(throws: MisfitError.self) { try row.add(1, to: cents) }
    #expect(throws: MisfitError.self) { try row.add(FixedDecimal(unscaled: 1, scale: 4), to: cents) }
    try withEvent { event in
      let error = #expect(throws: MisfitError.self) { try row.keep("text", in: first, by: 1, of: event) }
      #expect(error?.description.contains("t.first") == true)
    }
    var keyed = KeyedTable("own", key: "k", then: .integer("n"))
    let word = keyed.column("word", .text)
    let own = KeyedRows(keyed.schema)
    try withEvent { event in
      #expect(throws: MisfitError.self) { try own[event].upsert("a text") }
      #expect(throws: MisfitError.self) { try own[event].upsert(1).set(word, to: 2) }
    }
  }

  /// Lends one event with a partition key.
  private func withEvent(_ body: (Event) throws -> Void) throws {
    struct Probe: Projection {
      let name = "probe"
      let reads = Reads()
      let tables: [any Table] = [KeyedTable("probe", key: "k")]
      let body: @Sendable (Event) throws -> Void
      func apply(_ batch: Batch, _ changes: Changes) throws { for event in batch { try body(event) } }
    }
    try withoutActuallyEscaping(body) { body in
      nonisolated(unsafe) let body = body  // Called before this returns, on this thread.
      _ = try ReplayTesting.rows(of: Probe(body: { try body($0) }), events: [#"{"partitionkey":"k"}"#])
    }
  }
}
