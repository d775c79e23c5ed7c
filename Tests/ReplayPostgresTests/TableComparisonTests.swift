import ReplayCore
import ReplayPostgres
import ReplaySQL
import ReplayTesting
import Testing

/// Two tables of one schema, read by the server's cursors.
@Suite struct TableComparisonTests {
  private static func compare(
    _ sql: String, _ comparison: TableComparison = .init(), parameters: String = ""
  ) throws -> TableDifference {
    let server = try #require(Server.shared, "PostgreSQL 15 could not be started: `make deps` installs it")
    let scratch = try server.scratch()
    let store = try scratch.store()
    _ = try store.open([], range: .all, refresh: false)
    try store.close()
    try scratch.sql(sql)
    let inspector = PostgresInspector(try server.address(scratch.schema, more: parameters))
    let found = try inspector.reading { connection in
      [try comparison.compare(.init("a", on: connection), .init("b", on: connection))]
    }
    return try #require(found.first)
  }

  private static let columns =
    "sku text COLLATE \"C\", units bigint, seen timestamptz, day date, note json, raw bytea"

  /// The digest is that of the same rows in SQLite, where times and days are texts: as a program in Python made it from
  /// the definition. Nothing of it depends on the session's zone or on how it writes dates.
  @Test(arguments: [
    "", "&options=-c%20TimeZone%3DAsia%2FKolkata%20-c%20DateStyle%3DGerman%20-c%20extra_float_digits%3D0",
  ])
  func theDigestIsThatOfOtherStores(parameters: String) throws {
    let found = try Self.compare(
      """
      CREATE TABLE a (\(Self.columns), PRIMARY KEY (sku));
      CREATE TABLE b (LIKE a INCLUDING ALL);
      INSERT INTO a VALUES ('b-é', -42, '1969-12-31T23:59:59.999999Z', '1969-12-31', '{"a": 1}', ''),
        ('a-7', 3, '2026-01-31T08:12:33.123Z', '2026-01-31', NULL, '\\x00ff');
      INSERT INTO b SELECT * FROM a
      """, parameters: parameters)
    #expect(found.isEqual)
    #expect(found.equal == 2)
    #expect(Hex.text(found.left.digest) == "de35e1403d5555aa")
  }

  @Test func eachKindOfDifferenceInTheOrderOfATime() throws {
    let found = try Self.compare(
      """
      CREATE TABLE a (seen timestamptz, sku text COLLATE "C", cents bigint, PRIMARY KEY (seen, sku));
      CREATE TABLE b (LIKE a INCLUDING ALL);
      INSERT INTO a VALUES ('2026-01-31T08:12:33.123Z', 'é', 1), ('2026-01-31T08:12:33.123456Z', 'a', 2),
        ('2026-01-31T08:12:33.123Z', 'B', 3), ('2026-01-31T08:12:33.123Z', 'a', 4);
      INSERT INTO b VALUES ('2026-01-31T08:12:33.123Z', 'é', 5), ('2026-01-31T08:12:33.123456Z', 'b', 2),
        ('2026-01-31T08:12:33.123Z', 'B', 3)
      """)
    #expect(
      found.rows.map { "\($0.kind) \($0.key.map { $0.shown() }.joined(separator: " "))" } == [
        "onlyLeft 2026-01-31T08:12:33.123Z \"a\"", "differing 2026-01-31T08:12:33.123Z \"é\"",
        "onlyLeft 2026-01-31T08:12:33.123456Z \"a\"", "onlyRight 2026-01-31T08:12:33.123456Z \"b\"",
      ])
    #expect(found.equal == 1)
  }

  /// Tables as a store makes them: the key comes with the first row. More rows than one fetch brings.
  @Test func manyRowsBesideNone() throws {
    let found = try Self.compare(
      """
      CREATE TABLE a (id bigint, v bigint); CREATE TABLE b (id bigint PRIMARY KEY, v bigint);
      INSERT INTO b SELECT i, NULL FROM generate_series(1, 12345) i
      """, .init(shownRows: 1))
    #expect(found.key == ["id"])
    #expect((found.left.rows, found.right.rows, found.onlyRight) == (0, 12_345, 12_345))
    #expect(found.first?.key == [.integer(1)])
  }

  @Test func withoutAKeyNullComesFirst() throws {
    let found = try Self.compare(
      """
      CREATE TABLE a (t text, n bigint); CREATE TABLE b (t text, n bigint);
      INSERT INTO a VALUES ('a', NULL), (NULL, 1), ('a', NULL), ('B', 2);
      INSERT INTO b VALUES ('a', NULL), (NULL, 1), ('a', 0), ('B', 2)
      """)
    #expect((found.equal, found.onlyLeft, found.onlyRight) == (3, 1, 1))
  }

  /// Types that only another program's tables have.
  @Test func otherTypes() throws {
    let found = try Self.compare(
      """
      CREATE TABLE a (k numeric PRIMARY KEY, b boolean, f real, j jsonb, u uuid);
      CREATE TABLE b (LIKE a INCLUDING ALL);
      INSERT INTO a VALUES (1.50, true, 0.5, '{"b":1,"a":2}', NULL), (10, false, 2, 'null', NULL);
      INSERT INTO b VALUES (1.50, true, 0.5, '{"a":2,"b":1}', NULL), (10, true, 2.25, 'null', NULL)
      """)
    #expect(found.equal == 1)
    let values = found.rows.first?.values.map { "\($0.column) \($0.left?.shown() ?? "-") \($0.right?.shown() ?? "-")" }
    #expect(values == ["b \"false\" \"true\"", "f 2.0 2.25"])
  }
}
