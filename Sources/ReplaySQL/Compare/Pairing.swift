import ReplayCore

/// How the columns of two tables meet.
struct Pairing {
  /// Orders both sides, and tells which rows belong together; where `isMatched` is false it only orders.
  let key: [String]
  /// Compared beside the key.
  let columns: [String]
  let isMatched: Bool
  private let left: TableShape
  private let right: TableShape
  private let ignored: Set<String>

  init(_ left: TableShape, _ right: TableShape, ignoring ignored: Set<String>) throws {
    (self.left, self.right, self.ignored) = (left, right, ignored)
    let others = Set(right.columns.map(\.name))
    let shared = left.columns.map(\.name).filter { others.contains($0) && !ignored.contains($0) }
    // A database may make the primary key with the first row only.
    let primary = left.key.isEmpty ? right.key : left.key
    if let column = primary.first(where: ignored.contains) {
      throw ReplayError(
        .usage, "a column of the key cannot be ignored: \(left.name).\(column)",
        details: ["the key of \(left.name) is \(primary.joined(separator: ", ")): it says which rows belong together"],
        next: "ignore other columns; --ignore TABLE.COLUMN means one table's only")
    }
    let isShared = primary.allSatisfy(shared.contains)
    isMatched = isShared && (left.key.isEmpty || right.key.isEmpty || left.key == right.key) && !shared.isEmpty
    let key = !isMatched ? [] : primary.isEmpty ? shared : primary
    self.key = key
    columns = isMatched ? shared.filter { !key.contains($0) } : []
  }

  func order(of shape: TableShape) -> RowOrder {
    let others = shape.columns.map(\.name).filter { !key.contains($0) && !columns.contains($0) }
    return RowOrder(shape, columns: key + columns + others, key: key)
  }

  /// Of a side's rows: all columns but the ignored ones.
  func digest(of shape: TableShape) -> TableDigest { TableDigest(order(of: shape).columns, leavingOut: ignored) }

  /// The columns' names alone, before any row was read.
  var difference: TableDifference {
    TableDifference(
      left: side(left, beside: right), right: side(right, beside: left), key: isMatched ? key : nil, columns: columns)
  }

  private func side(_ shape: TableShape, beside other: TableShape) -> TableDifference.Side {
    let others = Set(other.columns.map(\.name)).union(ignored)
    let own = shape.columns.map(\.name).filter { !others.contains($0) }
    return TableDifference.Side(table: shape.name, ownColumns: own, key: shape.key)
  }

  /// One row that differs; nil on the side that does not have it.
  func row(_ a: OrderedRows.Row?, _ b: OrderedRows.Row?) -> TableDifference.Row {
    let kind: TableDifference.Row.Kind = b == nil ? .onlyLeft : a == nil ? .onlyRight : .differing
    let values = columns.enumerated().compactMap { place, column -> TableDifference.Row.Value? in
      let (left, right) = (a?.all[key.count + place], b?.all[key.count + place])
      return kind == .differing && left == right ? nil : .init(column: column, left: left, right: right)
    }
    return TableDifference.Row(kind: kind, key: Array((a ?? b)?.key ?? []), values: values)
  }
}

/// One side's rows, which are held to their order and enter the digest as they come.
final class OrderedRows {
  struct Row {
    /// The key, the other columns that are compared, and what only the digest wants.
    let all: [TableValue]
    private let keyCount: Int
    private let valuesEnd: Int

    init(_ all: [TableValue], _ pairing: Pairing) {
      self.all = all
      keyCount = pairing.key.count
      valuesEnd = keyCount + pairing.columns.count
    }

    var key: ArraySlice<TableValue> { all[..<keyCount] }
    var values: ArraySlice<TableValue> { all[keyCount..<valuesEnd] }
  }

  enum Order { case left, right, both }

  private(set) var digest: TableDigest
  private let cursor: any RowCursor
  private let pairing: Pairing
  private let table: String
  private var last: Row?

  init(_ cursor: any RowCursor, _ pairing: Pairing, _ shape: TableShape) {
    self.cursor = cursor
    self.pairing = pairing
    table = shape.name
    digest = pairing.digest(of: shape)
  }

  /// Throws where the database does not keep the order that it was asked for: rows would be missed.
  func next() throws -> Row? {
    guard let values = try cursor.next() else { return nil }
    digest.add(values)
    let row = Row(values, pairing)
    if let last, row.key.lexicographicallyPrecedes(last.key) {
      throw ReplayError(
        .unexpected, "rows of the table \(table) do not come in the order of their key",
        details: [last, row].map { $0.key.map { $0.shown() }.joined(separator: ", ") },
        effect: "nothing was compared")
    }
    last = row
    return row
  }

  static func order(_ a: Row?, _ b: Row?) -> Order {
    guard let a else { return .right }
    guard let b else { return .left }
    if a.key.lexicographicallyPrecedes(b.key) { return .left }
    return b.key.lexicographicallyPrecedes(a.key) ? .right : .both
  }
}
