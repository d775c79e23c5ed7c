import ReplayCore
import ReplaySQL

extension PostgresConnection {
  func shape(of table: String) throws -> TableShape? {
    let here = """
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      """
    let which = "n.nspname = ? AND c.relname = ? AND c.relkind IN ('r', 'p')"
    let names: [SQLValue] = [.text(schema), .text(table)]
    let columns = try query(
      "SELECT a.attname, pg_catalog.format_type(a.atttypid, NULL) \(here) WHERE \(which) ORDER BY a.attnum", names
    ) { TableShape.Column($0.text(0), $0.text(1)) }
    if columns.isEmpty { return nil }
    let key = try query(
      """
      SELECT a.attname \(here) JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
      JOIN unnest(k.conkey) WITH ORDINALITY AS part (number, place) ON part.number = a.attnum
      WHERE \(which) ORDER BY part.place
      """, names
    ) { $0.text(0) }
    return TableShape(name: table, columns: columns, key: key)
  }

  func rows(_ order: RowOrder) throws -> any RowCursor {
    let columns = order.columns.map { ColumnReading(order.type(of: $0)).expression(SQLDialect.quoted($0)) }
    let key = order.key.map { name in
      // Where there is no key, NULL may be in a column, and comes first; else an index gives the order.
      ColumnReading(order.type(of: name)).order(SQLDialect.quoted(name)) + (order.isByPrimaryKey ? "" : " NULLS FIRST")
    }
    let sql =
      "SELECT \(columns.joined(separator: ", ")) FROM \(SQLDialect.quoted(order.shape.name))"
      + (key.isEmpty ? "" : " ORDER BY " + key.joined(separator: ", "))
    return try TableCursor(sql, on: self, order.columns.map { ColumnReading(order.type(of: $0)) })
  }
}

/// How values of a type are asked for, and read.
private enum ColumnReading {
  case integer, real, time, day, bytes, text, other

  init(_ type: String) {
    switch type {
    case "bigint", "integer", "smallint": self = .integer
    case "double precision", "real": self = .real
    case "timestamp with time zone": self = .time
    case "date": self = .day
    case "bytea": self = .bytes
    case "text", "character varying": self = .text
    default: self = .other
    }
  }

  func expression(_ column: String) -> String {
    switch self {
    case .integer, .bytes, .text: column
    case .real: "\(column)::double precision"
    // Whole microseconds, exactly: the server's own count, whatever its time zone.
    case .time:
      "(extract(epoch FROM date_trunc('second', \(column)))::bigint * 1000000"
        + " + (extract(microseconds FROM \(column))::bigint % 1000000))"
    case .day: "to_char(\(column), 'YYYY-MM-DD')"
    case .other: "\(column)::text"
    }
  }

  func order(_ column: String) -> String {
    switch self {
    case .integer, .real, .time, .bytes: column
    case .day: column
    case .text: "\(column) COLLATE \"C\""
    case .other: "\(column)::text COLLATE \"C\""
    }
  }

  func value(_ row: any SQLRow, _ column: Int32) -> TableValue {
    if row.isNull(column) { return .null }
    return switch self {
    case .integer: .integer(row.integer(column))
    case .real: .real(Double(row.text(column)) ?? .nan)
    case .time: .time(Timestamp(microseconds: row.integer(column)))
    case .bytes: .bytes(row.blob(column))
    case .day, .text, .other: .text(row.text(column))
    }
  }
}

/// A cursor of the server, which gives some thousand rows at a time. Only in a transaction.
private final class TableCursor: RowCursor {
  private static let rowsPerFetch = 5_000
  private unowned let connection: PostgresConnection
  private let columns: [ColumnReading]
  private let name: String
  private var rows: [[TableValue]] = []
  private var place = 0
  private var isDone = false

  init(_ sql: String, on connection: PostgresConnection, _ columns: [ColumnReading]) throws {
    self.connection = connection
    self.columns = columns
    connection.cursors += 1
    name = SQLDialect.quoted("_replay_rows_\(connection.cursors)")
    try connection.runAsWritten("DECLARE \(name) NO SCROLL CURSOR FOR \(sql)")
  }

  func next() throws -> [TableValue]? {
    if place == rows.count, !isDone {
      rows = try connection.query("FETCH \(TableCursor.rowsPerFetch) FROM \(name)") { row in
        self.columns.enumerated().map { $1.value(row, Int32($0)) }
      }
      place = 0
      isDone = rows.count < TableCursor.rowsPerFetch
      // Its sorted rows would stay with the server until the transaction ends.
      if isDone { try connection.run("CLOSE \(name)") }
    }
    guard place < rows.count else { return nil }
    defer { place += 1 }
    return rows[place]
  }
}
