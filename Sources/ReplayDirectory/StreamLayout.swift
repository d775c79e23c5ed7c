import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The layout `DIR/partition=<id>/<start>.jsonl`, as names.
enum StreamLayout {
  static let partitionPrefix = "partition="
  static let ending = ".jsonl"
  /// Positions are below it: there must be one behind the last line, and a file that begins there.
  static let positionsEnd: UInt64 = 1 << 63
  /// Digits of a start as we write it: all of 64 bits, so that names sort as numbers do.
  static let digits = 20

  static func join(_ directory: String, _ name: String) -> String {
    directory.hasSuffix("/") ? directory + name : directory + "/" + name
  }

  static func fileName(start: UInt64) -> String {
    let text = String(start)
    return String(repeating: "0", count: digits - text.count) + text + ending
  }

  /// The last component of the directory's path; asks the system where the path does not say it (`.`, `..`).
  static func log(of directory: String) -> String {
    if let last = directory.split(separator: "/").last, last != ".", last != ".." { return String(last) }
    guard let real = realpath(directory, nil) else { return "" }
    defer { free(real) }
    return String(cString: real).split(separator: "/").last.map(String.init) ?? ""
  }

  /// The start that a file's name says; nil for a file that is none of the stream's (hidden, or of another ending).
  ///
  /// Throws where it ends in `.jsonl` and says no start: it may hold events, and nobody knows which.
  static func start(_ name: String, in directory: String) throws -> UInt64? {
    guard !name.hasPrefix("."), name.hasSuffix(ending) else { return nil }
    let stem = name.utf8.dropLast(ending.utf8.count)
    let isDecimal = !stem.isEmpty && stem.allSatisfy { (48...57).contains($0) }
    guard isDecimal, let start = UInt64(String(stem) ?? ""), start < positionsEnd else {
      throw StreamFault.name(join(directory, name))
    }
    return start
  }
}

/// One file of a partition.
struct StreamFile: Equatable {
  /// The position of its first line.
  let start: UInt64
  let path: String
}

/// What there is in the directories now.
enum StreamListing {
  /// The partitions' ids; names that do not begin with `partition=` are somebody else's.
  static func ids(in directory: String) throws -> [String] {
    guard let names = try names(in: directory) else { throw StreamFault.absent(directory) }
    return try names.compactMap { name in
      guard name.hasPrefix(StreamLayout.partitionPrefix) else { return nil }
      let id = String(name.dropFirst(StreamLayout.partitionPrefix.count))
      if id.isEmpty { throw StreamFault.partition(StreamLayout.join(directory, name)) }
      return id
    }
  }

  /// The partition's files in order of their starts; none where its directory is gone.
  static func files(in directory: String) throws -> [StreamFile] {
    guard let names = try names(in: directory) else { return [] }
    var files: [StreamFile] = []
    for name in names {
      guard let start = try StreamLayout.start(name, in: directory) else { continue }
      files.append(StreamFile(start: start, path: StreamLayout.join(directory, name)))
    }
    files.sort { $0.start < $1.start }
    for (file, next) in zip(files, files.dropFirst()) where file.start == next.start {
      throw StreamFault.twins(file.path, next.path)
    }
    return files
  }

  /// All names but `.` and `..`, in no order; nil where there is no such directory.
  private static func names(in directory: String) throws -> [String]? {
    guard let stream = opendir(directory) else {
      if errno == ENOENT { return nil }
      throw StreamFault.failed("list", directory, errno)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        if errno != 0 { throw StreamFault.failed("list", directory, errno) }
        return names
      }
      guard let place = MemoryLayout<dirent>.offset(of: \.d_name) else { return names }
      let text = UnsafeRawPointer(entry).advanced(by: place).assumingMemoryBound(to: CChar.self)
      guard let name = String(validatingCString: text) else { throw StreamFault.encoding(directory) }
      if name != ".", name != ".." { names.append(name) }
    }
  }
}
