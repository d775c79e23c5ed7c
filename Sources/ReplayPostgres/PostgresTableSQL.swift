import ReplayCore
import ReplaySQL

/// The SQL of one table. Names were checked by `Names`; they are quoted all the same.
struct PostgresTableSQL {
  let schema: TableSchema
  /// Tells the temporary tables of a session apart, whatever the tables' names.
  let number: Int

  private var table: String { SQLDialect.quoted(schema.storedName) }
  /// New rows, and keys of rows to delete, on their way: temporary tables that empty themselves with each transaction.
  var newRows: String { SQLDialect.quoted("_replay_new_\(number)") }
  var oldKeys: String { SQLDialect.quoted("_replay_old_\(number)") }

  private func list(_ columns: [TableSchema.Column], of relation: String = "") -> String {
    columns.map { relation + SQLDialect.quoted($0.name) }.joined(separator: ", ")
  }

  private func definitions(_ columns: [TableSchema.Column]) -> String {
    columns.map { "\(SQLDialect.quoted($0.name)) \($0.type.postgres)" }.joined(separator: ", ")
  }

  /// Without its primary key, which comes with its first rows: they need not be put into an index one by one. Pages with
  /// room take a changed row beside the old one, without the index: half the time of an upsert (200,000 of 400,000 rows,
  /// 2.3 s against 5.4 s).
  var create: String {
    let columns = schema.columns.enumerated().map { place, column in
      let isRequired = place < schema.keys.count || column.merge == .sum
      return "  \(SQLDialect.quoted(column.name)) \(column.type.postgres)\(isRequired ? " NOT NULL" : "")"
    }
    return "CREATE TABLE \(table) (\n" + columns.joined(separator: ",\n") + "\n) WITH (fillfactor = 70)"
  }

  /// What `\d+` should tell a person of decimals.
  var remarks: [String] {
    schema.columns.compactMap { column in
      guard case .decimal(let scale) = column.type else { return nil }
      return
        "COMMENT ON COLUMN \(table).\(SQLDialect.quoted(column.name)) IS 'decimal, \(scale) digits behind the point'"
    }
  }

  var makeNewRows: String {
    "CREATE TEMPORARY TABLE \(newRows) (\(definitions(schema.columns))) ON COMMIT DELETE ROWS"
  }
  var makeOldKeys: String {
    "CREATE TEMPORARY TABLE \(oldKeys) (\(definitions(schema.keys))) ON COMMIT DELETE ROWS"
  }

  func copy(_ columns: [TableSchema.Column], to relation: String) -> String {
    "COPY \(relation) (\(list(columns))) FROM STDIN (FORMAT binary)"
  }

  /// The new rows straight into the table, where that is empty.
  var copyAll: String { copy(schema.columns, to: table) }

  var isEmpty: String { "SELECT NOT EXISTS (SELECT 1 FROM \(table))" }

  var addKey: String { "ALTER TABLE \(table) ADD PRIMARY KEY (\(list(schema.keys)))" }

  /// Merges the new rows into those there are, or replaces them.
  var upsert: String {
    let columns = list(schema.columns)
    return
      "INSERT INTO \(table) AS mine (\(columns)) SELECT \(columns) FROM \(newRows) ON CONFLICT (\(list(schema.keys))) "
      + (schema.values.isEmpty
        ? "DO NOTHING" : "DO UPDATE SET " + schema.values.map(assignment).joined(separator: ", "))
  }

  /// Within one transaction the second time and later it only cuts the files off.
  var emptyNewRows: String { "TRUNCATE \(newRows), \(oldKeys)" }

  var delete: String { "DELETE FROM \(table) AS mine USING \(oldKeys) AS gone WHERE \(sameKeys("mine", "gone"))" }

  private func sameKeys(_ one: String, _ other: String) -> String {
    schema.keys.map { key in
      let name = SQLDialect.quoted(key.name)
      return "\(one).\(name) = \(other).\(name)"
    }.joined(separator: " AND ")
  }

