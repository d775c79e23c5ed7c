import ReplayCore
import ReplaySQL

/// Makes the functions' tables and views.
struct PostgresTableMaker: TableMaking {
  let connection: PostgresConnection

  func objects() throws -> [String: String] {
    let sql = """
      SELECT lower(c.relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ? AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'c')
      """
    let names = try connection.query(sql, [.text(connection.schema)]) { ($0.text(0), "") }
    return Dictionary(names, uniquingKeysWith: { first, _ in first })
  }

  func create(_ table: TableSchema) throws {
    let sql = PostgresTableSQL(schema: table, number: 0)
    for statement in [sql.create] + sql.remarks { try connection.run(statement) }
  }

  func query(of view: FunctionIdentity.View) -> String { view.postgresSelect }

  /// What a view was made of is kept as its comment: the server only keeps what it understood.
  func make(_ view: FunctionIdentity.View) throws {
    let name = SQLDialect.quoted(view.name)
    let known = try connection.query(
      """
      SELECT pg_catalog.obj_description(c.oid, 'pg_class') FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relname = ? AND c.relkind = 'v'
      """, [.text(connection.schema), .text(view.name)]
    ) { $0.text(0) }
    if known == [view.postgresSelect] { return }
    try connection.run("DROP VIEW IF EXISTS \(name)")
    try connection.runAsWritten("CREATE VIEW \(name) AS \(view.postgresSelect)")
    try connection.runAsWritten("COMMENT ON VIEW \(name) IS \(try connection.literal(view.postgresSelect))")
  }

  func openPrograms(of functions: [FunctionIdentity], missing: (String) -> Bool) throws {
    try PostgresTableMaker.refusePrograms(of: functions, in: connection.path)
  }

  static func refusePrograms(of functions: [FunctionIdentity], in place: String) throws {
    // The catalog is looked through before every schema.
    if let name = functions.flatMap({ $0.tableNames + $0.viewNames }).first(where: { $0.hasPrefix("pg_") }) {
      throw ReplayError(
        .usage, "a table in PostgreSQL cannot be named \(name): such names are the server's own",
        details: ["store: \(place)"], effect: "nothing was read or written", next: "rename it")
    }
    guard let function = functions.first(where: { $0.program != nil }) else { return }
    throw ReplayError(
      .usage, "the function \(function.name) is a SQL file, and SQL files run in SQLite only for now",
      details: ["store: \(place)"], effect: "nothing was read or written",
      next: "name an SQLite file with --store, or write the function in another language (docs/functions.md)")
  }
}
