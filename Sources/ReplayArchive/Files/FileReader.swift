import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Reads one file with large reads into its own buffer, and holds it to what was listed: before the first byte, and
/// before the last ones are handed out.
final class FileReader: SegmentReader {
  /// Bytes of one read.
  static let blockBytes = 1 << 20
  /// Bytes that the system is asked to have ready beyond the current block.
  static let readAheadBytes = 4 << 20

  private let path: String
  private let entry: SegmentEntry
  private let descriptor: Int32
  private let buffer: UnsafeMutableRawBufferPointer
  private var byteOffset: UInt64 = 0

  init(path: String, entry: SegmentEntry, followLinks: Bool) throws {
    self.path = path
    self.entry = entry
    // Non-blocking, so that a FIFO put in the file's place cannot hang the run.
    let flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (followLinks ? 0 : O_NOFOLLOW)
    let descriptor = FileReader.retry { open(path, flags) }
    guard descriptor >= 0 else { throw DirectoryFault.failed("open", path, errno) }
    self.descriptor = descriptor
    let capacity = max(1, min(FileReader.blockBytes, Int(clamping: entry.size)))
    buffer = .allocate(byteCount: capacity, alignment: 64)
    try check()
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
  }

  deinit {
    buffer.deallocate()
    close(descriptor)
  }

  func next() throws -> UnsafeRawBufferPointer {
    let left = entry.size - byteOffset
    guard left > 0 else {
      try check()
      return UnsafeRawBufferPointer(start: nil, count: 0)
    }
    let wanted = Int(min(left, UInt64(buffer.count)))
    let count = FileReader.retry { pread(descriptor, buffer.baseAddress, wanted, off_t(byteOffset)) }
    guard count >= 0 else { throw DirectoryFault.failed("read", path, errno) }
    byteOffset += UInt64(count)
    if count == 0 || byteOffset == entry.size { try check() }
    // The file is as long as listed and yet gave no bytes: a file system that lies is no end of file.
    guard count > 0 else { throw DirectoryFault.failed("read", path, EIO) }
    if byteOffset < entry.size {
      posix_fadvise(descriptor, off_t(byteOffset), off_t(FileReader.readAheadBytes), POSIX_FADV_WILLNEED)
    }
    return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])
  }

  /// Throws `.data` where the open file is not what was listed.
  private func check() throws {
    let facts = try FileFacts.of(descriptor: descriptor, path: path)
    if case .other(let what) = facts.kind { throw DirectoryFault.irregular(path, what) }
    guard facts.kind == .regular, facts.size == entry.size, facts.version == entry.version else {
      throw DirectoryFault.changed(path, entry, facts)
    }
  }

  private static func retry<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
      let result = call()
      if result >= 0 || errno != EINTR { return result }
    }
  }
}
