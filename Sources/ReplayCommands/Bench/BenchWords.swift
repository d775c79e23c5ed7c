/// A benchmark's numbers as a person reads them.
enum BenchWords {
  static func rate(_ perSecond: Double) -> String { Words.rate(UInt64(max(0, perSecond)), milliseconds: 1000) }

  /// `24,731,006x`; below ten with a digit behind the point.
  static func times(_ value: Double) -> String {
    (value < 10 ? Words.fixed(value, 1) : Words.count(Int64(min(value, 9e18)))) + "x"
  }

  /// `1,095 days`, `3h20m`, `2.50 s`.
  static func span(_ seconds: Double) -> String {
    let days = Int64(seconds / 86_400)
    return days >= 2 ? Words.plural(days, "day") : Words.seconds(Int64(seconds * 1000))
  }

  /// Megabytes (10⁶) a second.
  static func megabytes(_ perSecond: Double) -> String {
    Words.fixed(perSecond / 1e6, perSecond < 1e7 ? 2 : 0)
  }
}
