import CSQLite
import ReplayCore

/// What a program's SQL may do on this connection, asked by SQLite whenever it prepares a statement. While no program is
/// being prepared or run everything is allowed.
final class ProgramGuard {
  enum Rule {
    case all
    /// Makes these objects.
    case defining(Set<String>)
    /// Reads `events` and the function's own objects, changes its own tables.
    case running(Set<String>)
  }

  private var rule = Rule.all
  /// What was refused last.
  private(set) var refused: String?

  /// Functions whose value is not the same in every run, or is the connection's; in lower case.
  private static let unsteady: Set<String> = [
    "random", "randomblob", "current_time", "current_date", "current_timestamp", "last_insert_rowid", "changes",
    "total_changes", "sqlite_version", "sqlite_source_id", "sqlite_offset", "load_extension",
  ]
  /// SQLite's own relations that depend on their arguments alone.
  private static let steady: Set<String> = ["json_each", "json_tree"]

  /// From now on SQLite asks this guard. It knows the relations that it may use already: to make them known, SQLite asks for
  /// what no statement may.
  func watch(_ connection: Connection) {
    for relation in ProgramGuard.steady { try? connection.run("SELECT 1 FROM \(relation)('[]')") }
    let context = Unmanaged.passUnretained(self).toOpaque()
    sqlite3_set_authorizer(
      connection.handle,
      { context, action, first, second, database, _ in
        guard let context else { return SQLITE_OK }
        return Unmanaged<ProgramGuard>.fromOpaque(context)._withUnsafeGuaranteedRef { guardian in
          if case .all = guardian.rule { return SQLITE_OK }
          let names = [first, second, database].map { $0.map { String(cString: $0) } ?? "" }
          guard let refusal = guardian.refusal(action, names[0], names[1], names[2]) else { return SQLITE_OK }
          guardian.refused = refusal
          return SQLITE_DENY
        }
      }, context)
  }

  /// Runs `body` under the rule.
  func holding<Result>(_ rule: Rule, _ body: () throws -> Result) rethrows -> Result {
    let before = self.rule
    self.rule = rule
    if case .all = before { refused = nil }
    defer { self.rule = before }
    return try body()
  }

  /// Why not; nil where it may.
  private func refusal(_ action: Int32, _ first: String, _ second: String, _ database: String) -> String? {
    switch action {
    case SQLITE_SELECT, SQLITE_RECURSIVE: return nil
    case SQLITE_FUNCTION:
      return ProgramGuard.unsteady.contains(second.lowercased()) ? "\(second)() is not the same in every run" : nil
    default: break
    }
    switch rule {
    case .all: return nil
    case .defining(let own): return defining(action, first, second, database, own)
    case .running(let own): return running(action, first, database, own)
    }
  }

  private func running(_ action: Int32, _ table: String, _ database: String, _ own: Set<String>) -> String? {
    let name = table.lowercased()
    // SQLite makes other relations of its own known to itself so.
    if name == "sqlite_master" { return "it uses SQLite's own relations; of those only json_each and json_tree may be" }
    switch action {
    case SQLITE_READ:
      // A relation of which no column is read, as in `count(*)`, comes without its database. `events` is found in `temp` first.
      let isCounted = database.isEmpty && (name == "events" || own.contains(name))
      if isCounted { return nil }
      let isEvents = database == "temp" && name == "events"
      if isEvents || database == "main" && (own.contains(name) || ProgramGuard.steady.contains(name)) { return nil }
      return "it reads \(table), which is not the function's own: what is in it depends on when it is read"
    case SQLITE_INSERT, SQLITE_UPDATE, SQLITE_DELETE:
      if database == "main" && own.contains(name) { return nil }
      return "it changes \(table), which is not the function's own"
    default: return "a function's statements may only read events and change the function's own tables"
    }
  }

  private func defining(
    _ action: Int32, _ first: String, _ second: String, _ database: String, _ own: Set<String>
  ) -> String? {
    switch action {
    case SQLITE_CREATE_TABLE, SQLITE_CREATE_INDEX, SQLITE_CREATE_VIEW, SQLITE_REINDEX: return nil
    case SQLITE_READ, SQLITE_INSERT, SQLITE_UPDATE, SQLITE_DELETE:
      let name = first.lowercased()
      let isSchema = name == "sqlite_master" || name == "sqlite_schema"
      if database == "main" && (isSchema || own.contains(name)) { return nil }
      return "it reads \(first), which is not the function's own"
    default: return "a definition makes tables, indexes and views"
    }
  }
}
