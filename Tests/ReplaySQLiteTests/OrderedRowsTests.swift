import ReplayCore
import ReplaySQL
import Testing

/// Comparison over rows that come from nowhere: how many are asked for ahead, and what a wrong order does.
@Suite struct OrderedRowsTests {
  /// A database of one table whose rows are made when they are asked for.
  private final class Made: SQLConnection, RowCursor {
    let path = "made"
    let dialect = SQLDialect(program: "none", definition: { $0 }, textBytes: { $0 })
    private let row: (Int64) -> [TableValue]?
    private(set) var asked: Int64 = 0
    /// Called with each row's number.
    var watch: (Int64) -> Void = { _ in }

    init(_ row: @escaping (Int64) -> [TableValue]?) { self.row = row }

    func query<Row>(_ sql: String, _ values: [SQLValue], _ read: (any SQLRow) throws -> Row) throws -> [Row] { [] }
    func run(_ sql: String, _ values: [SQLValue]) throws {}
    func has(_ table: String) throws -> Bool { true }
    func shape(of table: String) throws -> TableShape? {
      TableShape(name: table, columns: [.init("k", "INTEGER"), .init("v", "TEXT")], key: ["k"])
    }
    func rows(_ order: RowOrder) throws -> any RowCursor { self }
    func next() throws -> [TableValue]? {
      asked += 1
      watch(asked)
      return row(asked - 1)
    }
  }

  private func compare(_ left: Made, _ right: Made, _ comparison: TableComparison = .init()) throws -> TableDifference {
    try comparison.compare(.init("t", on: left), .init("t", on: right))
  }

  @Test func neitherSideRunsAheadOfTheOther() throws {
    let count: Int64 = 200_000
    let left = Made { $0 < count ? [.integer($0), .text("x")] : nil }
    // Every third row is missing.
    let right = Made { $0 < count / 3 * 2 ? [.integer($0 / 2 * 3 + $0 % 2), .text("x")] : nil }
    var apart: Int64 = 0
    right.watch = { apart = max(apart, abs($0 / 2 * 3 - left.asked)) }
    let found = try compare(left, right)
    #expect(found.onlyLeft == 200_000 - 133_332 && found.onlyRight == 0 && found.differing == 0)
    #expect(apart <= 3, "rows are compared as they come")
    #expect(found.rows.count == 10)
  }

  @Test func aDatabaseThatSortsOtherwiseIsAnError() throws {
    let left = Made { $0 < 3 ? [.integer([1, 3, 2][Int($0)]), .null] : nil }
    let error = #expect(throws: ReplayError.self) { try compare(left, Made { _ in nil }) }
    #expect(error?.code == .unexpected)
    #expect(error?.details == ["3", "2"])
  }

  @Test func aStopIsHeardOnTheWay() throws {
    let endless = { Made { [.integer($0), .null] } }
    var questions = 0
    let comparison = TableComparison(isStopped: {
      questions += 1
      return questions == 3
    })
    let error = #expect(throws: ReplayError.self) { try compare(endless(), endless(), comparison) }
    #expect(error?.code == .unavailable)
  }
}
