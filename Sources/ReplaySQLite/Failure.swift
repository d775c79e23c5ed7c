import CSQLite
import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// What SQLite answered, as the error that a person reads.
enum Failure {
  /// `code` may be an extended result code; `cause` is the system's `errno` where the system refused something; `doing`
  /// completes "SQLite, while …".
  static func error(
    _ code: Int32, _ message: String, cause: Int32 = 0, path: String, doing: String
  ) -> ReplayError {
    let said = "SQLite, while \(doing): \(message) (code \(code))"
    switch code & 0xff {
    case SQLITE_CANTOPEN where cause == EACCES || cause == EPERM || cause == EROFS:
      return forbidden(said, path)
    case SQLITE_BUSY, SQLITE_LOCKED:
      return ReplayError(
        .temporary, "the store is locked: \(path)", details: [said],
        next: "wait until the other program is done with the file, then run the same command again")
    case SQLITE_CANTOPEN:
      return ReplayError(
        .cannotCreate, "the store cannot be opened or made: \(path)", details: [said],
        next: "check that the directory exists and may be written, and that --store names a file")
    case SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH:
      return forbidden(said, path)
    case SQLITE_FULL:
      return ReplayError(
        .cannotCreate, "the disk is full: \(path)", details: [said],
        next: "make space, then run the same command again")
    case SQLITE_NOTADB, SQLITE_CORRUPT:
      return damaged(code, said, path)
    case SQLITE_IOERR, SQLITE_PROTOCOL:
      // PROTOCOL is what SQLite says where a lock of its log was refused again and again.
      return ReplayError(
        .unavailable, "the disk under the store fails: \(path)", details: [said],
        next: "check the disk, then run the same command again")
    case SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_TOOBIG:
      return ReplayError(.data, "a value does not fit its column", details: [said])
    default:
      return ReplayError(.unexpected, "the store failed: \(path)", details: [said])
    }
  }

  private static func forbidden(_ said: String, _ path: String) -> ReplayError {
    ReplayError(
      .permission, "the store may not be written: \(path)", details: [said],
      next: "give this user write permission on the file and its directory")
  }

  private static func damaged(_ code: Int32, _ said: String, _ path: String) -> ReplayError {
    if code & 0xff == SQLITE_NOTADB {
      return ReplayError(
        .config, "the file is not an SQLite database: \(path)", details: [said],
        next: "name another file with --store; nothing was written to this one")
    }
    return ReplayError(
      // SQLite says "malformed" of pages that the disk did not give, too, and keeps no errno of it.
      .config, "the store is damaged, or the disk does not give it: \(path)", details: [said],
      next: "check the disk, then run the same command again; where it says the same, restore a copy, or name another "
        + "file with --store and replay from the start; `sqlite3 FILE 'PRAGMA integrity_check'` says what is wrong")
  }
}
