import CSQLite
import Glibc
import ReplayCore
import ReplaySQLite
import ReplayTesting

/// A directory of its own for each test, removed with the value.
final class Scratch {
  let directory: String
  var path: String { directory + "/store.db" }

  init() throws {
    var template = Array("/tmp/replay-sqlite-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw ReplayError(.cannotCreate, "no directory: errno \(errno)") }
    directory = String(cString: made)
  }

  deinit {
    for name in names { unlink(directory + "/" + name) }
    rmdir(directory)
  }

  /// The files in it.
  var names: [String] {
    guard let listing = opendir(directory) else { return [] }
    defer { closedir(listing) }
    var names: [String] = []
    while let entry = readdir(listing) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  func write(_ text: String, to name: String = "store.db") {
    guard let file = fopen(directory + "/" + name, "w") else { return }
    fputs(text, file)
    fclose(file)
  }

  /// Runs SQL from outside, as another program would, and returns the rows with `|` between columns.
  @discardableResult func sql(_ text: String, on path: String? = nil) throws -> [String] {
    let other = try OtherProgram(path ?? self.path)
    return try other.sql(text)
  }

  func store(_ options: SQLiteStore.Options = .init()) -> SQLiteStore { SQLiteStore(path: path, options: options) }

  var underTest: StoreUnderTest {
    StoreUnderTest(make: { self.store() }, dump: { try self.dump() })
  }

  private func dump() throws -> [String] {
    let other = try OtherProgram(path)
    let tables = try other.sql(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_replay%' ESCAPE '\\'")
    return try tables.flatMap { table in
      try other.sql("SELECT * FROM \"\(table)\"").map { StoreConformance.line(table, [$0]) }
    }
  }
}

/// A connection that knows nothing of replay.
final class OtherProgram {
  private var handle: OpaquePointer?

  init(_ path: String) throws {
    guard sqlite3_open(path, &handle) == SQLITE_OK else { throw ReplayError(.unexpected, "cannot open \(path)") }
    sqlite3_busy_timeout(handle, 2000)
  }

  deinit { sqlite3_close_v2(handle) }

  @discardableResult func sql(_ text: String) throws -> [String] {
    var statement: OpaquePointer?
    guard sqlite3_prepare_v2(handle, text, -1, &statement, nil) == SQLITE_OK else { throw failure(text) }
    defer { sqlite3_finalize(statement) }
    var rows: [String] = []
    while true {
      switch sqlite3_step(statement) {
      case SQLITE_ROW: rows.append(OtherProgram.row(statement))
      case SQLITE_DONE: return rows
      default: throw failure(text)
      }
    }
  }

  private static func row(_ statement: OpaquePointer?) -> String {
    (0..<sqlite3_column_count(statement)).map { column in
      guard let bytes = sqlite3_column_blob(statement, column) else {
        return sqlite3_column_type(statement, column) == SQLITE_NULL ? StoreConformance.null : ""
      }
      let count = Int(sqlite3_column_bytes(statement, column))
      return String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
    }.joined(separator: "|")
  }

  private func failure(_ text: String) -> ReplayError {
    ReplayError(.unexpected, "\(text): \(String(cString: sqlite3_errmsg(handle)))")
  }
}

/// A function with tables and views, for `open`.
struct Function: Projection {
  var name = "daily"
  var version = 1
  var tables: [any Table]
  var views: [(name: String, select: String)] = []
  var reads: Reads { Reads() }

  func apply(_ batch: Batch, _ changes: Changes) throws {}

  /// One merged table with an integer key and a sum.
  static func sums(_ name: String = "daily", table: String = "sums", column: String = "total") -> Function {
    var sums = MergedTable(table, key: .integer("id"))
    _ = sums.sum(column)
    return Function(name: name, tables: [sums])
  }

  var identity: FunctionIdentity { FunctionIdentity(self) }

  /// Rows for `sums`: id and what is added.
  func rows(_ values: [(id: Int64, add: Int128)]) -> RowSet {
    var table = MergedTable(tables[0].schema.name, key: .integer("id"))
    let total = table.sum(tables[0].schema.values[0].name)
    let rows = MergedRows(table.schema)
    for value in values { try! rows[value.id].add(FixedDecimal(unscaled: value.add, scale: 0), to: total) }
    return rows.sorted()
  }

  func epoch(_ values: [(id: Int64, add: Int128)], at frontier: [Partition: Position] = [:]) -> EpochCommit {
    EpochCommit(functions: [
      .init(name: name, changes: [rows(values)], frontier: frontier, settled: [], events: UInt64(values.count))
    ])
  }
}

extension SQLiteStore {
  @discardableResult func open(_ functions: Function..., refresh: Bool = false) throws -> [Checkpoint] {
    try open(functions.map(\.identity), range: .all, refresh: refresh)
  }
}
