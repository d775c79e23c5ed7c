import Glibc
import ReplayCore
import ReplaySQLite
import Testing

/// What the store refuses before it writes, and how the message reads.
@Suite struct RefusalTests {
  private func error(_ code: ReplayError.Code, _ body: () throws -> Void) -> ReplayError? {
    let error = #expect(throws: ReplayError.self) { try body() }
    #expect(error?.code == code)
    return error
  }

  @Test(arguments: ["", "1a", "a b", "a\"b", "a;b", "ä", "_replay_x", "_REPLAY", "sqlite_x", "SQLite_x", "excluded"])
  func names(_ name: String) throws {
    let scratch = try Scratch()
    _ = error(.usage) { try scratch.store().open(.sums(table: name)) }
    _ = error(.usage) { try scratch.store().open(.sums(column: name)) }
    #expect(scratch.names == [], "nothing is made for a name that is refused")
  }

  @Test func longNames() throws {
    let scratch = try Scratch()
    let longest = String(repeating: "n", count: 63)
    try scratch.store().open(.sums(table: longest, column: longest))
    _ = error(.usage) { try scratch.store().open(.sums(table: longest + "n")) }
  }

  @Test(arguments: ["order", "group", "select", "Table", "_", "x9"]) func wordsOfSQLAreNames(_ name: String) throws {
    let scratch = try Scratch()
    let store = scratch.store()
    let function = Function.sums(table: name, column: name)
    try store.open(function)
    #expect(try store.commit(function.epoch([(1, 2)])) == .committed(rows: 1))
    #expect(try store.commit(function.epoch([(1, 3)])) == .committed(rows: 1))
    #expect(try scratch.sql("SELECT * FROM \"\(name)\"") == ["1|5"])
  }

  @Test func columnsThatDifferOnlyInCase() throws {
    let scratch = try Scratch()
    _ = error(.usage) { try scratch.store().open(.sums(column: "ID")) }
  }

  @Test(arguments: [false, true]) func foreignTable(refresh: Bool) throws {
    let scratch = try Scratch()
    try scratch.sql("CREATE TABLE Sums (mine)")
    try scratch.sql("INSERT INTO Sums VALUES (7)")
    let found = error(.config) { try scratch.store().open(.sums(), refresh: refresh) }
    #expect(found?.description.contains("sums") == true)
    #expect(found?.next?.contains("--store") == true)
    #expect(try scratch.sql("SELECT * FROM Sums") == ["7"])
    #expect(try scratch.sql("SELECT name FROM sqlite_schema") == ["Sums"])
  }

  @Test func foreignView() throws {
    let scratch = try Scratch()
    try scratch.sql("CREATE VIEW best AS SELECT 1")
    var function = Function.sums()
    function.views = [(name: "best", select: "SELECT * FROM sums")]
    _ = error(.config) { try scratch.store().open(function) }
  }

  @Test func viewsFollowTheFunction() throws {
    let scratch = try Scratch()
    var function = Function.sums()
    function.views = [(name: "best", select: "SELECT max(total) FROM sums")]
    let store = scratch.store()
    try store.open(function)
    _ = try store.commit(function.epoch([(1, 2), (2, 9)]))
    #expect(try scratch.sql("SELECT * FROM best") == ["9"])
    let all = (name: "all_sums", select: "SELECT * FROM sums")
    function.views = [(name: "best", select: "SELECT min(total) FROM sums"), all]
    try scratch.store().open(function)
    #expect(try scratch.sql("SELECT * FROM best") == ["2"])
    function.views = [all]
    try scratch.store().open(function)
    #expect(try scratch.sql("SELECT name FROM sqlite_schema WHERE type = 'view'") == ["all_sums"])
    try scratch.store().open(function, refresh: true)
    #expect(try scratch.sql("SELECT * FROM all_sums") == [])
  }

  static let wrong = [
    "SELECT nothing FROM sums", "DROP TABLE sums", "SELECT 1; DROP TABLE sums", "", "SELECT * FROM gone",
  ]

  @Test(arguments: wrong) func wrongViews(_ select: String) throws {
    let scratch = try Scratch()
    var function = Function.sums()
    function.views = [(name: "best", select: select)]
    _ = error(.usage) { try scratch.store().open(function) }
    #expect(try scratch.sql("SELECT name FROM sqlite_schema") == [], "a refused open leaves nothing")
  }

  @Test func tableGone() throws {
    let scratch = try Scratch()
    try scratch.store().open(.sums())
    try scratch.sql("DROP TABLE sums")
    let found = error(.config) { try scratch.store().open(.sums()) }
    #expect(found?.next?.contains("--full-refresh") == true)
    try scratch.store().open(.sums(), refresh: true)
    #expect(try scratch.sql("SELECT count(*) FROM sums") == ["0"])
  }

  @Test func newerFormat() throws {
    let scratch = try Scratch()
    try scratch.store().open(.sums())
    try scratch.sql("UPDATE _replay_functions SET format = 99")
    let found = error(.config) { try scratch.store().open(.sums(), refresh: true) }
    #expect(found?.description.contains("99") == true)
    _ = error(.config) { _ = try SQLiteInspector(scratch.path).inspect() }
    try scratch.sql("UPDATE _replay_functions SET format = 0")
    try scratch.store().open(.sums())
    #expect(try scratch.sql("SELECT format FROM _replay_functions") == ["1"])
  }

  @Test func otherRangesOfKeys() throws {
    let scratch = try Scratch()
    let half = KeyRange(first: 0, last: .max / 2)
    let rest = KeyRange(first: .max / 2 + 1, last: .max)
    let function = Function.sums()
    let first = scratch.store()
    _ = try first.open([function.identity], range: half, refresh: false)
    _ = error(.config) { try scratch.store().open(function) }
    let second = scratch.store()
    _ = try second.open([function.identity], range: rest, refresh: false)
    #expect(try first.commit(function.epoch([(1, 1)])) == .committed(rows: 1))
    #expect(try second.commit(function.epoch([(1, 1)])) == .committed(rows: 1))
    #expect(try scratch.sql("SELECT * FROM sums") == ["1|2"])
    _ = error(.config) { _ = try second.open([function.identity], range: rest, refresh: true) }
  }

  @Test func otherEncoding() throws {
    let scratch = try Scratch()
    let other = try OtherProgram(scratch.path)
    try other.sql("PRAGMA encoding = 'UTF-16le'")
    try other.sql("CREATE TABLE t (x)")
    let found = error(.config) { try scratch.store().open(.sums()) }
    #expect(found?.description.contains("UTF-16le") == true)
  }
}
