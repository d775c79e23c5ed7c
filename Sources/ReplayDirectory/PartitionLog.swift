import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// One partition as its appenders share it. Everything happens under the lock of `.lock` in its directory: between two
/// locks another process may have appended, or rotated.
final class PartitionLog {
  private let directory: String
  private let options: DirectoryAppender.Options
  private let lock: FileLock
  /// The newest file, as far as it was counted: whole lines, the position behind them, and the byte.
  private var newest: StreamDescriptor?
  private var end: UInt64 = 0
  private var size: UInt64 = 0

  init(_ directory: String, in parent: String, options: DirectoryAppender.Options) throws {
    self.directory = directory
    self.options = options
    try AppendedDirectory.make(directory)
    // Also where it was there: whoever made it may have been killed before its name was on the disk.
    if options.syncs { try AppendedDirectory.sync(parent) }
    lock = try FileLock(StreamLayout.join(directory, ".lock"))
  }

  /// The position that the next line gets.
  func next() throws -> UInt64 {
    try lock.locked {
      try find()
      return end
    }
  }

  /// Appends lines, each with its line feed, that end at `ends`; the position of the first one.
  func append(_ bytes: [UInt8], ends: [Int]) throws -> UInt64 {
    try lock.locked {
      try find()
      let first = end
      guard UInt64(ends.count) <= StreamLayout.positionsEnd, first <= StreamLayout.positionsEnd - UInt64(ends.count)
      else {
        throw AppendFault.full(directory, next: first)
      }
      do { try bytes.withUnsafeBytes { try write($0, ends) } } catch {
        // What is known of the file may be wrong now.
        newest = nil
        throw error
      }
      return first
    }
  }

  private func write(_ bytes: UnsafeRawBufferPointer, _ ends: [Int]) throws {
    var (line, begin) = (0, 0)
    while line < ends.count {
      if newest == nil || (size > 0 && size + UInt64(ends[line] - begin) > options.rotateBytes) { try rotate() }
      guard let file = newest else { return }
      var last = line
      while last + 1 < ends.count, size + UInt64(ends[last + 1] - begin) <= options.rotateBytes { last += 1 }
      let part = UnsafeRawBufferPointer(rebasing: bytes[begin..<ends[last]])
      do { try file.write(part, at: size) } catch {
        // No half line stays behind; where this fails too, the next appender cuts it.
        try? file.cut(to: size)
        throw error
      }
      size += UInt64(part.count)
      end += UInt64(last + 1 - line)
      (line, begin) = (last + 1, ends[last])
    }
    if options.syncs { try newest?.sync() }
  }

  /// Begins a file at `end`. The one before it is on the disk by then: a crash must not leave a hole between them.
  private func rotate() throws {
    if options.syncs { try newest?.sync() }
    let file = StreamFile(start: end, path: StreamLayout.join(directory, StreamLayout.fileName(start: end)))
    guard let opened = try StreamDescriptor.open(file, flags: O_RDWR | O_CREAT | O_EXCL) else {
      throw StreamFault.failed("create", file.path, ENOENT)
    }
    (newest, size) = (opened, 0)
    if options.syncs { try AppendedDirectory.sync(directory) }
  }

  /// Opens the newest file, counts what others appended, and cuts off what a crash left of a line.
  private func find() throws {
    guard let last = try StreamListing.files(in: directory).last else {
      // Where retention took even the newest file, the positions that this appender gave are not given again.
      (newest, size) = (nil, 0)
      return
    }
    if let newest, newest.file == last { try newest.checkName() } else { newest = nil }
    if newest == nil {
      guard let opened = try StreamDescriptor.open(last, flags: O_RDWR) else { throw StreamFault.replaced(last) }
      (newest, end, size) = (opened, last.start, 0)
      // Whoever made the file may have been killed before its name was on the disk.
      if options.syncs { try AppendedDirectory.sync(directory) }
    }
    guard let newest else { return }
    let found = try newest.size()
    if found < size { throw StreamFault.shrunk(newest.file, read: size, size: found) }
    let more = try newest.skip(lines: .max, from: size)
    end += more.lines
    size = more.byte
    if found > size { try newest.cut(to: size) }
  }
}

/// The lock that appenders share: `flock` on a file, which goes with the process that had it.
final class FileLock {
  private let path: String
  private let number: Int32

  init(_ path: String) throws {
    self.path = path
    number = retry { Systems.open(path, O_RDWR | O_CREAT | O_CLOEXEC) }
    guard number >= 0 else { throw StreamFault.failed("open", path, errno) }
  }

  deinit { close(number) }

  /// Waits for the lock and has it for so long.
  func locked<Result>(_ body: () throws -> Result) throws -> Result {
    guard retry({ flock(number, LOCK_EX) }) == 0 else { throw StreamFault.failed("lock", path, errno) }
    defer { flock(number, LOCK_UN) }
    return try body()
  }
}

/// Directories as an appender makes them: for the user and the group, less what the umask takes.
enum AppendedDirectory {
  static let mode: mode_t = 0o750
  static let fileMode: mode_t = 0o640

  /// Makes it where there is none.
  static func make(_ path: String) throws {
    if mkdir(path, mode) == 0 { return }
    let reason = errno
    var facts = stat()
    if reason == EEXIST, stat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR { return }
    throw StreamFault.failed("create", path, reason == EEXIST ? ENOTDIR : reason)
  }

  /// Returns once the disk has the names in the directory.
  static func sync(_ path: String) throws {
    let number = retry { Systems.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard number >= 0 else { throw StreamFault.failed("open", path, errno) }
    defer { close(number) }
    guard retry({ fsync(number) }) == 0 else { throw StreamFault.failed("sync", path, errno) }
  }
}
