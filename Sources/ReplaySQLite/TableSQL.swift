import ReplayCore
import ReplaySQL

/// The SQL of one table. Names were checked by `Names`; they are quoted all the same.
struct TableSQL {
  let schema: TableSchema

  static func quoted(_ name: String) -> String { SQLDialect.quoted(name) }

  private var table: String { TableSQL.quoted(schema.storedName) }
  private var keys: String { list(schema.keys) }

  private func list(_ columns: [TableSchema.Column]) -> String {
    columns.map { TableSQL.quoted($0.name) }.joined(separator: ", ")
  }

  private func marks(_ columns: [TableSchema.Column]) -> String {
    columns.map { _ in "?" }.joined(separator: ", ")
  }

  /// STRICT, so that a sum that leaves 64 bits, which SQLite would turn into a rounded REAL, is refused.
  var create: String {
    let columns = schema.columns.enumerated().map { place, column in
      let isRequired = place < schema.keys.count || column.merge == .sum
      return "  \(TableSQL.quoted(column.name)) \(column.type.sql)\(isRequired ? " NOT NULL" : "")\(column.type.remark)"
    }
    return "CREATE TABLE \(table) (\n" + columns.joined(separator: ",\n")
      + ",\n  PRIMARY KEY (\(keys))\n) STRICT, WITHOUT ROWID"
  }

  /// Writes a whole row: merges it into the one there is, or replaces that.
  var upsert: String {
    "INSERT INTO \(table) (\(list(schema.columns))) VALUES (\(marks(schema.columns)))" + merging
  }

  /// The same for all rows of the table's `RowFeed`, which is called as a function, so that a real table of its name is
  /// never read in its place. FAIL: a failure ends the whole transaction, and so SQLite need not keep what would undo
  /// this statement alone.
  var upsertFeed: String {
    let columns = list(schema.columns)
    return "INSERT OR FAIL INTO \(table) (\(columns)) SELECT \(columns) FROM "
      + TableSQL.quoted(RowFeed.name(schema)) + "() WHERE true" + merging
  }

  private var merging: String {
    if schema.values.isEmpty { return " ON CONFLICT (\(keys)) DO NOTHING" }
    return " ON CONFLICT (\(keys)) DO UPDATE SET " + schema.values.map(assignment).joined(separator: ", ")
  }

  private func assignment(_ column: TableSchema.Column) -> String {
    let (old, new) = (TableSQL.quoted(column.name), "excluded.\(TableSQL.quoted(column.name))")
    switch (column.merge, column.type) {
    // Lists come merged already: `ListMerging`.
    case (nil, _), (.recent, _), (.union, _): return "\(old) = \(new)"
    case (.first, _), (.last, _), (.order, _): return ordered(column, old, new)
    case (.sum, _): return "\(old) = \(old) + \(new)"
    case (.min, .timestamp), (.max, .timestamp):
      // Without its Z, the text of a time sorts as the time does: 33.123 before 33.123456.
      let which = column.merge == .min ? "min" : "max"
      return "\(old) = coalesce(\(which)(rtrim(\(old), 'Z'), rtrim(\(new), 'Z')) || 'Z', \(old), \(new))"
    case (.min, _): return "\(old) = coalesce(min(\(old), \(new)), \(old), \(new))"
    case (.max, _): return "\(old) = coalesce(max(\(old), \(new)), \(old), \(new))"
    }
  }

  /// A value and its order are replaced together, where the new order wins. Blobs compare byte by byte.
  private func ordered(_ column: TableSchema.Column, _ old: String, _ new: String) -> String {
    guard let place = schema.values.firstIndex(of: column) else { return "\(old) = \(new)" }
    let value = column.merge == .order ? schema.values[place - 1] : column
    if case .recent = value.merge { return "\(old) = \(new)" }
    let order = TableSQL.quoted(value.name + "_order")
    let wins = "excluded.\(order) \(value.merge == .last ? ">" : "<") \(order)"
    return "\(old) = CASE WHEN \(order) IS NULL OR \(wins) THEN \(new) ELSE \(old) END"
  }

  /// These columns of one row.
  func selectLists(_ columns: [TableSchema.Column]) -> String {
    "SELECT \(list(columns)) FROM \(table) WHERE "
      + schema.keys.map { "\(TableSQL.quoted($0.name)) = ?" }.joined(separator: " AND ")
  }

  var delete: String {
    "DELETE FROM \(table) WHERE "
      + schema.keys.map { "\(TableSQL.quoted($0.name)) = ?" }.joined(separator: " AND ")
  }

  /// Columns of a row as `KeyedRows` keeps it: the keys behind the first, but no rank, and the values.
  var rowColumns: [TableSchema.Column] { (schema.isRanked ? [] : Array(schema.keys.dropFirst())) + schema.values }

  /// The rows of one partition key, in key order.
  var select: String {
    let order = schema.keys.dropFirst().map { column in
      let name = TableSQL.quoted(column.name)
      return column.type == .timestamp ? "rtrim(\(name), 'Z')" : name
    }
    let columns = rowColumns.isEmpty ? "1" : list(rowColumns)
    return "SELECT \(columns) FROM \(table) WHERE \(TableSQL.quoted(schema.keys[0].name)) = ?"
      + (order.isEmpty ? "" : " ORDER BY " + order.joined(separator: ", "))
  }
}

extension ColumnType {
  var sql: String {
    switch self {
    case .integer, .decimal: "INTEGER"
    case .text, .json, .timestamp, .day: "TEXT"
    case .bytes: "BLOB"
    }
  }

  /// What `.schema` should tell a person beyond SQLite's type.
  var remark: String {
    switch self {
    case .decimal(let scale): " /* decimal, \(scale) digits behind the point */"
    case .timestamp: " /* UTC time */"
    case .day: " /* UTC day */"
    case .json: " /* JSON */"
    case .integer, .text, .bytes: ""
    }
  }
}
