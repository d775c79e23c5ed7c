import ReplayCore
import ReplaySQL

/// Makes the functions' tables and views.
struct TableMaker: TableMaking {
  let connection: Connection
  let programs: Programs

  func objects() throws -> [String: String] {
    let rows = try connection.query("SELECT lower(name), coalesce(sql, '') FROM sqlite_schema") {
      ($0.text(0), $0.text(1))
    }
    return Dictionary(rows, uniquingKeysWith: { first, _ in first })
  }

  func create(_ table: TableSchema) throws { try connection.run(TableSQL(schema: table).create) }

  func query(of view: FunctionIdentity.View) -> String { view.select }

  func make(_ view: FunctionIdentity.View) throws {
    let sql = "CREATE VIEW \(TableSQL.quoted(view.name)) AS \(view.select)"
    if try objects()[view.name.lowercased()] == sql { return }
    try connection.run("DROP VIEW IF EXISTS \(TableSQL.quoted(view.name))")
    try connection.run(sql)
  }

  func openPrograms(of functions: [FunctionIdentity], missing: (String) -> Bool) throws {
    try programs.open(functions, missing: missing)
  }
}
