import ReplayCore
import ReplayTesting
import Testing

@testable import ReplayFunctions

/// A SQL file as a function: what it declares, and where what is wrong with it is.
struct SQLFileTests {
  static func function(_ text: String) throws -> SQLFunction { try SQLFunction(bytes: Array(text.utf8), file: "f.sql") }

  static let good = """
    -- @function shade-velocity 3
    -- Words that are no directive.
    --@only type retail.item.sold 'retail; returned'
    -- @only data.category cosmetics
    -- @event shade text data.shade optional
    -- @event price decimal(2) data.price
    -- @event at timestamp(ms) data.at
    -- @order any
    /* CREATE TABLE no (a); */
    CREATE TABLE IF NOT EXISTS "a;b" (x TEXT); -- ; not an end
    CREATE VIEW [v] AS SELECT ';' AS semi, "x" FROM "a;b";
    INSERT INTO "a;b" SELECT shade || ';''' FROM events;

    DELETE FROM "a;b"
    """

  @Test func theFileDeclaresTheFunction() throws {
    let function = try SQLFileTests.function(SQLFileTests.good)
    #expect(function.name == "shade-velocity" && function.version == 3 && function.isMergeOnly)
    #expect(function.reads.fields.map(\.name) == ["type", "data.category", "data.shade", "data.price", "data.at"])
    #expect(function.reads.conditions.map(\.values) == [["retail.item.sold", "retail; returned"], ["cosmetics"]])
    let program = try #require(function.program)
    #expect(program.columns.map(\.name) == ["shade", "price", "at"])
    #expect(program.columns.map(\.isText) == [true, false, true])
    #expect(program.names(of: .table) == ["a;b"] && program.names(of: .view) == ["v"])
    #expect(
      program.statements.map(\.text) == [
        #"INSERT INTO "a;b" SELECT shade || ';''' FROM events"#, #"DELETE FROM "a;b""#,
      ])
    #expect(program.statements.map { "\($0.place)" } == ["f.sql:12:1", "f.sql:14:1"])
  }

  @Test func theShapeIsOfDirectivesAndDefinitionsAlone() throws {
    let text = SQLFileTests.good
    let shape = { (text: String) in try SQLFileTests.function(text).program?.shape }
    let first = try shape(text)
    #expect(try shape(text.replacing("DELETE FROM", with: "-- why\nDELETE   FROM")) == first)
    #expect(try shape(text.replacing("(x TEXT)", with: "( x -- the text\n TEXT )")) == first)
    #expect(try shape(text.replacing("shade-velocity 3", with: "shade-velocity 4")) == first)
    #expect(try shape(text.replacing("(x TEXT)", with: "(x INTEGER)")) != first)
    #expect(try shape(text.replacing("data.shade optional", with: "data.shade")) != first)
  }

  /// The directive or statement, behind a good first line, and what is said of it.
  @Test(arguments: [
    ("-- @functon a", "f.sql:2:4: there is no directive @functon"),
    ("-- @function b", "f.sql:2:4: a second @function"),
    ("-- @event a", "f.sql:2:4: expected: @event COLUMN TYPE FIELD"),
    ("-- @event a float data.a", "f.sql:2:13: there is no type float"),
    ("-- @event a decimal(19) data.a", "f.sql:2:13: there is no type decimal(19)"),
    ("-- @event _key text key", "f.sql:2:11: a column's name"),
    ("-- @event a integer key", "f.sql:2:21: key is no integer"),
    ("-- @event a text data.a maybe", "f.sql:2:25: expected `optional`"),
    ("-- @event a text data.a\n-- @event A text data.b", "f.sql:3:11: a second column named A"),
    ("-- @only type", "f.sql:2:4: expected: @only FIELD VALUE"),
    ("-- @only type 'a", "f.sql:2:15: a value in quotes that does not end"),
    ("-- @order none", "f.sql:2:4: expected: @order any"),
    ("SELECT 1;", "f.sql:2:1: SELECT does not begin"),
    ("PRAGMA x;", "f.sql:2:1: PRAGMA does not begin"),
    ("  ATTACH 'a' AS b;", "f.sql:2:3: ATTACH does not begin"),
    ("CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END;", "f.sql:2:8: a function can make"),
    ("CREATE TEMP TABLE t (a);", "f.sql:2:8: a function can make"),
    ("CREATE TABLE other.t (a);", "f.sql:2:14: a name with a database before it"),
    ("CREATE TABLE t AS SELECT 1;", "f.sql:2:16: a table made of a SELECT"),
    ("CREATE TABLE Events (a);", "f.sql:2:14: events is the relation"),
    ("CREATE TABLE t (a);\nCREATE VIEW T AS SELECT 1;", "f.sql:3:1: T is defined a second time; before at f.sql:2:1"),
    ("CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT);", "f.sql:2:39: AUTOINCREMENT"),
    ("CREATE TABLE t (a DEFAULT CURRENT_TIMESTAMP);", "f.sql:2:27: CURRENT_TIMESTAMP is not the same"),
    ("CREATE TABLE t (a UNIQUE ON CONFLICT ROLLBACK);", "f.sql:2:38: ROLLBACK"),
    ("CREATE TABLE t (a)", "f.sql:2:19: the file ends and has no statement"),
    ("INSERT OR ROLLBACK INTO t SELECT 1;", "f.sql:2:11: ROLLBACK"),
    ("INSERT INTO t VALUES (random());", "f.sql:2:23: random is not the same"),
    ("INSERT INTO t VALUES (1, date('now', '+1 day'));", "f.sql:2:31: date of now"),
    (#"INSERT INTO t VALUES (1, date("now"));"#, "f.sql:2:31: date of now"),
    ("INSERT INTO t VALUES (strftime('%s'));", "f.sql:2:23: strftime of now"),
    ("INSERT INTO t VALUES (time(a, 'LocalTime'));", "f.sql:2:31: time of now"),
    ("INSERT INTO t VALUES (datetime());", "f.sql:2:23: datetime of now"),
    ("INSERT INTO t VALUES (?1);", "f.sql:2:23: a parameter"),
    ("INSERT INTO t VALUES (:a);", "f.sql:2:23: a parameter"),
    ("WITH a AS (DELETE FROM t) SELECT 1;", "f.sql:2:1: a SELECT changes nothing"),
    ("DELETE FROM t WHERE a = 'x;", "f.sql:2:25: a string that does not end"),
    ("DELETE FROM t; /* what", "f.sql:2:16: a comment that does not end"),
    ("DELETE FROM \"t", "f.sql:2:13: a name in quotes that does not end"),
    ("DELETE FROM t;\n-- @order any", "f.sql:3:1: a directive behind SQL"),
    ("DELETE FROM é WHERE ?;", "f.sql:2:21: a parameter"),
  ]) func whatIsWrongSaysWhere(text: String, said: String) {
    let error = #expect(throws: ReplayError.self) { try SQLFileTests.function("-- @function a\n" + text) }
    #expect(error?.code == .usage && error?.summary.hasPrefix(said) == true, "\(error?.summary ?? "")")
  }

  @Test func whatIsNotFinishedIsTheStoresToSay() throws {
    for text in [
      "DELETE FROM t WHERE date(", "INSERT", "DELETE FROM t WHERE a = date",
    ] {
      #expect(try SQLFileTests.function("\u{feff}-- @function a\r\n" + text).program?.statements.first?.text == text)
    }
  }

  @Test func aFileWithoutANameOrBytesThatAreNoText() {
    let unnamed = #expect(throws: ReplayError.self) { try SQLFileTests.function("DELETE FROM t") }
    #expect(unnamed?.summary == "f.sql:1:1: the function has no name")
    let bad = #expect(throws: ReplayError.self) { try SQLFunction(bytes: [45, 45, 10, 255], file: "f.sql") }
    #expect(bad?.summary == "f.sql:2:1: the text is not UTF-8")
    let missing = #expect(throws: ReplayError.self) { try SQLFunction(path: "/nowhere/f.sql") }
    #expect(missing?.code == .usage && missing?.summary.contains("/nowhere/f.sql") == true)
  }

  @Test func storesWithoutSQLSaySo() throws {
    let function = try SQLFileTests.function(SQLFileTests.good)
    let error = #expect(throws: ReplayError.self) {
      try MemoryStore().open([FunctionIdentity(function)], range: .all, refresh: false)
    }
    #expect(error?.code == .usage && error?.summary.contains("shade-velocity") == true)
    #expect(throws: ReplayError.self) { try rows(of: function, events: ["{}"]) }
  }
}
