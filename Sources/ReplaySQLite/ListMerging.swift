import CSQLite
import ReplayCore
import ReplaySQL

/// Merges the list columns of new rows with those of the rows that are there, then writes them.
struct ListMerging {
  private let schema: TableSchema
  private let merge: ListMerge
  private let statement: Statement

  init(_ schema: TableSchema, on connection: Connection) throws {
    self.schema = schema
    merge = ListMerge(schema)
    statement = try connection.prepared(TableSQL(schema: schema).selectLists(merge.columns))
  }

  /// `cells`: one whole row. Errors as of `ListMerge`.
  func write(_ cells: UnsafePointer<Cell>, by writer: borrowing RowWriter) throws {
    var stored: [[UInt8]?] = []
    do {
      let lookup = RowWriter(statement, table: schema, columns: schema.keys)
      guard try lookup.find(cells) else { return try writer.write(cells) }
      stored = merge.columns.indices.map { statement.isNull(Int32($0)) ? nil : statement.blob(Int32($0)) }
    }
    let arena = Arena()
    let merged = try merge.merged(cells, with: stored, in: arena)
    try withExtendedLifetime(arena) {
      try merged.withUnsafeBufferPointer { row in
        if let start = row.baseAddress { try writer.write(start) }
      }
    }
  }
}
