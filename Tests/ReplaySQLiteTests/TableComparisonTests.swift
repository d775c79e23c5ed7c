import ReplayCore
import ReplaySQL
import ReplaySQLite
import ReplayTesting
import Testing

/// Two stores, each made by SQL, and their table `t` compared.
@Suite struct TableComparisonTests {
  private static func compare(
    _ left: String, _ right: String, table: String = "t", _ comparison: TableComparison = .init()
  ) throws -> TableDifference {
    let scratches = try [left, right].map { sql in
      let scratch = try Scratch()
      let store = scratch.store()
      try store.open(Function.sums())
      try store.close()
      for statement in sql.split(separator: ";") { try scratch.sql(String(statement)) }
      return scratch
    }
    let found = try SQLiteInspector(scratches[0].path).reading { a in
      try SQLiteInspector(scratches[1].path).reading { b in
        [try comparison.compare(.init(table, on: a), .init(table, on: b))]
      }
    }
    return try #require(found.first)
  }

  private static func texts(_ rows: [TableDifference.Row]) -> [String] {
    rows.map { row in
      let values = row.values.map { value in
        "\(value.column) \(value.left?.shown() ?? "-") \(value.right?.shown() ?? "-")"
      }
      return ([row.kind.rawValue] + [row.key.map { $0.shown() }.joined(separator: "/")] + values)
        .joined(separator: " ")
    }
  }

  private static let sales = "CREATE TABLE t (sku TEXT, day TEXT, units INTEGER, cents INTEGER, PRIMARY KEY (sku, day))"

  @Test func equalTables() throws {
    let sql = Self.sales + "; INSERT INTO t VALUES ('b', '2026-01-01', 1, 10), ('a', '2026-01-02', NULL, -5)"
    let found = try Self.compare(sql, sql)
    #expect(found.isEqual)
    #expect((found.equal, found.left.rows, found.right.rows) == (2, 2, 2))
    #expect(found.left.digest == found.right.digest)
    #expect(found.first == nil)
  }

