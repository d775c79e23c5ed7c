import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A small file that somebody names.
enum InputFile {
  /// All its bytes. Throws `.missing` or `.permission`, with `what` it should have been.
  static func read(_ path: String, what: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { throw failure(path, what) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      guard count >= 0 else { throw failure(path, what) }
      if count == 0 { return bytes }
      bytes += buffer[..<count]
    }
  }

  private static func failure(_ path: String, _ what: String) -> ReplayError {
    let why = String(cString: strerror(errno))
    return ReplayError(errno == EACCES ? .permission : .missing, "cannot read \(what): \(path)", details: [why])
  }

  /// The path without links; nil where there is nothing.
  static func real(_ path: String) -> String? {
    guard let found = realpath(path, nil) else { return nil }
    defer { free(found) }
    return String(cString: found)
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  static var workingDirectory: String {
    guard let path = getcwd(nil, 0) else { return "." }
    defer { free(path) }
    return String(cString: path)
  }

  /// The path from the root.
  static func absolute(_ path: String) -> String {
    path.hasPrefix("/") ? path : path.isEmpty ? path : workingDirectory + "/" + path
  }
}
