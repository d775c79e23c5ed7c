import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Why a file is no part of the archive.
public enum IgnoredReason: String, Sendable, Hashable, CaseIterable {
  /// Its name, or a directory's, begins with a dot.
  case hidden
  /// `_SUCCESS` and its like: another tool's mark, no data.
  case marker
  /// `*.crc`, `*.md5`, `*.sha1`, `*.sha256`.
  case checksum
  /// `*.tmp` and its like: not finished.
  case temporary
  case symlink

  /// Nil for a file or directory that counts.
  static func of(_ name: String) -> IgnoredReason? {
    if name.hasPrefix(".") { return .hidden }
    let markers = ["_SUCCESS", "_temporary", "_metadata", "_common_metadata"]
    if markers.contains(name) || name.hasPrefix("_started_") || name.hasPrefix("_committed_") { return .marker }
    if [".crc", ".md5", ".sha1", ".sha256"].contains(where: name.hasSuffix) { return .checksum }
    let unfinished = [".tmp", ".temp", ".partial", ".inprogress", "._COPYING_", ".crdownload", ".swp", "~"]
    return unfinished.contains(where: name.hasSuffix) ? .temporary : nil
  }
}

/// A complete listing: what is in the archive, and how many files or directories were passed over, by reason.
public struct DirectoryListing: Sendable {
  public var entries: [SegmentEntry] = []
  public var ignored: [IgnoredReason: Int] = [:]
}

/// The names in one directory.
enum DirectoryNames {
  /// All of them but `.` and `..`, in no order; an error anywhere is an error of the whole.
  static func read(_ path: String) throws -> [String] {
    guard let stream = opendir(path) else { throw DirectoryFault.failed("list", path, errno) }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        if errno != 0 { throw DirectoryFault.failed("list", path, errno) }
        return names
      }
      let place = MemoryLayout<dirent>.offset(of: \.d_name).unsafelyUnwrapped
      let text = UnsafeRawPointer(entry).advanced(by: place).assumingMemoryBound(to: CChar.self)
      guard let name = String(validatingCString: text) else { throw DirectoryFault.name(path) }
      if name != ".", name != ".." { names.append(name) }
    }
  }
}

/// Walks a directory to its last leaf.
struct DirectoryWalk {
  let root: String
  let followSymlinks: Bool
  var listing = DirectoryListing()

  private struct Folder {
    let name: String
    /// Device and inode of every directory above, to find a link that leads back.
    let above: Set<[UInt64]>
  }

  init(root: String, followSymlinks: Bool) {
    self.root = root
    self.followSymlinks = followSymlinks
  }

  mutating func run(_ wanted: (String) -> Bool) throws {
    guard let facts = try FileFacts.of(root, follow: true), facts.kind == .directory else {
      throw DirectoryFault.absent(root)
    }
    var folders = [Folder(name: "", above: [[facts.device, facts.inode]])]
    while let folder = folders.popLast() {
      for name in try DirectoryNames.read(PathText.join(root, folder.name)) {
        try visit(name, in: folder, &folders, wanted)
      }
    }
  }

  private mutating func visit(
    _ name: String, in folder: Folder, _ folders: inout [Folder], _ wanted: (String) -> Bool
  ) throws {
    let inner = folder.name.isEmpty ? name : folder.name + "/" + name
    if let reason = IgnoredReason.of(name) {
      listing.ignored[reason, default: 0] += 1
      return
    }
    let path = PathText.join(root, inner)
    guard var facts = try FileFacts.of(path, follow: false) else { throw DirectoryFault.vanished(path) }
    if facts.kind == .symlink {
      guard followSymlinks else {
        listing.ignored[.symlink, default: 0] += 1
        return
      }
      guard let target = try FileFacts.of(path, follow: true) else { throw DirectoryFault.vanished(path) }
      facts = target
    }
    switch facts.kind {
    case .directory:
      let own = [facts.device, facts.inode]
      if folder.above.contains(own) { throw DirectoryFault.loop(path) }
      folders.append(Folder(name: inner, above: followSymlinks ? folder.above.union([own]) : []))
    case .regular:
      if wanted(inner) { listing.entries.append(SegmentEntry(name: inner, size: facts.size, version: facts.version)) }
    case .other(let what):
      if wanted(inner) { throw DirectoryFault.irregular(path, what) }
    case .symlink: throw DirectoryFault.vanished(path)
    }
  }
}
