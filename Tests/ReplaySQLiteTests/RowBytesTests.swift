import ReplayCore
import ReplaySQLite
import Testing

/// Bytes of rows, for the hash that `replay bench` compares runs by.
@Suite struct RowBytesTests {
  private static func bytes(_ scratch: Scratch, of table: TableSchema) throws -> [[UInt8]] {
    var rows: [[UInt8]] = []
    let count = try SQLiteStore.eachRow(of: table, in: scratch.path) { rows.append(Array($0)) }
    #expect(count == UInt64(rows.count))
    return rows
  }

  @Test func rowsComeInKeyOrderWhateverTheCommits() throws {
    let function = Function.sums()
    var found: [[[UInt8]]] = []
    for epochs in [[[(2, 5), (1, 7), (-3, 1)]], [[(2, 4)], [(-3, 1), (1, 7)], [(2, 1)]]]
      as [[[(id: Int64, add: Int128)]]]
    {
      let scratch = try Scratch()
      let store = scratch.store()
      try store.open(function)
      for epoch in epochs { _ = try store.commit(function.epoch(epoch)) }
      try store.close()
      found.append(try Self.bytes(scratch, of: function.tables[0].schema))
    }
    // The storage class of an integer is 1; then its eight bytes, the lowest first.
    let row = { (id: UInt8, high: UInt8, sum: UInt8) in
      [1, id] + Array(repeating: high, count: 7) + [1, sum] + Array(repeating: 0, count: 7)
    }
    #expect(found[0] == [row(253, 255, 1), row(1, 0, 7), row(2, 0, 5)])
    #expect(found[1] == found[0])
  }

  @Test func nothingIsNotAnEmptyText() throws {
    var table = MergedTable("t", key: .text("k"))
    _ = table.last("v", .text)
    let function = Function(name: "texts", tables: [table])
    let scratch = try Scratch()
    let store = scratch.store()
    try store.open(function)
    try store.close()
    try scratch.sql("INSERT INTO t (k, v) VALUES ('a', NULL), ('b', ''), ('c', 'bc')")
    let rows = try Self.bytes(scratch, of: table.schema)
    #expect(rows.count == 3)
    // Text is 3, and nothing 5: the key with its length, then the value.
    #expect(rows[0].starts(with: [3, 1, 0, 0, 0, 0, 0, 0, 0, 97, 5]))
    #expect(rows[1].starts(with: [3, 1, 0, 0, 0, 0, 0, 0, 0, 98, 3, 0, 0, 0, 0, 0, 0, 0, 0]))
    #expect(rows[2].starts(with: [3, 1, 0, 0, 0, 0, 0, 0, 0, 99, 3, 2, 0, 0, 0, 0, 0, 0, 0, 98, 99]))
  }
}
