import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A directory of its own below TMPDIR for databases that nobody keeps, removed with all that is in it.
final class ScratchStores {
  private let directory: String
  /// What to do without a database, for who finds no room.
  private let otherwise: String
  private var made = 0

  /// Throws `.cannotCreate` where there is no room for it. `name`: the verb's, which a directory that is left behind has.
  init(_ name: String, otherwise: String = "") throws {
    self.otherwise = otherwise
    let root = Console.variable("TMPDIR").flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    var template = Array("\(root)/replay-\(name)-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw ReplayError(
        errno == EACCES ? .permission : .cannotCreate,
        "cannot make a directory for a temporary database in \(root): \(String(cString: strerror(errno)))",
        next: "set TMPDIR to a directory on the disk that the store will be on" + otherwise)
    }
    directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for number in 0..<made { remove(path(number)) }
    rmdir(directory)
  }

  private func path(_ number: Int) -> String { "\(directory)/\(number).db" }

  /// The path of a database that is not there yet; it stays until it is removed, or all are.
  func path() -> String {
    defer { made += 1 }
    return path(made)
  }

  /// Removes a database that nobody has open.
  func remove(_ path: String) { for end in ["", "-wal", "-shm", "-journal"] { unlink(path + end) } }

  /// Copies a database that was closed.
  func copy(_ path: String, to other: String) throws {
    try explaining {
      let (from, to) = (open(path, O_RDONLY), open(other, O_WRONLY | O_CREAT | O_EXCL, 0o600))
      defer { for descriptor in [from, to] where descriptor >= 0 { close(descriptor) } }
      var buffer = [UInt8](repeating: 0, count: 1 << 20)
      while from >= 0, to >= 0 {
        let count = read(from, &buffer, buffer.count)
        if count == 0 { return }
        if count < 0 || write(to, buffer, count) != count { break }
      }
      throw ReplayError(
        .cannotCreate, "cannot copy a temporary database in \(directory): \(String(cString: strerror(errno)))",
        effect: "nothing is kept")
    }
  }

  /// Lends the path of a database that is not there yet, and removes what was made there.
  func lend<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = path()
    defer { remove(path) }
    return try explaining { try body(path) }
  }

  /// Says what to do where there is no room for these databases.
  func explaining<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch var error as ReplayError {
      if error.description.contains(directory), error.code == .cannotCreate || error.code == .unavailable {
        error.next = "set TMPDIR to a disk with room" + otherwise
      }
      throw error
    }
  }
}
