/// Rows of one table on their way to a store: whole rows (keys, then values, in the schema's order), sorted by key, no
/// key twice; and the keys of rows to delete first.
///
/// `@unchecked Sendable`: made once by a lane, then only read by the committing thread; its arenas only grow at
/// addresses it does not point to.
public final class RowSet: @unchecked Sendable {
  public let schema: TableSchema
  public let count: Int
  /// Cells a row. Kept, because `schema.columns` makes an array.
  private let width: Int
  private let cells: UnsafeMutablePointer<Cell>
  private let arenas: [Arena]
  /// Keys of rows to delete before the rows are written, in no order; each has one cell a key column.
  public var deletes: [[Cell]] = []
  /// True where it is known that the store has no row of any of these partition keys, so that nothing needs to be merged or
  /// replaced.
  public let isNew: Bool

  /// Copies `count` rows of `schema.columns.count` cells that lie `stride` cells apart, in key order.
  init(schema: TableSchema, rows: UnsafePointer<Cell>, count: Int, stride: Int, arenas: [Arena]) {
    self.schema = schema
    self.count = count
    self.arenas = arenas
    isNew = false
    width = schema.columns.count
    cells = .allocate(capacity: max(1, count * width))
    let types = schema.keys.map(\.type.isText)
    var order = ContiguousArray(0..<UInt32(count))
    order.sort { a, b in
      RowSet.precedes(rows + Int(a) * stride, rows + Int(b) * stride, types)
    }
    for (place, index) in order.enumerated() {
      (cells + place * width).initialize(from: rows + Int(index) * stride, count: width)
    }
  }

  /// Takes over `cells`, which hold `count` whole rows in key order.
  init(schema: TableSchema, sorted cells: UnsafeMutablePointer<Cell>, count: Int, isNew: Bool, arenas: [Arena]) {
    self.schema = schema
    self.count = count
    self.isNew = isNew
    width = schema.columns.count
    self.cells = cells
    self.arenas = arenas
  }

  deinit { cells.deallocate() }

  /// The cells of row `index`.
  public subscript(index: Int) -> UnsafeBufferPointer<Cell> {
    precondition(index < count)
    return UnsafeBufferPointer(start: cells + index * width, count: width)
  }

  /// Calls `body` with the rows of all sets, which are of one table, in key order across them.
  public static func eachInOrder(_ sets: [RowSet], _ body: (UnsafePointer<Cell>) throws -> Void) rethrows {
    var rows = InOrder(sets)
    while let row = rows.next() { try body(row) }
  }

  /// The rows of several sets of one table in key order across them: a table that is written from its start to its end
  /// costs a fraction of one that is written here and there. Lends the rows; the sets must outlive it.
  public struct InOrder {
    private struct Run {
      var row: UnsafePointer<Cell>
      let end: UnsafePointer<Cell>
    }

    private let textual: [Bool]
    private let width: Int
    /// True where no two sets hold rows of one first key cell, so that rows of the same one follow each other.
    private let separatesFirstKey: Bool
    /// Sets with rows left, in the order of their next rows; the one that is being given is apart.
    private var others: [Run]
    private var given: Run?
    private var last: Cell?

    public init(_ sets: [RowSet]) {
      let schema = sets.first?.schema
      textual = schema?.keys.map(\.type.isText) ?? []
      width = sets.first?.width ?? 0
      separatesFirstKey = schema?.kind == .keyed
      others = sets.filter { $0.count > 0 }.map {
        Run(row: UnsafePointer($0.cells), end: UnsafePointer($0.cells) + $0.count * $0.width)
      }
      let textual = textual
      others.sort { RowSet.precedes($0.row, $1.row, textual) }
      if !others.isEmpty { given = others.removeFirst() }
    }

    public mutating func next() -> UnsafePointer<Cell>? {
      guard let run = given else { return nil }
      if run.row == run.end {
        given = others.isEmpty ? nil : others.removeFirst()
      } else if let other = others.first, !(separatesFirstKey && last == run.row.pointee),
        RowSet.precedes(other.row, run.row, textual)
      {
        given = others.removeFirst()
        let place = others.firstIndex { RowSet.precedes(run.row, $0.row, textual) } ?? others.count
        others.insert(run, at: place)
      }
      guard let row = given?.row else { return nil }
      last = row.pointee
      given?.row += width
      return row
    }
  }

  private static func precedes(_ a: UnsafePointer<Cell>, _ b: UnsafePointer<Cell>, _ textual: [Bool]) -> Bool {
    for key in 0..<textual.count {
      if textual[key] {
        let order = a[key].withText { x in b[key].withText { y in x < y ? -1 : (y < x ? 1 : 0) } }
        if order != 0 { return order < 0 }
      } else {
        let (x, y) = (a[key].number, b[key].number)
        if x != y { return x < y }
      }
    }
    return false
  }
}
