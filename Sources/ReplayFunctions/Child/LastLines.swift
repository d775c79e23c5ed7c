import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The last lines that a child wrote to a pipe that nobody else reads: read so that the child is never held up, and kept to
/// say why it ended.
struct LastLines {
  private static let limit = 20
  private(set) var lines: [String] = []
  private var rest: [UInt8] = []
  private static let maxLineBytes = 4096

  /// Takes in what is there. Never waits.
  mutating func drain(_ descriptor: Int32) {
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let got = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      guard got > 0 else { return }
      for byte in buffer[..<got] {
        if byte == 0x0a { end() } else if rest.count < LastLines.maxLineBytes { rest.append(byte) }
      }
    }
  }

  private mutating func end() {
    let line = rest.withUnsafeBytes { ReplayError.excerpt(Text($0), limit: 300) }
    rest.removeAll(keepingCapacity: true)
    if line.isEmpty { return }
    lines.append(line)
    if lines.count > LastLines.limit { lines.removeFirst() }
  }

  /// What the child said last, one line each.
  mutating func take() -> [String] {
    if !rest.isEmpty { end() }
    defer { lines = [] }
    return lines
  }
}
