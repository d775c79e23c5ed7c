import ReplayCore

/// Merges the list columns of a new row with those of the row that is there.
package struct ListMerge {
  private let schema: TableSchema
  /// The columns that the merge needs of the row that is there.
  package let columns: [TableSchema.Column]

  package init(_ schema: TableSchema) {
    self.schema = schema
    columns = schema.values.enumerated().filter { place, column in
      switch column.merge {
      case .recent, .union: true
      case .order: place > 0 && schema.values[place - 1].type == .json
      default: false
      }
    }.map(\.element)
  }

  /// The whole row `cells` with the lists of `stored`, which has one value for each of `columns`; `arena` owns the texts.
  /// Throws `.data` where a set has no room for all, `.config` where the stored text is no list.
  package func merged(_ cells: UnsafePointer<Cell>, with stored: [[UInt8]?], in arena: Arena) throws -> [Cell] {
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
    return merged
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
