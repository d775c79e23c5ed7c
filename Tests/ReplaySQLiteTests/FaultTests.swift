import Glibc
import ReplayCore
import ReplaySQLite
import Testing

/// What SQLite or the disk can do to a run.
@Suite struct FaultTests {
  private func error(_ code: ReplayError.Code, _ body: () throws -> Void) -> ReplayError? {
    let error = #expect(throws: ReplayError.self) { try body() }
    #expect(error?.code == code)
    return error
  }

  private static let patience = SQLiteStore.Options(busyTimeoutMilliseconds: 200)

  @Test func lockedWhileCommitting() throws {
    let scratch = try Scratch()
    let function = Function.sums()
    let first = scratch.store()
    try first.open(function)
    let store = scratch.store(Self.patience)
    try store.open(.sums("other", table: "other"))
    let other = try OtherProgram(scratch.path)
    try other.sql("BEGIN IMMEDIATE")
    let clock = ContinuousClock()
    let start = clock.now
    let found = error(.temporary) {
      _ = try store.commit(Function.sums("other", table: "other").epoch([(1, 1)]))
    }
    #expect(clock.now - start < .seconds(5))
    #expect(clock.now - start > .milliseconds(150))
    #expect(found?.description.contains(scratch.path) == true)
    #expect(found?.description.contains("the last run of daily is \(getpid())@") == true)
    try other.sql("ROLLBACK")
    #expect(try store.commit(Function.sums("other", table: "other").epoch([(1, 1)])) == .committed(rows: 1))
  }

  @Test func lockedWhileOpening() throws {
    let scratch = try Scratch()
    let other = try OtherProgram(scratch.path)
    try other.sql("BEGIN EXCLUSIVE")
    _ = error(.temporary) { try scratch.store(Self.patience).open(.sums()) }
    try other.sql("COMMIT")
    try scratch.store(Self.patience).open(.sums())
  }

  @Test func readersDoNotBlock() throws {
    let scratch = try Scratch()
    let function = Function.sums()
    let store = scratch.store(Self.patience)
    try store.open(function)
    _ = try store.commit(function.epoch([(1, 1)]))
    let reader = try OtherProgram(scratch.path)
    try reader.sql("BEGIN")
    #expect(try reader.sql("SELECT total FROM sums") == ["1"])
    #expect(try store.commit(function.epoch([(1, 1)])) == .committed(rows: 1))
    #expect(try reader.sql("SELECT total FROM sums") == ["1"])
    try store.close()
    try reader.sql("COMMIT")
    #expect(try reader.sql("SELECT total FROM sums") == ["2"])
  }

  @Test func notADatabase() throws {
    let scratch = try Scratch()
    let text = String(repeating: "customer,total\n", count: 100)
    scratch.write(text)
    let found = error(.config) { try scratch.store().open(.sums()) }
    #expect(found?.summary.contains("not an SQLite database") == true)
    _ = error(.config) { _ = try SQLiteInspector(scratch.path).inspect() }
    #expect(scratch.names == ["store.db"])
  }

  @Test func damaged() throws {
    let scratch = try Scratch()
    let function = Function.sums()
    let store = scratch.store()
    try store.open(function)
    _ = try store.commit(function.epoch((0..<5000).map { (id: $0, add: 1) }))
    try store.close()
    let file = try #require(fopen(scratch.path, "r+"))
    fseek(file, 4096 * 2, SEEK_SET)
    for _ in 0..<4096 * 8 { fputc(0xa5, file) }
    fclose(file)
    let found = error(.config) {
      let store = scratch.store()
      try store.open(function)
      _ = try store.commit(function.epoch((0..<5000).map { (id: $0, add: 1) }))
    }
    #expect(found?.summary.contains("damaged") == true)
  }

  @Test func noDirectory() throws {
    let scratch = try Scratch()
    let store = SQLiteStore(path: scratch.directory + "/missing/store.db")
    _ = error(.cannotCreate) { try store.open(.sums()) }
    _ = error(.cannotCreate) { try SQLiteStore(path: scratch.directory).open(.sums()) }
  }

  @Test func specialNamesAreFiles() {
    #expect(Connection.plain(":memory:") == "./:memory:")
    #expect(Connection.plain("file:x?mode=memory") == "./file:x?mode=memory")
    #expect(Connection.plain("") == "./")
    #expect(Connection.plain("/tmp/x.db") == "/tmp/x.db")
  }

  /// Of the file, and of its directory, where the WAL must go.
  @Test(arguments: [(0o444, 0o755), (0o000, 0o755), (0o666, 0o555)])
  func withoutPermission(ofFile file: mode_t, ofDirectory directory: mode_t) throws {
    let scratch = try Scratch()
    let store = scratch.store()
    try store.open(.sums())
    try store.close()
    chmod(scratch.path, file)
    chmod(scratch.directory, directory)
    let found = try asNobody { error(.permission) { try scratch.store().open(.sums()) } }
    #expect(found?.description.contains(scratch.path) == true)
  }

  /// Runs `body` on this thread with the file rights of an ordinary user, where the tests run as root.
  private func asNobody<Result>(_ body: () throws -> Result) throws -> Result {
    typealias Change = @convention(c) (UInt32) -> Int32
    let symbol = try #require(dlsym(nil, "setfsuid"))
    let change = unsafeBitCast(symbol, to: Change.self)
    let before = geteuid()
    if before == 0 { _ = change(65_534) }
    defer { if before == 0 { _ = change(before) } }
    return try body()
  }

  @Test func diskFull() throws {
    let scratch = try Scratch()
    let function = Function.sums()
    let store = scratch.store()
    try store.open(function)
    try store.withWriter { try $0.connection.run("PRAGMA max_page_count = 30") }
    let large = (0..<50_000).map { (id: Int64($0), add: Int128(1)) }
    let found = error(.cannotCreate) { _ = try store.commit(function.epoch(large)) }
    #expect(found?.summary.contains("disk is full") == true)
    #expect(try scratch.sql("SELECT count(*) FROM sums") == ["0"])
    try store.withWriter { try $0.connection.run("PRAGMA max_page_count = 100000") }
    #expect(try store.commit(function.epoch(large)) == .committed(rows: 50_000))
  }

  @Test func killedRunIsResumed() throws {
    let scratch = try Scratch()
    let function = Function.sums()
    let partition = Partition(log: "orders", id: "0")
    let store = scratch.store()
    try store.open(function)
    _ = try store.commit(function.epoch([(1, 1)], at: [partition: Position(1)]))
    // The file and its WAL as a killed process leaves them.
    for suffix in ["", "-wal"] {
      let from = try #require(fopen(scratch.path + suffix, "r"))
      let to = try #require(fopen(scratch.directory + "/killed.db" + suffix, "w"))
      for byte in sequence(first: fgetc(from), next: { _ in fgetc(from) }) {
        if byte == EOF { break }
        fputc(byte, to)
      }
      fclose(from)
      fclose(to)
    }
    let killed = scratch.directory + "/killed.db"
    #expect(try SQLiteInspector(killed).inspect().map(\.events) == [1])
    let checkpoints = try SQLiteStore(path: killed).open(function)
    #expect(checkpoints[0].frontier == [partition: Position(1)])
    #expect(try scratch.sql("SELECT * FROM sums", on: killed) == ["1|1"])
  }
}
