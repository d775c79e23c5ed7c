import ReplayCore
import ReplayPostgres
import ReplaySQL
import ReplaySQLite

/// Which database `--store` names: the one place that decides by what the address begins with.
enum StoreAddress {
  case sqlite(path: String)
  case postgres(PostgresAddress)

  /// Throws `.usage` where no store of this build is named so.
  init(_ text: String) throws {
    let low = text.lowercased()
    if !PostgresAddress.isOne(text), ["password=", "postgres:", "postgresql:"].contains(where: low.contains) {
      // Not shown: there may be a password in it.
      throw ReplayError(
        .usage, "--store is no file's name, and no address of PostgreSQL that can be read", effect: "nothing was read",
        next: "postgres://HOST/DATABASE?schema=NAME, with the password in PGPASSFILE (docs/postgresql.md)")
    }
    if PostgresAddress.isOne(text) {
      self = .postgres(try PostgresAddress(text))
    } else if text.hasPrefix("sqlite:") {
      self = .sqlite(path: String(text.dropFirst("sqlite:".count)))
    } else if let scheme = text.split(separator: ":").first, text.dropFirst(scheme.count).hasPrefix("://") {
      throw ReplayError(
        .usage, "this build has no store for \(scheme)", next: "give a path, sqlite:PATH, or postgres://HOST/DATABASE")
    } else {
      self = .sqlite(path: text)
    }
  }

  /// The file that the store is, where it is one.
  var path: String? {
    if case .sqlite(let path) = self { path } else { nil }
  }

  /// As `--store` takes it, for messages and for the next command.
  var text: String {
    switch self {
    case .sqlite(let path): path
    case .postgres(let address): address.shown
    }
  }

  /// The same, wherever the command is run.
  var absolute: String { path.map(InputFile.absolute) ?? text }

  /// What messages call the store.
  var name: String {
    switch self {
    case .sqlite(let path): "sqlite:\(path)"
    case .postgres(let address): address.shown
    }
  }

  /// Makes a database that is not there yet, and says what was made; a file makes itself.
  func makeDatabase() throws -> [String] {
    guard case .postgres(let address) = self else { return [] }
    return try EmptyDatabase.make(address)
  }

  /// False for a file that a run would make.
  var exists: Bool { path.map(InputFile.exists) ?? true }

  /// `lockMilliseconds`: how long to wait for others.
  func inspector(lockMilliseconds: Int32 = 10_000) -> any StoreInspector {
    switch self {
    case .sqlite(let path): SQLiteInspector(path, busyTimeoutMilliseconds: lockMilliseconds)
    case .postgres(let address): PostgresInspector(address, patienceMilliseconds: lockMilliseconds)
    }
  }

  /// Reads these tables as others do; nil where the store has no server whose answers could be timed.
  func probe(_ tables: [TableSchema]) -> (any LatencyProbe)? {
    if case .postgres(let address) = self { PostgresProbe(address, tables: tables) } else { nil }
  }

  /// A store that is not opened yet. `command`: what `status` tells to run again.
  /// `gate`: what a run's rows go through, where its database is watched.
  func store(lockMilliseconds: Int32, command: String, gate: WorkGate? = nil) -> any Store {
    switch self {
    case .sqlite(let path):
      SQLiteStore(
        path: path, options: SQLiteStore.Options(busyTimeoutMilliseconds: lockMilliseconds, command: command))
    case .postgres(let address):
      PostgresStore(
        address, options: PostgresStore.Options(patienceMilliseconds: lockMilliseconds, command: command, gate: gate))
    }
  }
}
