import CSQLite
import ReplayCore

/// Merges the list columns of new rows with those of the rows that are there, then writes them.
struct ListMerging {
  private let schema: TableSchema
  private let columns: [TableSchema.Column]
  private let statement: Statement

  init(_ schema: TableSchema, on connection: Connection) throws {
    let sql = TableSQL(schema: schema)
    self.schema = schema
    columns = sql.listColumns
    statement = try connection.prepared(sql.selectLists)
  }

  /// `cells`: one whole row. Throws `.data` where a set has no room for all, `.config` where the stored text is no list.
  func write(_ cells: UnsafePointer<Cell>, by writer: borrowing RowWriter) throws {
    var stored: [[UInt8]?] = []
    do {
      let lookup = RowWriter(statement, table: schema, columns: schema.keys)
      guard try lookup.find(cells) else { return try writer.write(cells) }
      stored = columns.indices.map { statement.isNull(Int32($0)) ? nil : statement.blob(Int32($0)) }
    }
    let arena = Arena()
    var merged = Array(UnsafeBufferPointer(start: cells, count: schema.columns.count))
    for (place, column) in schema.values.enumerated() {
      guard let merge = column.merge, let index = columns.firstIndex(of: column) else { continue }
      let hasOrders = columns.indices.contains(index + 1) && columns[index + 1].merge == .order
      let cell = schema.keys.count + place
      switch merge {
      case .recent, .union: break
      default: continue
      }
      guard let old = stored[index] else { continue }
      var list = try read(old, hasOrders ? stored[index + 1] : nil, column)
      if !merged[cell].isNull {
        let new = merged[cell].withText { json in
          hasOrders ? merged[cell + 1].withText { MergedList(json: json, orders: $0) } : MergedList(json: json)
        }
        guard let new, list.merge(new, by: merge) else { throw full(cells, column) }
      }
      list.json.withUnsafeBytes { merged[cell] = Cell(Text($0), in: arena) }
      if hasOrders { list.ordersJSON.withUnsafeBytes { merged[cell + 1] = Cell(Text($0), in: arena) } }
    }
    try withExtendedLifetime(arena) {
      try merged.withUnsafeBufferPointer { row in
        if let start = row.baseAddress { try writer.write(start) }
      }
    }
  }

  private func read(_ json: [UInt8], _ orders: [UInt8]?, _ column: TableSchema.Column) throws -> MergedList {
    let list = json.withUnsafeBytes { json in
      orders.map { $0.withUnsafeBytes { MergedList(json: Text(json), orders: Text($0)) } }
        ?? MergedList(json: Text(json))
    }
    if let list { return list }
    throw ReplayError(
      .config, "a value in the store cannot be read: \(schema.name).\(column.name)",
      details: ["\(json.withUnsafeBytes { ReplayError.excerpt(Text($0)) }) is no list that replay wrote"],
      next: "another program wrote it: correct it, or replay from the start with --full-refresh")
  }

  private func full(_ cells: UnsafePointer<Cell>, _ column: TableSchema.Column) -> ReplayError {
    ReplayError(
      .data, "a value does not fit its column: \(schema.name).\(column.name)",
      details: ["row \(RowKey.text(cells, schema))", "the set would hold more distinct values than its limit"],
      effect: RowKey.effect)
  }
}
