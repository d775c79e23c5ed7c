import CSQLite
import ReplayCore
import ReplaySQL

/// One function's program on one connection: its definitions made, its statements prepared, and run over batches.
///
/// The relation `events` is a virtual table of the connection's own `temp` database, so that no real table is taken for
/// it, whatever the store has.
final class ProgramRunner {
  private let function: String
  private let program: StoreProgram
  private let connection: Connection
  private let guardian: ProgramGuard
  private let feed: EventFeed
  /// The virtual table's module on this connection.
  private let module: String
  private let own: Set<String>
  private var statements: [OpaquePointer] = []

  init(
    _ function: String, _ program: StoreProgram, number: Int, on connection: Connection, _ guardian: ProgramGuard
  ) throws {
    self.function = function
    self.program = program
    self.connection = connection
    self.guardian = guardian
    feed = EventFeed(program, guardian)
    module = "_replay_events_\(number)"
    own = Set((program.names(of: .table) + program.names(of: .view)).map { $0.lowercased() })
    try feed.register(module, on: connection)
  }

  deinit { for statement in statements { sqlite3_finalize(statement) } }

  /// Makes what is not there yet. Throws `.usage` with the place in the file.
  func define(missing: (String) -> Bool) throws {
    for definition in program.definitions {
      guard missing(definition.name) else {
        if definition.kind == .index { try checkOwn(index: definition) }
        continue
      }
      let statement = try prepare(definition.piece, .defining(own))
      defer { sqlite3_finalize(statement) }
      guard guardian.holding(.defining(own), { sqlite3_step(statement) }) == SQLITE_DONE else {
        throw failure(definition.piece, nil)
      }
    }
  }

  /// Tables and views were asked for before; an index belongs to who has its table.
  private func checkOwn(index: StoreProgram.Definition) throws {
    let sql = "SELECT lower(tbl_name) FROM sqlite_schema WHERE lower(name) = ?"
    let tables = try connection.query(sql, [.text(index.name.lowercased())]) { $0.text(0) }
    guard !tables.allSatisfy(own.contains) else { return }
    throw ReplayError(
      .config, "the store already has something named \(index.name)",
      details: ["\(index.piece.place), function \(function)"],
      next: "rename it in the function, or name another store with --store")
  }

  /// Has `events` be this function's. Throws where a statement is none that the store can run.
  func begin() throws {
    try connection.run("DROP TABLE IF EXISTS temp.events")
    try connection.run("CREATE VIRTUAL TABLE temp.events USING \(module)")
    guard statements.isEmpty else { return }
    for piece in program.statements { statements.append(try prepare(piece, .running(own))) }
  }

  private func prepare(_ piece: StoreProgram.Piece, _ rule: ProgramGuard.Rule) throws -> OpaquePointer {
    var made: OpaquePointer?
    var offset: Int32 = -1
    let code = guardian.holding(rule) {
      let code = sqlite3_prepare_v3(
        connection.handle, piece.text, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &made, nil)
      offset = code == SQLITE_OK ? -1 : sqlite3_error_offset(connection.handle)
      return code
    }
    guard code == SQLITE_OK, let made else { throw failure(piece, offset < 0 ? nil : Int(offset)) }
    return made
  }

  /// The statement is not one that can be prepared: the function is at fault, before any event. What is wrong with the
  /// store keeps its own words.
  private func failure(_ piece: StoreProgram.Piece, _ offset: Int?) -> ReplayError {
    let code = sqlite3_extended_errcode(connection.handle)
    let said = String(cString: sqlite3_errmsg(connection.handle))
    guard [SQLITE_ERROR, SQLITE_AUTH].contains(code & 0xff) else { return connection.failure("preparing a statement") }
    let place = offset.map { piece.place.advanced(by: $0, in: piece.text) } ?? piece.place
    return ReplayError(
      .usage, "\(place): \(guardian.refused ?? said)",
      details: ["function \(function), SQL as SQLite \(String(cString: sqlite3_libversion())) reads it"],
      effect: "nothing was read or applied", next: "correct the file")
  }

  // MARK: Running

  /// Runs every statement over every batch. Throws `ProgramFault`; the transaction is then to be rolled back.
  func run(_ batches: [EventBatch]) throws -> UInt64 {
    let before = sqlite3_total_changes64(connection.handle)
    for place in batches.indices {
      if let error = run(batches[place]) { throw ProgramFault(function: function, batch: place, error: error) }
    }
    return UInt64(sqlite3_total_changes64(connection.handle) - before)
  }

  /// Nil where all went well.
  func run(_ batch: EventBatch) -> ReplayError? {
    feed.batch = batch
    defer { feed.batch = EventBatch() }
    return withExtendedLifetime(batch) {
      for (place, statement) in statements.enumerated() {
        let code = guardian.holding(.running(own)) { () -> Int32 in
          while true {
            let code = sqlite3_step(statement)
            if code != SQLITE_ROW { return code }
          }
        }
        defer { sqlite3_reset(statement) }
        if code != SQLITE_DONE { return failure(program.statements[place]) }
      }
      return nil
    }
  }

  /// What a statement said of the events it was given; or what is the matter with the store.
  private func failure(_ piece: StoreProgram.Piece) -> ReplayError {
    let code = sqlite3_extended_errcode(connection.handle)
    let said = String(cString: sqlite3_errmsg(connection.handle))
    switch code & 0xff {
    case SQLITE_ERROR, SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_TOOBIG, SQLITE_RANGE:
      return ReplayError(
        .data, "the function \(function) could not apply an event", details: ["\(piece.place): \(said)"],
        next: "mend the function or the event, then run the same command")
    default: return connection.failure("running \(piece.place)")
    }
  }

  /// What a message shows of an event.
  func values(_ rows: GatheredRows, _ index: Int) -> String {
    program.columns.enumerated().map { place, column in
      let cell = rows.row(index) + place
      if cell.pointee.isNull { return "\(column.name) NULL" }
      if !column.isText { return "\(column.name) \(cell.pointee.number)" }
      return "\(column.name) \"\(ReplayError.excerpt(Cell.text(at: cell)))\""
    }.joined(separator: ", ")
  }
}

/// A statement failed over a batch; which event it fails at is not known yet.
struct ProgramFault: Error {
  let function: String
  let batch: Int
  let error: ReplayError
}
