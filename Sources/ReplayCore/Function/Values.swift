/// An exact decimal number: `unscaled ÷ 10^scale`. Never a binary float, whose sums depend on their order.
@frozen public struct FixedDecimal: Hashable, Sendable {
  public var unscaled: Int128
  public var scale: Int

  @inlinable public init(unscaled: Int128, scale: Int) {
    self.unscaled = unscaled
    self.scale = scale
  }

  /// Exact; throws `OverflowError` beyond 127 bits. The result has the larger scale of the two.
  @inlinable public static func + (a: FixedDecimal, b: FixedDecimal) throws -> FixedDecimal {
    let scale = max(a.scale, b.scale)
    let (sum, overflow) = try a.unscaled(by: scale).addingReportingOverflow(b.unscaled(by: scale))
    if overflow { throw OverflowError() }
    return FixedDecimal(unscaled: sum, scale: scale)
  }

  /// Exact; throws `OverflowError` beyond 127 bits. The result has the larger scale of the two.
  @inlinable public static func - (a: FixedDecimal, b: FixedDecimal) throws -> FixedDecimal {
    let scale = max(a.scale, b.scale)
    let (difference, overflow) = try a.unscaled(by: scale).subtractingReportingOverflow(b.unscaled(by: scale))
    if overflow { throw OverflowError() }
    return FixedDecimal(unscaled: difference, scale: scale)
  }

  @inlinable func unscaled(by scale: Int) throws -> Int128 {
    var value = unscaled
    for _ in self.scale..<scale {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      if overflow { throw OverflowError() }
      value = product
    }
    return value
  }

  /// Exact; throws `OverflowError` beyond 127 bits.
  @inlinable public static func * (a: FixedDecimal, b: Int64) throws -> FixedDecimal {
    let (product, overflow) = a.unscaled.multipliedReportingOverflow(by: Int128(b))
    if overflow { throw OverflowError() }
    return FixedDecimal(unscaled: product, scale: a.scale)
  }
}

/// A number left the 127 bits that sums and products have.
public struct OverflowError: Error, CustomStringConvertible {
  @inlinable public init() {}
  public var description: String { "a number left the 127 bits that sums and products have" }
}

/// A moment in UTC: microseconds since 1970-01-01T00:00:00Z.
@frozen public struct Timestamp: Hashable, Comparable, Sendable {
  public var microseconds: Int64
  @inlinable public init(microseconds: Int64) { self.microseconds = microseconds }
  @inlinable public static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }

  /// The UTC day that the moment is in.
  @inlinable public var day: Day {
    let perDay: Int64 = 86_400_000_000
    let days = microseconds / perDay
    return Day(number: microseconds % perDay < 0 ? days - 1 : days)
  }
}

/// A UTC day: days since 1970-01-01.
@frozen public struct Day: Hashable, Comparable, Sendable {
  public var number: Int64
  @inlinable public init(number: Int64) { self.number = number }
  @inlinable public static func < (a: Day, b: Day) -> Bool { a.number < b.number }
}

extension Day: CustomStringConvertible {
  /// `2026-01-31`
  public var description: String {
    let (year, month, day) = civil
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
  }

  /// Year, month (1…12) and day of the month, by Howard Hinnant's `civil_from_days`.
  @inlinable public var civil: (year: Int64, month: Int64, day: Int64) {
    let shifted = number + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }

  /// The day of a civil date, by Howard Hinnant's `days_from_civil`; the month is 1…12.
  @inlinable @inline(__always) public init(year: Int64, month: Int64, day: Int64) {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    self.init(number: era * 146_097 + dayOfEra - 719_468)
  }
}

extension Timestamp: CustomStringConvertible {
  /// `2026-01-31T08:12:33.123Z`: milliseconds always, microseconds where there are any.
  public var description: String {
    let inDay = microseconds - day.number * 86_400_000_000
    let seconds = inDay / 1_000_000
    let fraction = inDay % 1_000_000
    let digits = fraction % 1000 == 0 ? padded(fraction / 1000, 3) : padded(fraction, 6)
    let clock = "\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
    return "\(day)T\(clock).\(digits)Z"
  }
}

func padded(_ number: Int64, _ width: Int) -> String {
  let digits = String(number.magnitude)
  let zeros = String(repeating: "0", count: max(0, width - digits.count))
  return (number < 0 ? "-" : "") + zeros + digits
}
