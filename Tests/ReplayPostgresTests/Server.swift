import CPQ
import Foundation
import ReplayCore
import ReplayPostgres
import ReplayTesting
import Synchronization

/// A PostgreSQL server of the tests' own, below /tmp and on a socket only: one for all of them, ended with the process.
/// Its texts sort as a dictionary does (ICU), so that a statement without COLLATE "C" is found.
final class Server: Sendable {
  static let shared = try? Server()

  let directory: String
  private let process: Int32
  private let schemas = Mutex(0)

  /// Debian's, of the newest version that is there.
  private static let programs: String = {
    let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
    return "/usr/lib/postgresql/\(versions.compactMap { Int($0) }.max() ?? 15)/bin"
  }()

  private init() throws {
    directory = "/tmp/replay-postgres-\(getpid())"
    try? FileManager.default.removeItem(atPath: directory)
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let data = directory + "/data"
    try Server.run("chmod", ["777", directory])
    try Server.run(
      "\(Server.programs)/initdb",
      [
        "-D", data, "-U", "replay", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--locale-provider=icu",
        "--icu-locale=en", "--no-sync", "--no-instructions",
      ], asOther: true)
    let started = try Server.start(
      "\(Server.programs)/postgres",
      [
        "-D", data, "-k", directory, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off",
        "-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "deadlock_timeout=100ms",
      ], asOther: true)
    process = started.processIdentifier
    Server.running.withLock { $0 = (process, directory) }
    atexit { Server.end() }
    for _ in 0..<200 {
      if (try? Client(address("public"))) != nil { return }
      usleep(50_000)
    }
    throw ReplayError(.unavailable, "the tests' PostgreSQL does not start")
  }

  private static let running = Mutex<(process: Int32, directory: String)?>(nil)

  private static func end() {
    guard let it = running.withLock({ $0 }) else { return }
    // Nothing of it is wanted any more.
    kill(it.process, SIGQUIT)
    for _ in 0..<100 where kill(it.process, 0) == 0 { usleep(20_000) }
    try? FileManager.default.removeItem(atPath: it.directory)
  }

  /// PostgreSQL refuses to be run by root.
  private static func start(_ program: String, _ arguments: [String], asOther: Bool) throws -> Process {
    let process = Process()
    let needsOther = asOther && getuid() == 0
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      (needsOther ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : []) + [program] + arguments
    process.currentDirectoryURL = URL(fileURLWithPath: "/tmp")
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    return process
  }

  private static func run(_ program: String, _ arguments: [String], asOther: Bool = false) throws {
    let process = try start(program, arguments, asOther: asOther)
    process.waitUntilExit()
    if process.terminationStatus != 0 {
      throw ReplayError(.unavailable, "\(program) ended with \(process.terminationStatus)")
    }
  }

  func address(_ schema: String, more: String = "") throws -> PostgresAddress {
    try PostgresAddress("postgresql:///postgres?host=\(directory)&user=replay&schema=\(schema)\(more)")
  }

  /// A schema of its own for each test.
  func scratch() throws -> Scratch {
    let number = schemas.withLock { number in
      number += 1
      return number
    }
    let client = try Client(address("public"))
    try client.sql("CREATE SCHEMA s\(number)")
    return Scratch(server: self, schema: "s\(number)")
  }
}

struct Scratch {
  let server: Server
  let schema: String

  var address: PostgresAddress { get throws { try server.address(schema) } }

  func store(_ options: PostgresStore.Options = .init()) throws -> PostgresStore {
    PostgresStore(try address, options: options)
  }

  var underTest: StoreUnderTest {
    StoreUnderTest(make: { try self.store() }, holdsNUL: false, dump: { try self.dump() })
  }

  /// From outside, as another program would; times and days as replay writes them.
  @discardableResult func sql(_ text: String) throws -> [String] {
    try Client(address).sql("SET search_path = \(schema); \(text)")
  }

  func dump() throws -> [String] {
    let client = try Client(address)
    let columns = try client.sql(
      """
      SELECT c.relname || '|' || string_agg(CASE a.atttypid
        WHEN 'timestamptz'::regtype THEN format($$regexp_replace(to_char(%I AT TIME ZONE 'UTC',
          'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '000Z$', 'Z')$$, a.attname)
        ELSE format('%I::text', a.attname) END, ', ' ORDER BY a.attnum)
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
      WHERE c.relnamespace = '\(schema)'::regnamespace AND c.relkind = 'r' AND left(c.relname, 7) <> '_replay'
      GROUP BY c.relname
      """)
    return try columns.flatMap { line in
      let parts = line.split(separator: "|", maxSplits: 1)
      return try client.sql("SELECT \(parts[1]) FROM \(schema).\"\(parts[0])\"").map {
        StoreConformance.line(String(parts[0]), [$0])
      }
    }
  }
}

/// A connection that knows nothing of replay.
final class Client {
  private let handle: OpaquePointer?

  init(_ address: PostgresAddress) throws {
    let plain = address.shown.replacing(/&schema=[a-z0-9]+/, with: "")
    handle = PQconnectdb(plain)
    PQsetNoticeReceiver(handle, { _, _ in }, nil)
    guard PQstatus(handle) == CONNECTION_OK else { throw failure() }
  }

  deinit { PQfinish(handle) }

  private func failure() -> ReplayError { ReplayError(.unexpected, String(cString: PQerrorMessage(handle))) }

  /// The rows of the last statement, with `|` between columns.
  @discardableResult func sql(_ text: String) throws -> [String] {
    let result = PQexec(handle, text)
    defer { PQclear(result) }
    guard [PGRES_TUPLES_OK, PGRES_COMMAND_OK].contains(PQresultStatus(result)) else { throw failure() }
    return (0..<PQntuples(result)).map { row in
      (0..<PQnfields(result)).map { column in
        PQgetisnull(result, row, column) == 1
          ? StoreConformance.null : String(cString: PQgetvalue(result, row, column))
      }.joined(separator: "|")
    }
  }
}