  private func assignment(_ column: TableSchema.Column) -> String {
    let name = SQLDialect.quoted(column.name)
    let (old, new) = ("mine.\(name)", "excluded.\(name)")
    switch (column.merge, column.type) {
    // Lists come merged already: `ListMerge`.
    case (nil, _), (.recent, _), (.union, _): return "\(name) = \(new)"
    case (.first, _), (.last, _), (.order, _): return "\(name) = \(ordered(column, old, new))"
    case (.sum, _): return "\(name) = \(old) + \(new)"
    // NULL is no value to these.
    case (.min, .json): return "\(name) = least(\(old)::text COLLATE \"C\", \(new)::text COLLATE \"C\")::json"
    case (.max, .json): return "\(name) = greatest(\(old)::text COLLATE \"C\", \(new)::text COLLATE \"C\")::json"
    case (.min, _): return "\(name) = least(\(old), \(new))"
    case (.max, _): return "\(name) = greatest(\(old), \(new))"
    }
  }

  /// A value and its order are replaced together, where the new order wins.
  private func ordered(_ column: TableSchema.Column, _ old: String, _ new: String) -> String {
    guard let place = schema.values.firstIndex(of: column) else { return new }
    let value = column.merge == .order ? schema.values[place - 1] : column
    if case .recent = value.merge { return new }
    let order = SQLDialect.quoted(value.name + "_order")
    let wins = "excluded.\(order) \(value.merge == .last ? ">" : "<") mine.\(order)"
    return "CASE WHEN mine.\(order) IS NULL OR \(wins) THEN \(new) ELSE \(old) END"
  }

  /// The key of a row whose sum leaves 64 bits, and its columns' names, once the new rows are there; nil without sums.
  var overflow: String? {
    let sums = schema.values.filter { $0.merge == .sum }.map { column in
      let name = SQLDialect.quoted(column.name)
      return "mine.\(name)::numeric + new.\(name) NOT BETWEEN \(Int64.min) AND \(Int64.max)"
    }
    if sums.isEmpty { return nil }
    return "SELECT \(list(schema.keys, of: "mine.")) FROM \(table) AS mine JOIN \(newRows) AS new ON "
      + "\(sameKeys("mine", "new")) WHERE \(sums.joined(separator: " OR ")) LIMIT 1"
  }

  /// Keys and these columns of the rows that are there of those whose keys are in `oldKeys`, in key order.
  func lists(_ columns: [TableSchema.Column]) -> String {
    "SELECT \(list(schema.keys + columns, of: "mine.")) FROM \(table) AS mine JOIN \(oldKeys) AS new ON "
      + "\(sameKeys("mine", "new")) ORDER BY \(list(schema.keys, of: "mine."))"
  }

  /// Columns of a row as `KeyedRows` keeps it: the keys behind the first, but no rank, and the values.
  var rowColumns: [TableSchema.Column] { (schema.isRanked ? [] : Array(schema.keys.dropFirst())) + schema.values }

  /// The place of a key among those asked for, from 1, and its rows in key order.
  var select: String {
    let key = SQLDialect.quoted(schema.keys[0].name)
    let order = ["asked.place"] + schema.keys.dropFirst().map { "mine." + SQLDialect.quoted($0.name) }
    return
      "SELECT \((["asked.place"] + rowColumns.map { "mine." + SQLDialect.quoted($0.name) }).joined(separator: ", ")) "
      + "FROM unnest($1) WITH ORDINALITY AS asked (key, place) JOIN \(table) AS mine ON mine.\(key) = asked.key "
      + "COLLATE \"C\" ORDER BY \(order.joined(separator: ", "))"
  }
}

extension ColumnType {
  /// Numbers are whole: a decimal is a count of its smallest unit, as in every store of replay.
  var postgres: String {
    switch self {
    case .integer, .decimal: "bigint"
    case .text: "text COLLATE \"C\""
    case .json: "json"
    case .timestamp: "timestamptz"
    case .day: "date"
    case .bytes: "bytea"
    }
  }
}
