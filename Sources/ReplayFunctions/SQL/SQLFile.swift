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
    ReplayError(
      .usage, "the function's file cannot be read: \(path)", details: [String(cString: strerror(errno))],
      next: "give the path of a SQL file")
  }
}
