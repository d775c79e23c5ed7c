import ReplayCore
import ReplaySQL

/// Switches builds in a PostgreSQL schema.
struct PostgresSwitcher: TableSwitching {
  let connection: PostgresConnection

  /// Readers that come while the tables are waited for wait behind this run: so long at most.
  private static let seizeMilliseconds = 40

  private static let table = """
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    """

  /// What `sql` finds of each table, whose two values are the schema and the table.
  private func each(_ tables: [String], _ sql: String) throws -> [String] {
    try tables.flatMap { table in
      try connection.query(sql, [.text(connection.schema), .text(table)]) { "table \(table) has \($0.text(0))" }
    }
  }

  func obstacles(_ tables: [String]) throws -> [String] {
    let named = "\(Self.table) WHERE n.nspname = ? AND c.relname = ?"
    return try each(
      tables,
      """
      WITH mine AS (SELECT c.oid, c.relrowsecurity AS secured \(named))
      SELECT 'the trigger ' || t.tgname FROM pg_catalog.pg_trigger t JOIN mine ON t.tgrelid = mine.oid
        WHERE NOT t.tgisinternal
      UNION ALL SELECT 'the rule ' || w.rulename FROM pg_catalog.pg_rewrite w JOIN mine ON mine.oid = w.ev_class
      UNION ALL SELECT 'the check ' || k.conname FROM pg_catalog.pg_constraint k JOIN mine ON mine.oid = k.conrelid
        WHERE k.contype = 'c'
      UNION ALL SELECT 'tables that inherit from it, or it from them' FROM mine WHERE EXISTS (
        SELECT 1 FROM pg_catalog.pg_inherits i WHERE mine.oid IN (i.inhparent, i.inhrelid))
      UNION ALL SELECT 'the function ' || p.proname FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_proc p ON p.oid = d.objid JOIN mine ON mine.oid = d.refobjid
        WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
      UNION ALL SELECT 'row security' FROM mine WHERE secured
      UNION ALL SELECT 'the foreign key ' || k.conname FROM pg_catalog.pg_constraint k JOIN mine
        ON mine.oid IN (k.conrelid, k.confrelid) WHERE k.contype = 'f'
      UNION ALL SELECT 'the publication ' || p.pubname FROM pg_catalog.pg_publication_rel r
        JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid JOIN mine ON mine.oid = r.prrelid
      UNION ALL SELECT 'rights of single columns' FROM mine WHERE EXISTS (
        SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = mine.oid AND a.attacl IS NOT NULL)
      UNION ALL SELECT 'the materialized view ' || v.relname FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid JOIN pg_catalog.pg_class v ON v.oid = w.ev_class
        JOIN mine ON mine.oid = d.refobjid
        WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND v.relkind = 'm'
      """)
  }

  func equip(_ new: String, like old: String, build: Int) throws {
    let wanted = try indexes(of: old)
    let there = Set(try indexes(of: new).map(\.tail))
    for index in wanted where !there.contains(index.tail) {
      try connection.run("CREATE \(index.isUnique ? "UNIQUE " : "")INDEX ON \(SQLDialect.quoted(new)) \(index.tail)")
    }
    try connection.batch("ANALYZE \(SQLDialect.quoted(new))")
    let rights = try connection.query(
      """
      SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,
        a.privilege_type, CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
      \(Self.table), pg_catalog.aclexplode(c.relacl) a
      WHERE n.nspname = ? AND c.relname = ? AND a.grantee <> c.relowner
      """, [.text(connection.schema), .text(old)]
    ) { "GRANT \($0.text(1)) ON \(SQLDialect.quoted(new)) TO \($0.text(0))\($0.text(2))" }
    for right in rights { try connection.runAsWritten(right) }
  }

  private struct Index {
    let isUnique: Bool
    /// From USING on.
    let tail: String
  }

  private func indexes(of table: String) throws -> [Index] {
    let found = try connection.query(
      """
      SELECT substr(pg_catalog.pg_get_indexdef(i.indexrelid), 1 + length(pg_catalog.format(
          'CREATE %sINDEX %I ON %I.%I ', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, x.relname, n.nspname, c.relname))),
        i.indisunique::int
      \(Self.table) JOIN pg_catalog.pg_index i ON i.indrelid = c.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
      WHERE n.nspname = ? AND c.relname = ? AND NOT i.indisprimary
      """, [.text(connection.schema), .text(table)]
    ) { ($0.text(0), $0.integer(1) == 1) }
    return found.map { Index(isUnique: $0.1, tail: $0.0) }
  }

  func seize(_ tables: [String]) throws {
    try connection.run("SET LOCAL lock_timeout = \(Self.seizeMilliseconds)")
    try connection.run(
      "LOCK TABLE \(tables.map(SQLDialect.quoted).joined(separator: ", ")) IN ACCESS EXCLUSIVE MODE")
  }

  /// A view keeps to the table that it was made over, whatever that is called later.
  func othersViews(over tables: [String], but own: [String]) throws -> [OtherView] {
    var views: [OtherView] = []
    for table in tables {
      let found = try connection.query(
        """
        SELECT DISTINCT vn.nspname = n.nspname AND v.relname = ANY (pg_catalog.string_to_array(?, ',')),
          pg_catalog.quote_ident(vn.nspname) || '.' || pg_catalog.quote_ident(v.relname),
          coalesce(' WITH (' || pg_catalog.array_to_string(v.reloptions, ', ') || ')', ''),
          pg_catalog.pg_get_viewdef(v.oid)
        \(Self.table) JOIN pg_catalog.pg_depend d ON d.refobjid = c.oid
          AND d.classid = 'pg_catalog.pg_rewrite'::regclass
        JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid JOIN pg_catalog.pg_class v ON v.oid = w.ev_class
        JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace
        WHERE n.nspname = ? AND c.relname = ? AND v.relkind = 'v' ORDER BY 2
        """, [.text(own.joined(separator: ",")), .text(connection.schema), .text(table)]
      ) { row in
        row.text(0) == "t"
          ? nil
          : OtherView(
            name: row.text(1), statement: "CREATE OR REPLACE VIEW \(row.text(1))\(row.text(2)) AS \(row.text(3))")
      }
      views += found.compactMap { $0 }.filter { !views.contains($0) }
    }
    return views
  }

  func rename(_ table: String, to name: String) throws {
    try connection.run("ALTER TABLE \(SQLDialect.quoted(table)) RENAME TO \(SQLDialect.quoted(name))")
  }

  func make(_ view: OtherView) throws { try replace(view.name, view.statement) }

  func make(view name: String, query: String) throws {
    try replace(name, "CREATE OR REPLACE VIEW \(SQLDialect.quoted(name)) AS \(query)")
    try connection.runAsWritten(
      "COMMENT ON VIEW \(SQLDialect.quoted(name)) IS \(try connection.literal(query))")
  }

  private func replace(_ name: String, _ statement: String) throws {
    do { try connection.runAsWritten(statement) } catch let error as ReplayError where error.code != .unavailable {
      throw ReplayError(
        .config, "the view \(name) does not fit the new build's tables", details: error.details,
        effect: "nothing was changed", next: "drop it, switch, and make it again")
    }
  }
}
