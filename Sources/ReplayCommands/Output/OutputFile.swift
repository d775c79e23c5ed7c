import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A file that is there whole or not at all: written beside its place, then renamed into it. What is no regular file (a
/// pipe, a device) is written into; a link is followed; `-` is standard output.
enum OutputFile {
  static func write(_ text: String, to given: String) throws {
    if given == "-" { return Console.shared.raw(text.hasSuffix("\n") ? String(text.dropLast()) : text) }
    let path = target(of: given)
    var facts = stat()
    if stat(path, &facts) == 0, facts.st_mode & S_IFMT != S_IFREG { return try writeInto(path, text) }
    let beside = path + ".part"
    // What an ended process left there goes; a link that somebody put there is not followed.
    unlink(beside)
    let descriptor = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
    guard descriptor >= 0, let file = fdopen(descriptor, "w") else { throw failure(path) }
    let bytes = Array(text.utf8)
    let written = fwrite(bytes, 1, bytes.count, file)
    let synced = fflush(file) == 0 && fsync(fileno(file)) == 0
    fclose(file)
    guard written == bytes.count, synced, rename(beside, path) == 0 else { throw failure(path) }
  }

  /// Throws, before any work is done, where the file could not be written.
  static func check(_ given: String) throws {
    let path = target(of: given)
    let directory = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    var facts = stat()
    let isSpecial = given == "-" || (stat(path, &facts) == 0 && facts.st_mode & S_IFMT != S_IFREG)
    guard isSpecial || access(directory, W_OK) == 0 else { throw failure(given) }
  }

  private static func target(of path: String) -> String {
    if let found = InputFile.real(path) { return found }
    // A link to a file that is not there yet: the file is made where the link points to.
    var link = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(path, &link, link.count - 1)
    guard count > 0 else { return path }
    let goal = String(decoding: link.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard !goal.hasPrefix("/"), let slash = path.lastIndex(of: "/") else { return goal }
    return path[...slash] + goal
  }

  private static func writeInto(_ path: String, _ text: String) throws {
    let descriptor = open(path, O_WRONLY)
    guard descriptor >= 0 else { throw failure(path) }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { throw failure(path) }
      written += count
    }
  }

  private static func failure(_ path: String) -> ReplayError {
    ReplayError(
      errno == EACCES ? .permission : .cannotCreate, "cannot write \(path): \(String(cString: strerror(errno)))",
      next: "name another file, or make its directory")
  }
}
