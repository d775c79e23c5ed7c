import ReplayCore
import ReplaySQL

/// Switches builds in an SQLite file. Readers of a file in WAL mode never wait, and see the old tables or the new ones.
struct TableSwitcher: TableSwitching {
  let connection: Connection

  /// Views and other tables go on naming what they name: with SQLite's own way they would follow the table that is renamed.
  /// Only outside of a transaction.
  static func prepare(_ connection: Connection) throws { try connection.run("PRAGMA legacy_alter_table = ON") }

  func obstacles(_ tables: [String]) throws -> [String] {
    try tables.flatMap { table in
      try connection.query(
        "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower(?)", [.text(table)]
      ) { "table \(table) has the trigger \($0.text(0))" }
    }
  }

  func equip(_ new: String, like old: String, build: Int) throws {
    let there = Set(try indexes(of: new).map { "\($0.isUnique)\($0.columns)" })
    for index in try indexes(of: old) where !there.contains("\(index.isUnique)\(index.columns)") {
      let name = FunctionBuild.table(index.name, number: build)
      if try connection.query("SELECT 1 FROM sqlite_schema WHERE name = ?", [.text(name)], { _ in true }) == [true] {
        continue
      }
      let unique = index.isUnique ? "UNIQUE " : ""
      try connection.run(
        "CREATE \(unique)INDEX \(SQLDialect.quoted(name)) ON \(SQLDialect.quoted(new)) \(index.columns)")
    }
    try connection.run("ANALYZE \(SQLDialect.quoted(new))")
  }

  private struct Index {
    let name: String
    let isUnique: Bool
    /// From the opening parenthesis on.
    let columns: String
  }

  /// Those that somebody made.
  private func indexes(of table: String) throws -> [Index] {
    let found = try connection.query(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND lower(tbl_name) = lower(?) AND sql IS NOT NULL",
      [.text(table)]
    ) { ($0.text(0), $0.text(1)) }
    return try found.map { name, sql in
      guard let columns = TableSwitcher.columns(of: sql, named: name) else {
        throw ReplayError(
          .config, "an index of the table \(table) cannot be made on another table: \(name)", details: [sql],
          effect: "nothing was changed", next: "drop it, switch, and make it again on the new table")
      }
      return Index(name: name, isUnique: sql.uppercased().hasPrefix("CREATE UNIQUE"), columns: columns)
    }
  }

  /// Of a CREATE INDEX as SQLite keeps it: what stands behind the table's name. Nil where a name has a parenthesis.
  static func columns(of sql: String, named name: String) -> String? {
    guard !name.contains("("), let open = sql.firstIndex(of: "(") else { return nil }
    return String(sql[open...])
  }

  func seize(_ tables: [String]) throws {}

  func othersViews(over tables: [String], but own: [String]) throws -> [OtherView] { [] }

  func rename(_ table: String, to name: String) throws {
    try connection.run("ALTER TABLE \(SQLDialect.quoted(table)) RENAME TO \(SQLDialect.quoted(name))")
  }

  func make(_ view: OtherView) throws {}

  func make(view name: String, query: String) throws {
    try connection.run("DROP VIEW IF EXISTS \(SQLDialect.quoted(name))")
    try connection.run("CREATE VIEW \(SQLDialect.quoted(name)) AS \(query)")
  }
}
