import ReplayCore
import ReplaySQLite
import ReplayTesting
import Testing

/// A function with a program, made by hand: two columns, `name` a text and `size` a number.
struct ProgramFunction: Projection {
  var name = "sizes"
  var reads: Reads { Reads() }
  var tables: [any Table] { [] }
  let program: StoreProgram?

  func apply(_ batch: Batch, _ changes: Changes) throws {}

  init(
    named name: String = "sizes", table: String = "sizes", define: String? = nil,
    kind: StoreProgram.Definition.Kind = .table, _ statements: String...
  ) {
    self.name = name
    let place = FilePlace(file: "f.sql", line: 7, column: 1)
    let text = define ?? "CREATE TABLE \(table) (name TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT"
    program = StoreProgram(
      columns: [.init("name", isText: true), .init("size", isText: false)],
      definitions: [.init(kind, table, .init(text: text, place: place))],
      statements: statements.map { .init(text: $0, place: place) }, shape: "sql; \(text)")
  }

  static let add =
    "INSERT INTO sizes SELECT name, sum(size) FROM events GROUP BY name "
    + "HAVING true ON CONFLICT DO UPDATE SET size = size + excluded.size"

  /// The epoch of these events, which are consecutive records of one segment; a nil size is NULL.
  func epoch(_ lanes: [[(name: String, size: Int64?)]]) throws -> EpochCommit {
    var epoch = EpochCommit.Function(
      name: name, changes: [], frontier: [ProgramFunction.partition: Position(1)], settled: [], events: 1)
    epoch.gathered = try lanes.map(gathered)
    return EpochCommit(functions: [epoch])
  }

  static let partition = Partition(log: "retail", id: "0")

  private func gathered(_ events: [(name: String, size: Int64?)]) throws -> GatheredRows {
    let segment = Segment(
      entry: SegmentEntry(name: "part.json", size: 1, version: ""), partition: ProgramFunction.partition,
      numbering: .counted(from: WideNumber(low: 100)))
    let block = RecordBlock(segment: segment)
    let (marks, ordinals, masks) = (
      (0..<events.count).map(UInt64.init), (0..<events.count).map(UInt32.init), events.map { _ in UInt32(1) }
    )
    let changes = Changes(tables: [], program: program)
    var next = events.makeIterator()
    try marks.withUnsafeBufferPointer { marks in
      try ordinals.withUnsafeBufferPointer { ordinals in
        try masks.withUnsafeBufferPointer { masks in
          guard let mark = marks.baseAddress, let ordinal = ordinals.baseAddress, let mask = masks.baseAddress else {
            return
          }
          (block.marks, block.ordinals, block.masks, block.count) = (mark, ordinal, mask, events.count)
          var columns = 0
          let batch = Batch(block: block, columns: &columns, mask: 1, keyColumn: -1)
          try changes.gather(batch) { _, cells, arena in
            let event = next.next()
            cells.initialize(to: event?.name.cell(in: arena) ?? .null)
            (cells + 1).initialize(to: event?.size?.cell(in: arena) ?? .null)
          }
        }
      }
    }
    return try #require(changes.takeGathered())
  }
}

extension SQLiteStore {
  fileprivate func open(_ functions: ProgramFunction..., refresh: Bool = false) throws {
    _ = try open(functions.map { FunctionIdentity($0) }, range: .all, refresh: refresh)
  }
}

