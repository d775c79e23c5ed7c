import ReplayCore
import ReplaySQLite
import Testing

/// Values on their way into SQL: the ends of their ranges, and the errors beyond.
@Suite struct ValueTests {
  private static let top = Int128(Int64.max)
  private static let bottom = Int128(Int64.min)
  static let overflows: [(first: Int128, second: Int128)] = [
    (top, 1), (bottom, -1), (top, top), (bottom, bottom), (0, top + 1), (0, bottom - 1),
  ]

  /// SQLite makes a REAL of a sum that overflows, which a lax table would keep.
  @Test(arguments: overflows.indices) func overflow(_ index: Int) throws {
    let (first, second) = Self.overflows[index]
    let scratch = try Scratch()
    let function = Function.sums()
    let store = scratch.store()
    try store.open(function)
    _ = try store.commit(function.epoch([(7, first)]))
    let error = #expect(throws: ReplayError.self) { try store.commit(function.epoch([(6, 1), (7, second)])) }
    #expect(error?.code == .data)
    #expect(error?.description.contains("sums") == true)
    #expect(error?.description.contains("id 7") == true)
    #expect(error?.effect?.contains("nothing of this commit") == true)
    #expect(try scratch.sql("SELECT id, total, typeof(total) FROM sums") == ["7|\(first)|integer"])
  }

  /// The store writes times with its own code; it must write what Core writes and reads.
  @Test func timesAreWrittenAsCoreWritesThem() throws {
    let scratch = try Scratch()
    var table = MergedTable("times", key: .timestamp("at"))
    let day = table.max("on", .day)
    let function = Function(tables: [table])
    let store = scratch.store()
    try store.open(function)
    var random = SystemRandomNumberGenerator()
    let limits: ClosedRange<Int64> = -62_167_219_200_000_000...253_402_300_799_999_999
    var times = [limits.lowerBound, limits.upperBound, 0, -1, 1, 999, 1000, 951_782_400_000_000]
    times += (0..<2000).map { _ in .random(in: limits, using: &random) }
    times += (0..<500).map { _ in .random(in: limits, using: &random) / 1_000_000 * 1_000_000 }
    let rows = MergedRows(table.schema)
    for time in times {
      let time = Timestamp(microseconds: time)
      try rows[time].raise(day, to: time.day)
    }
    let set = EpochCommit.Function(name: "daily", changes: [rows.sorted()], frontier: [:], settled: [], events: 0)
    _ = try store.commit(EpochCommit(functions: [set]))
    let expected = Set(times).map { Timestamp(microseconds: $0) }.map { "\($0)|\($0.day)" }
    #expect(try scratch.sql("SELECT * FROM times").sorted() == expected.sorted())
  }

  @Test(arguments: [-62_167_219_200_000_001, 253_402_300_800_000_000, Int64.max, Int64.min])
  func timesOutsideFourDigitYears(_ time: Int64) throws {
    let scratch = try Scratch()
    let table = MergedTable("times", key: .timestamp("at"))
    let store = scratch.store()
    try store.open(Function(tables: [table]))
    let rows = MergedRows(table.schema)
    _ = try rows[Timestamp(microseconds: time)]
    let set = EpochCommit.Function(name: "daily", changes: [rows.sorted()], frontier: [:], settled: [], events: 0)
    let error = #expect(throws: ReplayError.self) { try store.commit(EpochCommit(functions: [set])) }
    #expect(error?.code == .data)
  }

  @Test func tablesAreStrictAndSaySo() throws {
    let scratch = try Scratch()
    var table = MergedTable("money", key: .text("customer"), .day("day"))
    _ = table.sum("total", .decimal(scale: 2))
    _ = table.min("first", .timestamp)
    _ = table.max("raw", .bytes)
    try scratch.store().open(Function(tables: [table]))
    let sql = try scratch.sql("SELECT sql FROM sqlite_schema WHERE name = 'money'")[0]
    for part in ["STRICT, WITHOUT ROWID", "\"total\" INTEGER NOT NULL", "2 digits", "\"raw\" BLOB"] {
      #expect(sql.contains(part), "\(sql)")
    }
  }

  /// What another program made of a column is not read as something else.
  @Test func unreadableTime() throws {
    let scratch = try Scratch()
    var table = KeyedTable("visits", key: "customer")
    _ = table.column("at", .timestamp)
    let store = scratch.store()
    try store.open(Function(tables: [table]))
    try scratch.sql("INSERT INTO visits VALUES ('a', 'yesterday')")
    let rows = KeyedRows(table.schema)
    let error = #expect(throws: ReplayError.self) {
      try Array("a".utf8).withUnsafeBytes { try store.load(table.schema, keys: [Text($0)], into: rows) }
    }
    #expect(error?.code == .config)
    #expect(error?.description.contains("visits.at") == true)
  }
}
