import ReplayCore
import ReplaySQL

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Asks one store again and again how far its functions are, and opens it only where something may have been written
/// since: else three looks at its files say that the last answer still holds.
///
/// No connection is kept: the last one to leave would have to clear the journal away, and a reader cannot.
package struct PositionsWatch: PositionsWatching {
  private let path: String
  private var last: (mark: StoreMark, positions: [FunctionPositions])?

  package init(_ path: String) { self.path = path }

  /// As `SQLiteInspector.positions`, now.
  package mutating func positions() throws -> [FunctionPositions] {
    let mark = StoreMark(path)
    if let last, last.mark == mark { return last.positions }
    // What is written while it is read changes the mark again.
    let found = try SQLiteInspector(path).positions()
    last = mark.isQuiet ? (mark, found) : nil
    return found
  }
}

/// What the system says of a store's files: it changes when something is written.
struct StoreMark: Equatable {
  private struct File: Equatable {
    let inode: UInt64
    let size: Int64
    let seconds: Int
    let nanoseconds: Int
  }

  private let files: [File?]
  /// Nothing was written just before: within one tick of the clock that files are stamped with, a second write would
  /// not show.
  let isQuiet: Bool

  private static let tickNanoseconds = 100_000_000

  init(_ path: String) {
    // SQLite keeps its journal beside the real file.
    let found = realpath(path, nil)
    defer { free(found) }
    let path = found.map { String(cString: $0) } ?? path
    files = ["", "-wal", "-journal"].map { ending in
      var facts = stat()
      guard stat(path + ending, &facts) == 0 else { return nil }
      return File(
        inode: UInt64(facts.st_ino), size: Int64(facts.st_size), seconds: facts.st_mtim.tv_sec,
        nanoseconds: facts.st_mtim.tv_nsec)
    }
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    isQuiet = files.compactMap { $0 }.allSatisfy { file in
      let passed = Double(now.tv_sec - file.seconds) * 1e9 + Double(now.tv_nsec - file.nanoseconds)
      return passed > Double(StoreMark.tickNanoseconds)
    }
  }
}
