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

  /// Copies `count` rows of `schema.columns.count` cells that lie `stride` cells apart, in key order.
  init(schema: TableSchema, rows: UnsafePointer<Cell>, count: Int, stride: Int, arenas: [Arena]) {
    self.schema = schema
    self.count = count
    self.arenas = arenas
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
  init(schema: TableSchema, sorted cells: UnsafeMutablePointer<Cell>, count: Int, arenas: [Arena]) {
    self.schema = schema
    self.count = count
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

  /// Calls `body` with the rows of all sets, which are of one table, in key order across them: a table that is written
  /// from its start to its end costs a fraction of one that is written here and there.
  public static func eachInOrder(_ sets: [RowSet], _ body: (UnsafePointer<Cell>) throws -> Void) rethrows {
    let textual = sets.first?.schema.keys.map(\.type.isText) ?? []
    var left = sets.filter { $0.count > 0 }.map { (set: $0, place: 0) }
    while !left.isEmpty {
      var least = 0
      for other in left.indices.dropFirst()
      where precedes(left[other].set, left[other].place, left[least].set, left[least].place, textual) {
        least = other
      }
      let (set, place) = left[least]
      try body(set.cells + place * set.width)
      if place + 1 < set.count { left[least].place += 1 } else { left.remove(at: least) }
    }
  }

  private static func precedes(_ a: RowSet, _ i: Int, _ b: RowSet, _ j: Int, _ textual: [Bool]) -> Bool {
    precedes(a.cells + i * a.width, b.cells + j * b.width, textual)
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
