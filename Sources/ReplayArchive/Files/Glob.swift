/// A path pattern: `*` and `?` within one component, `[a-z]` and `[!a-z]`, `**` for any number of directories. A
/// backslash makes the next character plain.
struct Glob: Hashable, Sendable {
  /// The directory that holds everything the pattern could match.
  let root: String
  /// The components below `root`.
  private let components: [[UInt8]]

  static func isPattern(_ path: String) -> Bool { path.contains { "*?[".contains($0) } }

  init(_ pattern: String) {
    var parts = pattern.split(separator: "/").map(String.init)
    var fixed: [String] = []
    while parts.count > 1, !Glob.isPattern(parts[0]), !parts[0].contains("\\") { fixed.append(parts.removeFirst()) }
    let joined = fixed.joined(separator: "/")
    root = pattern.hasPrefix("/") ? "/" + joined : (joined.isEmpty ? "." : joined)
    components = parts.map { Array($0.utf8) }
  }

  /// True where the pattern fits a name below `root`.
  func matches(_ name: String) -> Bool {
    Glob.fits(components[...], name.split(separator: "/").map { Array($0.utf8) }[...])
  }

  private static func fits(_ pattern: ArraySlice<[UInt8]>, _ path: ArraySlice<[UInt8]>) -> Bool {
    guard let first = pattern.first else { return path.isEmpty }
    if first == Array("**".utf8) {
      return fits(pattern.dropFirst(), path) || (!path.isEmpty && fits(pattern, path.dropFirst()))
    }
    guard let component = path.first, fits(first, component) else { return false }
    return fits(pattern.dropFirst(), path.dropFirst())
  }

  /// One component, in time proportional to the product of the lengths: only the last star is tried again.
  private static func fits(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
    var (p, t) = (0, 0)
    var star: (pattern: Int, text: Int)?
    while t < text.count {
      if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
        star = (p + 1, t)
        p += 1
      } else if let next = step(pattern, p, text, t) {
        (p, t) = next
      } else if let last = star {
        star = (last.pattern, last.text + 1)
        (p, t) = (last.pattern, last.text + 1)
      } else {
        return false
      }
    }
    return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
  }

  /// Past one character and the piece of the pattern that takes it; nil where it does not.
  private static func step(_ pattern: [UInt8], _ p: Int, _ text: [UInt8], _ t: Int) -> (Int, Int)? {
    guard p < pattern.count else { return nil }
    switch pattern[p] {
    case UInt8(ascii: "?"):
      var end = t + 1
      while end < text.count, text[end] & 0xc0 == 0x80 { end += 1 }
      return (p + 1, end)
    case UInt8(ascii: "["): return set(pattern, p, text[t]).map { ($0, t + 1) }
    case UInt8(ascii: "\\") where p + 1 < pattern.count: return pattern[p + 1] == text[t] ? (p + 2, t + 1) : nil
    default: return pattern[p] == text[t] ? (p + 1, t + 1) : nil
    }
  }

  /// The place after a set that holds the byte; nil where it does not. A `[` that is not closed is plain.
  private static func set(_ pattern: [UInt8], _ open: Int, _ byte: UInt8) -> Int? {
    var index = open + 1
    let negated = index < pattern.count && (pattern[index] == UInt8(ascii: "!") || pattern[index] == UInt8(ascii: "^"))
    if negated { index += 1 }
    let first = index
    var found = false
    while index < pattern.count, pattern[index] != UInt8(ascii: "]") || index == first {
      let low = pattern[index]
      var high = low
      if index + 2 < pattern.count, pattern[index + 1] == UInt8(ascii: "-"), pattern[index + 2] != UInt8(ascii: "]") {
        high = pattern[index + 2]
        index += 2
      }
      if low <= byte, byte <= high { found = true }
      index += 1
    }
    guard index < pattern.count else { return byte == UInt8(ascii: "[") ? open + 1 : nil }
    return found != negated ? index + 1 : nil
  }
}