  @Test func eachKindOfDifference() throws {
    let left =
      Self.sales + "; INSERT INTO t VALUES ('a', '1', 1, 10), ('b', '1', 2, 20), ('c', '1', 3, 30), ('e', '1', 5, 50)"
    let right =
      Self.sales + "; INSERT INTO t VALUES ('a', '1', 1, 11), ('c', '1', 4, 31), ('d', '1', 9, 90), ('e', '1', 5, 50)"
    let found = try Self.compare(left, right)
    #expect(!found.isEqual)
    #expect((found.onlyLeft, found.onlyRight, found.differing, found.equal) == (1, 1, 2, 1))
    #expect(found.differingColumns == ["units": 1, "cents": 2])
    #expect(
      Self.texts(found.rows) == [
        "differing \"a\"/\"1\" cents 10 11", "onlyLeft \"b\"/\"1\" units 2 - cents 20 -",
        "differing \"c\"/\"1\" units 3 4 cents 30 31", "onlyRight \"d\"/\"1\" units - 9 cents - 90",
      ])
    #expect(found.left.digest != found.right.digest)
  }

  @Test func rowsAreShownUpToTheLimitAndAllAreCounted() throws {
    let one =
      "CREATE TABLE t (id INTEGER PRIMARY KEY, v); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
      + " WHERE i < 500) INSERT INTO t SELECT i, i % 7 FROM n"
    let other = one + "; UPDATE t SET v = v + 1 WHERE id > 100"
    for limit in [0, 1, 10] {
      let found = try Self.compare(one, other, .init(shownRows: limit))
      #expect(found.rows.map(\.key) == (101..<(101 + Int64(limit))).map { [.integer($0)] })
      #expect(found.first?.key == [.integer(101)])
      #expect((found.differing, found.equal) == (400, 100))
    }
  }

  @Test func columnsMeetByNameInAnyOrder() throws {
    let found = try Self.compare(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, old); INSERT INTO t VALUES (1, 2, 3, 4)",
      "CREATE TABLE t (b, id INTEGER PRIMARY KEY, new, a); INSERT INTO t VALUES (3, 1, 9, 2)")
    #expect((found.equal, found.differing) == (1, 0))
    #expect((found.left.ownColumns, found.right.ownColumns) == (["old"], ["new"]))
    #expect(!found.isEqual, "a column that only one has is a difference")
    #expect(!found.hasDifferentRows)
  }

  @Test func ignoredColumnsCountNowhere() throws {
    let left = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, at, old); INSERT INTO t VALUES (1, 2, 'x', 0)"
    let right = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, at); INSERT INTO t VALUES (1, 2, 'y')"
    let found = try Self.compare(left, right, .init(ignoring: ["at", "old"]))
    #expect(found.isEqual)
    #expect(found.left.digest == found.right.digest)
    let refused = #expect(throws: ReplayError.self) { try Self.compare(left, right, .init(ignoring: ["id"])) }
    #expect(refused?.code == .usage)
  }

  @Test func otherKeysAreSaidAndRowsOnlyCounted() throws {
    let found = try Self.compare(
      "CREATE TABLE t (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO t VALUES (1, 1), (1, 2)",
      "CREATE TABLE t (a PRIMARY KEY, b); INSERT INTO t VALUES (1, 1)")
    #expect(found.key == nil)
    #expect((found.left.key, found.right.key) == (["a", "b"], ["a"]))
    #expect((found.left.rows, found.right.rows) == (2, 1))
    #expect(!found.isEqual && !found.hasDifferentRows)
  }

  /// PostgreSQL's stores make a key with the first row.
  @Test func anEmptyTableWithoutKeyMeetsAKeyedOne() throws {
    let found = try Self.compare(
      "CREATE TABLE t (id INTEGER, v)", "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 2)")
    #expect(found.key == ["id"])
    #expect(Self.texts(found.rows) == ["onlyRight 1 v - 2"])
  }

  @Test func withoutAKeyWholeRowsAreComparedAsOftenAsTheyAreThere() throws {
    let found = try Self.compare(
      "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, NULL), (1, NULL), (NULL, 2), (1, NULL)",
      "CREATE TABLE t (a, b); INSERT INTO t VALUES (NULL, 2), (1, NULL), (2, 2)")
    #expect((found.equal, found.onlyLeft, found.onlyRight, found.differing) == (2, 2, 1, 0))
    #expect(Self.texts(found.rows) == ["onlyLeft 1/NULL", "onlyLeft 1/NULL", "onlyRight 2/2"])
  }

  /// An index of another collation may not decide the order.
  @Test func aKeyThatSortsWithoutCase() throws {
    let make =
      "CREATE TABLE t (k TEXT COLLATE NOCASE PRIMARY KEY, v); INSERT INTO t VALUES ('b', 1), ('A', 2), ('C', 3)"
    let found = try Self.compare(make, make + "; DELETE FROM t WHERE k = 'A'; INSERT INTO t VALUES ('a', 2)")
    #expect(Self.texts(found.rows) == ["onlyLeft \"A\" v 2 -", "onlyRight \"a\" v - 2"])
  }

  /// Kinds of values are told apart: SQLite keeps each as it came where a column has no type.
  @Test func kindsOfValues() throws {
    let found = try Self.compare(
      "CREATE TABLE t (k PRIMARY KEY, v); INSERT INTO t VALUES (1, '1'), (2.5, 1), ('x', x'31'), (x'00', NULL)",
      "CREATE TABLE t (k PRIMARY KEY, v); INSERT INTO t VALUES (1, 1), (2.5, 1.0), ('x', '1'), (x'00', '')")
    #expect(
      Self.texts(found.rows) == [
        "differing 1 v \"1\" 1", "differing 2.5 v 1 1.0", "differing \"x\" v x'31' \"1\"",
        "differing x'00' v NULL \"\"",
      ])
  }

  @Test func aMissingTableIsNamed() throws {
    let error = #expect(throws: ReplayError.self) { try Self.compare("CREATE TABLE t (a)", "CREATE TABLE u (a)") }
    #expect(error?.code == .missing)
  }

  /// Tables by chance, compared by dictionaries too.
  @Test func anyTables() throws {
    let seed = UInt64.random(in: 0...999_999)
    print("table comparison seed: \(seed)")
    var random = SplitMix64(seed: seed)
    for _ in 0..<20 {
      let sides = (0..<2).map { _ in
        Dictionary(
          (0..<Int.random(in: 0...60, using: &random)).map { _ in
            (Int.random(in: -20...40, using: &random), Int.random(in: 0...1, using: &random))
          }, uniquingKeysWith: { $1 })
      }
      let sql = sides.map { side in
        "CREATE TABLE t (k INTEGER PRIMARY KEY, v INTEGER)"
          + (side.isEmpty ? "" : "; INSERT INTO t VALUES " + side.map { "(\($0), \($1))" }.joined(separator: ", "))
      }
      let found = try Self.compare(sql[0], sql[1], .init(shownRows: 1_000))
      let (a, b) = (sides[0], sides[1])
      #expect(found.onlyLeft == a.keys.filter { b[$0] == nil }.count)
      #expect(found.onlyRight == b.keys.filter { a[$0] == nil }.count)
      #expect(found.equal == a.filter { b[$0] == $1 }.count)
      let different = Set(a.keys).union(b.keys).filter { a[$0] != b[$0] }.sorted()
      #expect(found.rows.map(\.key) == different.map { [.integer(Int64($0))] })
      #expect((found.left.digest == found.right.digest) == (a == b))
    }
  }
}
