import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Where an archive's files are on this machine.
public enum ArchiveLocation: Hashable, Sendable {
  /// All regular files below it, however deep.
  case directory(String)
  case file(String)
  /// A path with `*`, `?`, `[…]` or `**`.
  case glob(String)
  /// Paths that somebody listed; relative ones are below `root`. Names stay as they were given.
  case list([String], root: String)

  /// Looks at the path: a directory or a file where there is one, a glob where it has a glob's characters.
  ///
  /// Throws `.missing` with the nearest name, `.permission`, and `.data` for anything that is no file or directory.
  public static func find(_ path: String) throws -> ArchiveLocation {
    switch try FileFacts.of(path, follow: true)?.kind {
    case .directory?: return .directory(path)
    case .regular?: return .file(path)
    case .other(let what)?: throw DirectoryFault.irregular(path, what)
    case .symlink?, nil: break
    }
    if Glob.isPattern(path) { return .glob(path) }
    throw DirectoryFault.absent(path)
  }

  /// What a person calls it.
  var text: String {
    switch self {
    case .directory(let path), .file(let path), .glob(let path): path
    case .list(let paths, _): counted(paths.count, "listed file")
    }
  }

  /// The directory that names begin below.
  var root: String {
    switch self {
    case .directory(let path): path
    case .file(let path): PathText.parent(path)
    case .glob(let pattern): Glob(pattern).root
    case .list(_, let root): root
    }
  }
}

/// Paths as text.
enum PathText {
  static func join(_ directory: String, _ name: String) -> String {
    if name.hasPrefix("/") || directory.isEmpty { return name }
    return directory.hasSuffix("/") ? directory + name : directory + "/" + name
  }

  static func parent(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  static func last(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }
}

/// What the system says of one path.
struct FileFacts {
  enum Kind: Equatable {
    case regular, directory, symlink
    case other(String)
  }

  let kind: Kind
  let size: UInt64
  /// Modification time in nanoseconds since 1970, as text: the mark of a version.
  let version: String
  let device: UInt64
  let inode: UInt64

  init(_ facts: stat) {
    kind =
      switch facts.st_mode & S_IFMT {
      case S_IFREG: .regular
      case S_IFDIR: .directory
      case S_IFLNK: .symlink
      case S_IFIFO: .other("a FIFO")
      case S_IFSOCK: .other("a socket")
      case S_IFCHR, S_IFBLK: .other("a device")
      default: .other("of an unknown kind")
      }
    size = UInt64(clamping: facts.st_size)
    #if canImport(Darwin)
      let time = facts.st_mtimespec
    #else
      let time = facts.st_mtim
    #endif
    version = String(Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
    device = UInt64(truncatingIfNeeded: facts.st_dev)
    inode = UInt64(facts.st_ino)
  }

  /// Nil where nothing has that path; other failures throw.
  static func of(_ path: String, follow: Bool) throws -> FileFacts? {
    var facts = stat()
    let result = follow ? stat(path, &facts) : lstat(path, &facts)
    if result == 0 { return FileFacts(facts) }
    if errno == ENOENT || errno == ENOTDIR { return nil }
    throw DirectoryFault.failed("look at", path, errno)
  }

  static func of(descriptor: Int32, path: String) throws -> FileFacts {
    var facts = stat()
    guard fstat(descriptor, &facts) == 0 else { throw DirectoryFault.failed("look at", path, errno) }
    return FileFacts(facts)
  }
}
