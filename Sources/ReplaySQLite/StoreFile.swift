import CSQLite
import ReplayCore
import ReplaySQL

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// An existing file and what lies beside it.
struct StoreFile {
  private let path: String
  /// Without symbolic links: SQLite keeps its journal beside the real file.
  private let real: String

  private init?(_ path: String) {
    guard let found = realpath(path, nil) else { return nil }
    defer { free(found) }
    self.path = path
    real = String(cString: found)
  }

  /// What `read` makes of the store at `path`: one snapshot, beside a running writer. Changes nothing and makes no file.
  /// Empty where nothing was ever run into the file. Errors: `.missing` where there is no file, `.config` where it is no
  /// database or a newer replay's.
  static func reading<Found>(_ path: String, _ read: (Connection) throws -> [Found]) throws -> [Found] {
    guard let file = StoreFile(path) else {
      throw ReplayError(
        .missing, "there is no store: \(path)", next: "check --store; the first `replay run` makes the file")
    }
    if file.hasJournal { return try file.reading(immutable: false, read) }
    let before = file.stamp
    let attempt = Result { try file.reading(immutable: true, read) }
    // A writer that began meanwhile may have changed pages under the reader: only then read beside it.
    if file.hasJournal || file.stamp != before { return try file.reading(immutable: false, read) }
    return try attempt.get()
  }

  private func reading<Found>(immutable: Bool, _ read: (Connection) throws -> [Found]) throws -> [Found] {
    let connection = try Connection(
      immutable ? immutableAddress : real, path: path,
      flags: SQLITE_OPEN_READONLY | (immutable ? SQLITE_OPEN_URI : 0), busyTimeoutMilliseconds: 10_000)
    try connection.run("BEGIN")
    defer { connection.rollback() }
    guard try OwnTables.exist(on: connection) else { return [] }
    try OwnTables.checkFormat(on: connection)
    return try read(connection)
  }

  /// True while a writer has the file open, or after one was killed.
  private var hasJournal: Bool { access(real + "-wal", F_OK) == 0 || access(real + "-journal", F_OK) == 0 }

  /// Size and time of change.
  private var stamp: [Int] {
    var info = stat()
    guard stat(real, &info) == 0 else { return [] }
    return [Int(info.st_size), info.st_mtim.tv_sec, info.st_mtim.tv_nsec]
  }

  /// An address that makes SQLite read the file alone: without it, reading makes the journal's files.
  private var immutableAddress: String {
    let plain = real.utf8.map { byte in
      let isPlain = byte | 32 >= 97 && byte | 32 <= 122 || byte >= 45 && byte <= 57 || byte == UInt8(ascii: "_")
      return isPlain ? String(UnicodeScalar(byte)) : "%" + Hex.text(UInt64(byte)).suffix(2)
    }
    return "file:" + plain.joined() + "?immutable=1"
  }
}
