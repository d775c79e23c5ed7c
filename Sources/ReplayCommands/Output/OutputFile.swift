import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A file that is there whole or not at all: written beside its place, then renamed into it.
enum OutputFile {
  static func write(_ text: String, to path: String) throws {
    let beside = path + ".part"
    guard let file = fopen(beside, "w") else { throw failure(path) }
    let bytes = Array(text.utf8)
    let written = fwrite(bytes, 1, bytes.count, file)
    let synced = fflush(file) == 0 && fsync(fileno(file)) == 0
    fclose(file)
    guard written == bytes.count, synced, rename(beside, path) == 0 else { throw failure(path) }
  }

  private static func failure(_ path: String) -> ReplayError {
    ReplayError(
      errno == EACCES ? .permission : .cannotCreate, "cannot write \(path): \(String(cString: strerror(errno)))")
  }
}
