import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Lines of standard input as they become ready. A last one without a line feed counts.
struct LineInput: ~Copyable {
  private static let longestLine = 128 << 20
  private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
  private var begin = 0
  private var end = 0
  private var isAtEnd = false
  /// How many were taken.
  private var lines: UInt64 = 0

  deinit { buffer.deallocate() }

  /// Waits for more bytes; false where there will be none and all lines were taken.
  mutating func more() throws -> Bool {
    if isAtEnd { return false }
    UnsafeMutableRawBufferPointer(rebasing: buffer[..<(end - begin)]).copyMemory(
      from: UnsafeRawBufferPointer(rebasing: buffer[begin..<end]))
    (begin, end) = (0, end - begin)
    if end == buffer.count { try grow() }
    while true {
      guard let base = buffer.baseAddress else { return false }
      let count = read(0, base + end, buffer.count - end)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else {
        throw ReplayError(
          .unavailable, "cannot read standard input", details: [String(cString: strerror(errno))],
          next: "append from the first line without a receipt on")
      }
      end += count
      isAtEnd = count == 0
      return !isAtEnd || end > 0
    }
  }

  /// True where `more` would not wait.
  var isReady: Bool {
    var question = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
    return isAtEnd || poll(&question, 1, 0) > 0
  }

  /// The next whole line without its line feed, valid until the next call of `more`.
  mutating func next() -> UnsafeRawBufferPointer? {
    guard begin < end, let base = buffer.baseAddress else { return nil }
    let found = memchr(base + begin, 10, end - begin).map { UnsafeRawPointer($0) - UnsafeRawPointer(base) }
    guard let stop = found ?? (isAtEnd ? end : nil) else { return nil }
    defer { begin = min(end, stop + 1) }
    lines += 1
    return UnsafeRawBufferPointer(rebasing: buffer[begin..<stop])
  }

  private mutating func grow() throws {
    if buffer.count >= LineInput.longestLine {
      throw ReplayError(
        .data, "line \(lines + 1) of standard input is too long",
        details: ["expected: at most \(LineInput.longestLine) bytes"],
        next: "write each event on one line of its own, and append from this line on")
    }
    let wider = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * buffer.count, alignment: 64)
    wider.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<end]))
    buffer.deallocate()
    buffer = wider
  }
}
