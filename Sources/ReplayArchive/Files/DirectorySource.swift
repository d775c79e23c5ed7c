import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// An archive of files on this machine.
///
/// A directory and a glob pass over hidden files, other tools' marks, checksums, unfinished files and symbolic
/// links; a path that somebody wrote out is taken as it is, links too.
public struct DirectorySource: SegmentSource {
  public let location: ArchiveLocation
  public let followSymlinks: Bool

  public init(_ location: ArchiveLocation, followSymlinks: Bool = false) {
    self.location = location
    self.followSymlinks = followSymlinks
  }

  public var name: String { location.text }

  public func list() throws -> [SegmentEntry] { try scan().entries }

  /// The complete listing with what was passed over. Throws `.missing`, `.permission`, and `.data` for a FIFO, a
  /// device, a socket, a name that is not UTF-8, or a link that leads back.
  ///
  /// Two names that differ only in Unicode's normal form are refused: Swift, and some file systems, hold them for one.
  /// So are two names of one file, where links are followed or names are listed.
  public func scan() throws -> DirectoryListing {
    let listing = try looked()
    var names: [String: String] = [:]
    for entry in listing.entries {
      if let other = names.updateValue(entry.name, forKey: entry.name) { throw DirectoryFault.twins(other, entry.name) }
    }
    if followsLinks, listing.entries.count > 1 { try checkFiles(listing.entries) }
    return listing
  }

  /// Throws where one file is in the archive by two names.
  private func checkFiles(_ entries: [SegmentEntry]) throws {
    var files: [[UInt64]: String] = [:]
    for entry in entries {
      guard let facts = try FileFacts.of(PathText.join(location.root, entry.name), follow: true) else { continue }
      if let other = files.updateValue(entry.name, forKey: [facts.device, facts.inode]) {
        throw DirectoryFault.doubled(entry.name, as: other)
      }
    }
  }

  private func looked() throws -> DirectoryListing {
    switch location {
    case .directory:
      return try walk { _ in true }
    case .glob(let pattern):
      let glob = Glob(pattern)
      let listing = try walk(glob.matches)
      if listing.entries.isEmpty { throw nothing(pattern) }
      return listing
    case .file(let path):
      return DirectoryListing(entries: [try entry(PathText.last(path))])
    case .list(let paths, _):
      var seen: Set<String> = []
      for path in paths where !seen.insert(path).inserted { throw DirectoryFault.doubled(path) }
      return DirectoryListing(entries: try paths.map(entry))
    }
  }

  private func walk(_ wanted: (String) -> Bool) throws -> DirectoryListing {
    var walk = DirectoryWalk(root: location.root, followSymlinks: followSymlinks)
    try walk.run(wanted)
    return walk.listing
  }

  private func entry(_ name: String) throws -> SegmentEntry {
    let path = PathText.join(location.root, name)
    guard let facts = try FileFacts.of(path, follow: true) else { throw DirectoryFault.absent(path) }
    switch facts.kind {
    case .regular: return SegmentEntry(name: name, size: facts.size, version: facts.version)
    case .directory: throw DirectoryFault.irregular(path, "a directory")
    case .symlink: throw DirectoryFault.absent(path)
    case .other(let what): throw DirectoryFault.irregular(path, what)
    }
  }

  private func nothing(_ pattern: String) -> ReplayError {
    ReplayError(
      .missing, "no file fits the pattern \(shown(pattern))",
      details: [
        "looked at everything below \(shown(location.root))", "* and ? stay within one directory, ** crosses them",
      ],
      next: "put the pattern in quotes, so that the shell leaves it alone, and check it")
  }

  /// Throws `.missing`, `.permission`, and `.data` where size or modification time is not what was listed.
  public func open(_ entry: SegmentEntry) throws -> any SegmentReader {
    try FileReader(path: PathText.join(location.root, entry.name), entry: entry, followLinks: followsLinks)
  }

  private var followsLinks: Bool {
    switch location {
    case .directory, .glob: followSymlinks
    case .file, .list: true
    }
  }
}
