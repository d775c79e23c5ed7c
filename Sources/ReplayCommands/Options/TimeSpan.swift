import ArgumentParser

/// A span of time as people write it: `500ms`, `5s`, `2m`, `1h`. A whole number with its unit, at most a day.
struct TimeSpan: Hashable, Sendable, ExpressibleByArgument, CustomStringConvertible {
  let milliseconds: Int64
  let description: String

  static let form = "a whole number with its unit, as 500ms, 5s, 2m, 1h or 3d, of at most 1000d"
  private static let units: [(name: String, milliseconds: Int64)] = [
    ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
  ]

  init(seconds: Int64) {
    milliseconds = seconds * 1_000
    description = "\(seconds)s"
  }

  /// Nil where the text is anything else.
  init?(argument text: String) {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let unit = TimeSpan.units.first(where: { $0.name == text.dropFirst(digits.count) }),
      let count = Int64(digits), count <= 86_400_000_000 / unit.milliseconds
    else { return nil }
    milliseconds = count * unit.milliseconds
    description = text
  }
}
