import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Reads a small file whole.
enum SQLFile {
  static func read(_ path: String) throws -> [UInt8] {
    guard let file = fopen(path, "r") else { throw failure(path) }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: SQLText.maxBytes + 1)
    let count = fread(&bytes, 1, bytes.count, file)
    if ferror(file) != 0 { throw failure(path) }
    return Array(bytes.prefix(count))
  }

  private static func failure(_ path: String) -> ReplayError {
    let reason = errno
    // What may be over the next time is no mistake in the command.
    let isPassing = [EIO, EMFILE, ENFILE, EINTR, ENOMEM].contains(reason)
    return ReplayError(
      isPassing ? .unavailable : .usage, "the function's file cannot be read: \(path)",
      details: [String(cString: strerror(reason))],
      next: isPassing ? "see to the disk or the limit, then run the same command again" : "give the path of a SQL file")
  }
}