struct ProgramTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  private var rows: [String] { get throws { try scratch.sql("SELECT name, size FROM sizes ORDER BY name") } }

  @Test func statementsRunOverTheEventsOfAllLanes() throws {
    let function = ProgramFunction(ProgramFunction.add)
    let store = scratch.store()
    try store.open(function)
    let long = String(repeating: "ä", count: 40)
    _ = try store.commit(function.epoch([[("a", 1), (long, 2)], [("a", 3), ("", 5)]]))
    _ = try store.commit(function.epoch([[("a", 10)]]))
    #expect(try rows == ["|5", "a|14", "\(long)|2"])
  }

  @Test func eventsAreReadSideBySideAndInOrder() throws {
    let function = ProgramFunction(
      "INSERT INTO sizes SELECT a.name, a._number * 10 + b._number FROM events AS a, events AS b WHERE a.size < b.size",
      "UPDATE sizes SET size = size + (SELECT count(*) FROM events WHERE _phase = 'replay') * 100",
      "INSERT INTO sizes SELECT _partition || '@' || _position || ' ' || _number, rowid FROM events")
    let store = scratch.store()
    try store.open(function)
    _ = try store.commit(function.epoch([[("a", 1)], [("b", 2)]]))
    #expect(try rows == ["a|212", "retail/0@100 1|1", "retail/0@100 2|2"])
  }

  @Test func theFirstEventThatAStatementRefusesIsFound() throws {
    let function = ProgramFunction(
      ProgramFunction.add, "UPDATE sizes SET size = NULL WHERE name = 'c' AND name IN (SELECT name FROM events)")
    let store = scratch.store()
    try store.open(function)
    _ = try store.commit(function.epoch([[("a", 1), ("b", 2)]]))
    var events: [(name: String, size: Int64?)] = (0..<1_000).map { ("n\($0)", 1) }
    events[617] = ("c", 9)
    events[800] = ("d", nil)
    let error = #expect(throws: RefusedEvent.self) { try store.commit(function.epoch([events])) }
    let refused = try #require(error)
    #expect(refused.place.ordinal == 617 && refused.place.position == Position(717))
    #expect(refused.error.place == ReplayError.Place(segment: "part.json", ordinal: 617))
    let text = refused.error.description
    #expect(text.contains("f.sql:7:1: NOT NULL constraint failed: sizes.size") && text.contains("name \"c\", size 9"))
    #expect(try rows == ["a|1", "b|2"])
    #expect(try scratch.sql("SELECT epochs FROM _replay_functions") == ["1"])
    _ = try store.commit(function.epoch([Array(events.prefix(617))]))
    #expect(try rows.count == 619)
  }

  @Test func aJSONArrayIsTakenApart() throws {
    let function = ProgramFunction(
      "INSERT INTO sizes SELECT value, size FROM events, json_each(events.name) WHERE true "
        + "ON CONFLICT DO UPDATE SET size = size + excluded.size")
    let store = scratch.store()
    try store.open(function)
    _ = try store.commit(function.epoch([[("[\"a\", \"b\"]", 1), ("[\"b\"]", 2)]]))
    #expect(try rows == ["a|1", "b|3"])
    let error = #expect(throws: RefusedEvent.self) { try store.commit(function.epoch([[("[]", 1), ("[", 2)]])) }
    #expect(error?.place.ordinal == 1 && error?.error.details.first?.contains("malformed JSON") == true)
  }

  @Test func whatNoEventIsToBlameForHasNoPlace() throws {
    let function = ProgramFunction("INSERT INTO sizes VALUES ('x', NULL)")
    let store = scratch.store()
    try store.open(function)
    let error = #expect(throws: ReplayError.self) { try store.commit(function.epoch([[("a", 1), ("b", 2)]])) }
    #expect(error?.place == nil && error?.code == .data)
    #expect(error?.details.last?.contains("2 events, from position 100 of retail/0 to position 101") == true)
  }

  @Test func severalProgramsAndARealTableNamedEvents() throws {
    try scratch.sql("CREATE TABLE events (name TEXT, size INTEGER)")
    try scratch.sql("INSERT INTO events VALUES ('not this', 1)")
    let other = ProgramFunction(
      named: "others", table: "others", "INSERT INTO others SELECT size, length(name) FROM events")
    let function = ProgramFunction(ProgramFunction.add)
    let store = scratch.store()
    try store.open(function, other)
    for turn in 1...2 {
      let epochs = [try function.epoch([[("a", 1)]]), try other.epoch([[("long", Int64(turn))]])]
      _ = try store.commit(EpochCommit(functions: epochs.flatMap(\.functions)))
    }
    #expect(try rows == ["a|2"])
    #expect(try scratch.sql("SELECT * FROM others ORDER BY name") == ["1|4", "2|4"])
    var bad = try function.epoch([[("b", 1)]])
    bad.functions += try other.epoch([[("long", 7), ("again", 1)]]).functions
    let error = #expect(throws: RefusedEvent.self) { try store.commit(bad) }
    #expect(error?.place.ordinal == 1)
    #expect(try rows == ["a|2"])
    _ = try store.commit(function.epoch([[("a", 1)]]))
    #expect(try rows == ["a|3"])
  }

  @Test(arguments: [
    ("INSERT INTO sizes SELECT name, nope FROM events", "f.sql:7:32: no such column: nope"),
    ("INSERT INTO sizes\n  SELEC name", "f.sql:8:3: near \"SELEC\": syntax error"),
    ("INSERT INTO sizes SELECT owner, 1 FROM _replay_functions", "it reads _replay_functions"),
    ("INSERT INTO sizes SELECT a, 1 FROM theirs", "it reads theirs"),
    ("DELETE FROM theirs", "it changes theirs"),
    ("UPDATE _replay_functions SET fence = 1", "it changes _replay_functions"),
    ("INSERT INTO sizes SELECT name, \"random\"() FROM events", "random"),
    ("INSERT INTO sizes SELECT name, 1 FROM pragma_table_info('sizes')", "SQLite's own relations"),
    ("INSERT INTO sqlite_master VALUES (1, 2, 3, 4, 5)", "SQLite's own relations"),
    ("INSERT INTO events VALUES (1, 2)", "f.sql:7:1:"),
    ("DROP TABLE sizes", "f.sql:7:1:"), ("PRAGMA user_version = 1", "f.sql:7:1:"), ("COMMIT", "f.sql:7:1:"),
  ]) func whatAStatementMayNotIsRefusedAtOnce(statement: String, said: String) throws {
    try scratch.sql("CREATE TABLE theirs (a)")
    let error = #expect(throws: ReplayError.self) { try scratch.store().open(ProgramFunction(statement)) }
    #expect(error?.code == .usage && error?.summary.contains(said) == true, "\(error?.summary ?? "")")
    #expect(try scratch.sql("SELECT name FROM sqlite_schema") == ["theirs"])
  }

  @Test func aDefinitionThatIsNone() throws {
    let function = ProgramFunction(define: "CREATE TABLE sizes (name TEXT PRIMARY KEY, size INTEGER) STRIKT", "")
    let error = #expect(throws: ReplayError.self) { try scratch.store().open(function) }
    #expect(
      error?.code == .usage && error?.summary.hasPrefix("f.sql:7:1: unknown table option") == true,
      "\(error?.summary ?? "")")
  }

  @Test func anIndexBelongsToItsTable() throws {
    try scratch.sql("CREATE TABLE theirs (a)")
    try scratch.sql("CREATE INDEX sizes ON theirs (a)")
    let function = ProgramFunction(define: "CREATE INDEX sizes ON theirs (a)", kind: .index, "DELETE FROM sizes")
    let error = #expect(throws: ReplayError.self) { try scratch.store().open(function) }
    #expect(error?.code == .config && error?.summary.hasSuffix("something named sizes") == true)
  }

  @Test func tablesBelongToTheFunction() throws {
    try scratch.sql("CREATE TABLE sizes (a)")
    let error = #expect(throws: ReplayError.self) { try scratch.store().open(ProgramFunction(ProgramFunction.add)) }
    #expect(error?.code == .config && error?.details.last?.contains("replay did not make it") == true)
  }

  @Test func aChangedFileIsRefusedAndARefreshBeginsAnew() throws {
    let function = ProgramFunction(ProgramFunction.add)
    var store = scratch.store()
    try store.open(function)
    _ = try store.commit(function.epoch([[("a", 1)]]))
    try store.close()
    let changed = ProgramFunction(
      define: "CREATE TABLE sizes (name TEXT PRIMARY KEY, size INTEGER NOT NULL, more TEXT) STRICT",
      "INSERT INTO sizes SELECT name, size, 'x' FROM events")
    store = scratch.store()
    let error = #expect(throws: ReplayError.self) { try store.open(changed) }
    #expect(error?.code == .config && error?.details.count == 2 && error?.details[1].contains("more TEXT") == true)
    try store.open(changed, refresh: true)
    #expect(try rows == [])
    _ = try store.commit(changed.epoch([[("b", 2)]]))
    #expect(try scratch.sql("SELECT * FROM sizes") == ["b|2|x"])
    try store.open(function, refresh: true)
    #expect(try scratch.sql("SELECT count(*) FROM pragma_table_info('sizes')") == ["2"])
  }
}
