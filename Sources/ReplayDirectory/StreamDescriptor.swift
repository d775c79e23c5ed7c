import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// An open file of a stream.
final class StreamDescriptor {
  let file: StreamFile
  let number: Int32
  private let device: UInt64
  let inode: UInt64

  /// Nil where nothing has the path any more: retention may have been there between the listing and this.
  static func open(_ file: StreamFile, flags: Int32 = O_RDONLY) throws -> StreamDescriptor? {
    // Non-blocking, so that a FIFO in a file's place cannot hang the run.
    let number = retry { Systems.open(file.path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) }
    guard number >= 0 else {
      if errno == ENOENT { return nil }
      throw StreamFault.failed("open", file.path, errno)
    }
    var facts = stat()
    guard fstat(number, &facts) == 0 else {
      let reason = errno
      close(number)
      throw StreamFault.failed("look at", file.path, reason)
    }
    guard facts.st_mode & S_IFMT == S_IFREG else {
      close(number)
      throw StreamFault.irregular(file.path)
    }
    return StreamDescriptor(file, number, facts)
  }

  private init(_ file: StreamFile, _ number: Int32, _ facts: stat) {
    self.file = file
    self.number = number
    device = UInt64(truncatingIfNeeded: facts.st_dev)
    inode = UInt64(facts.st_ino)
  }

  deinit { close(number) }

  func size() throws -> UInt64 {
    var facts = stat()
    guard fstat(number, &facts) == 0 else { throw StreamFault.failed("look at", file.path, errno) }
    return UInt64(clamping: facts.st_size)
  }

  /// When it was written to last, in milliseconds since 1970.
  func writtenMilliseconds() throws -> Int64 {
    var facts = stat()
    guard fstat(number, &facts) == 0 else { throw StreamFault.failed("look at", file.path, errno) }
    #if canImport(Darwin)
      let time = facts.st_mtimespec
    #else
      let time = facts.st_mtim
    #endif
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }

  /// Throws where the file's name is another file's now; a name that is gone is no change of this file.
  func checkName() throws {
    var facts = stat()
    guard stat(file.path, &facts) == 0 else {
      if errno == ENOENT { return }
      throw StreamFault.failed("look at", file.path, errno)
    }
    guard UInt64(truncatingIfNeeded: facts.st_dev) == device, UInt64(facts.st_ino) == inode else {
      throw StreamFault.replaced(file)
    }
  }

  /// Writes all of it from this byte on.
  func write(_ bytes: UnsafeRawBufferPointer, at byte: UInt64) throws {
    var count = 0
    while count < bytes.count {
      guard let base = bytes.baseAddress else { return }
      let more = retry { pwrite(number, base + count, bytes.count - count, off_t(byte) + off_t(count)) }
      guard more > 0 else { throw StreamFault.failed("append to", file.path, more == 0 ? EIO : errno) }
      count += more
    }
  }

  func cut(to bytes: UInt64) throws {
    guard retry({ ftruncate(number, off_t(bytes)) }) == 0 else { throw StreamFault.failed("cut", file.path, errno) }
  }

  /// Returns once the disk has it.
  func sync() throws {
    guard retry({ fsync(number) }) == 0 else { throw StreamFault.failed("sync", file.path, errno) }
  }

  /// Fills the room from this byte on as far as the file goes; how many bytes came.
  func read(into room: UnsafeMutableRawBufferPointer, at byte: UInt64) throws -> Int {
    var count = 0
    while count < room.count {
      guard let base = room.baseAddress else { break }
      let more = retry { pread(number, base + count, room.count - count, off_t(byte) + off_t(count)) }
      guard more >= 0 else { throw StreamFault.failed("read", file.path, errno) }
      if more == 0 { break }
      count += more
    }
    return count
  }

  /// Passes over whole lines from this byte on, at most so many: how many there were and the byte behind the last one.
  func skip(lines wanted: UInt64, from byte: UInt64 = 0) throws -> (lines: UInt64, byte: UInt64) {
    var (lines, behind, at): (UInt64, UInt64, UInt64) = (0, byte, byte)
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { room.deallocate() }
    while lines < wanted {
      let count = try read(into: room, at: at)
      if count == 0 { break }
      let part = UnsafeRawBufferPointer(rebasing: room[..<count])
      var place = 0
      while lines < wanted, let end = part.lineEnd(from: place) {
        lines += 1
        place = end + 1
        behind = at + UInt64(place)
      }
      at += UInt64(count)
    }
    return (lines, behind)
  }
}

extension UnsafeRawBufferPointer {
  /// Where the next line feed is.
  func lineEnd(from place: Int) -> Int? {
    guard let base = baseAddress, place < count else { return nil }
    guard let found = memchr(base + place, 10, count - place) else { return nil }
    return UnsafeRawPointer(found) - base
  }

  /// True where there is nothing but spaces, tabs and carriage returns.
  var isBlank: Bool { allSatisfy { $0 == 32 || $0 == 9 || $0 == 13 } }
}

/// System calls whose names a type's own method hides.
enum Systems {
  static func open(_ path: String, _ flags: Int32, _ mode: mode_t = AppendedDirectory.fileMode) -> Int32 {
    #if canImport(Glibc)
      Glibc.open(path, flags, mode)
    #elseif canImport(Musl)
      Musl.open(path, flags, mode)
    #else
      Darwin.open(path, flags, mode)
    #endif
  }
}

/// Calls until no signal came between.
func retry<Result: SignedInteger>(_ call: () -> Result) -> Result {
  while true {
    let result = call()
    if result >= 0 || errno != EINTR { return result }
  }
}
