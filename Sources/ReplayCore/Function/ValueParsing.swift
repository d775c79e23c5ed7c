/// Exact readings of raw JSON text. Each answers nil where the text is not such a value; nothing is rounded.
public enum ValueParsing {
  /// A whole JSON number that fits 64 bits, however it is written: `12`, `12.0`, `1.2e1`.
  @inlinable public static func integer(_ text: Text) -> Int64? {
    var offset = 0
    let negative = text.count > 0 && text[0] == UInt8(ascii: "-")
    if negative { offset = 1 }
    guard text.count > offset, text.count - offset <= 19 else { return exactInteger(text) }
    if text[offset] == UInt8(ascii: "0") && text.count > offset + 1 && text[offset + 1] &- 48 >= 10 {
      return exactInteger(text)
    }
    if text[offset] == UInt8(ascii: "0") && text.count > offset + 1 { return nil }
    var magnitude: UInt64 = 0
    while offset < text.count {
      let digit = text[offset] &- 48
      guard digit < 10 else { return exactInteger(text) }
      magnitude = magnitude &* 10 &+ UInt64(digit)
      offset += 1
    }
    if negative { return magnitude <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil }
    return magnitude < 1 << 63 ? Int64(magnitude) : nil
  }

  /// A JSON number as a decimal of `scale` digits; nil where it has more digits behind the point than `scale` (zeros
  /// at the end do not count), or overflows 127 bits.
  @inlinable public static func decimal(_ text: Text, scale: Int) -> FixedDecimal? {
    var offset = 0
    let negative = text.count > 0 && text[0] == UInt8(ascii: "-")
    if negative { offset = 1 }
    let firstDigit = offset
    var value: Int128 = 0
    var fraction = -1
    while offset < text.count {
      let byte = text[offset]
      offset += 1
      if byte == UInt8(ascii: ".") {
        guard fraction < 0, offset > firstDigit + 1, offset < text.count else { return nil }
        fraction = 0
        continue
      }
      let digit = byte &- 48
      guard digit < 10 else { return exactDecimal(text, scale: scale) }
      if fraction >= scale {
        guard digit == 0 else { return exactDecimal(text, scale: scale) }
        continue
      }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      guard !overflow, product < Int128.max - 9 else { return exactDecimal(text, scale: scale) }
      value = product + Int128(digit)
      if fraction >= 0 { fraction += 1 }
    }
    guard offset > firstDigit else { return nil }
    if text[firstDigit] == 48, text.count > firstDigit + 1, text[firstDigit + 1] != UInt8(ascii: ".") { return nil }
    for _ in max(fraction, 0)..<max(scale, max(fraction, 0)) {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      guard !overflow else { return nil }
      value = product
    }
    return FixedDecimal(unscaled: negative ? -value : value, scale: scale)
  }

  /// An RFC 3339 date and time (`2026-01-31T08:12:33.123Z`, `…+02:00`), to the microsecond; nil where there are more
  /// digits than that which are not zero, or no such moment.
  @inlinable public static func timestamp(_ text: Text) -> Timestamp? {
    if let common = commonTimestamp(text) { return common }
    guard text.count >= 20, let day = day(text) else { return nil }
    let separator = text[10]
    guard separator == UInt8(ascii: "T") || separator == UInt8(ascii: "t") || separator == UInt8(ascii: " "),
      text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
      let hour = digits(text, 11, 2), let minute = digits(text, 14, 2), let second = digits(text, 17, 2),
      hour < 24, minute < 60, second < 61
    else { return nil }
    var offset = 19
    var micros: Int64 = 0
    if text[19] == UInt8(ascii: ".") {
      offset = 20
      var unit: Int64 = 100_000
      while offset < text.count, text[offset] &- 48 < 10 {
        let digit = Int64(text[offset] &- 48)
        if unit == 0 && digit != 0 { return nil }
        micros += digit * unit
        unit /= 10
        offset += 1
      }
      guard offset > 20, offset < text.count else { return nil }
    }
    var minutesEast: Int64 = 0
    if text[offset] == UInt8(ascii: "Z") || text[offset] == UInt8(ascii: "z") {
      guard offset + 1 == text.count else { return nil }
    } else {
      guard let east = zone(text, at: offset) else { return nil }
      minutesEast = east
    }
    let seconds = day.number * 86_400 + hour * 3600 + (minute - minutesEast) * 60 + second
    // In UTC too the year must have four digits: nothing else can be written down.
    guard seconds >= -62_167_219_200, seconds < 253_402_300_800 else { return nil }
    return Timestamp(microseconds: seconds * 1_000_000 + micros)
  }

  /// A whole number of units since 1970; nil where it is none, or no moment of the years 0000 to 9999.
  @inlinable public static func time(_ text: Text, microseconds unit: Int64) -> Timestamp? {
    guard let number = integer(text) else { return nil }
    let (value, overflow) = number.multipliedReportingOverflow(by: unit)
    guard !overflow, value >= -62_167_219_200_000_000, value < 253_402_300_800_000_000 else { return nil }
    return Timestamp(microseconds: value)
  }

  /// The date at the start of `text` (`2026-01-31`).
  @inlinable public static func day(_ text: Text) -> Day? {
    guard text.count >= 10, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
      let year = digits(text, 0, 4), let month = digits(text, 5, 2), let day = digits(text, 8, 2),
      month >= 1, month <= 12, day >= 1, day <= daysIn(month, year)
    else { return nil }
    return Day(year: year, month: month, day: day)
  }

  @inlinable static func daysIn(_ month: Int64, _ year: Int64) -> Int64 {
    if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31
  }

  @inlinable static func zone(_ text: Text, at offset: Int) -> Int64? {
    let sign = text[offset]
    guard sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-"), text.count == offset + 6,
      text[offset + 3] == UInt8(ascii: ":"), let hours = digits(text, offset + 1, 2),
      let minutes = digits(text, offset + 4, 2), hours < 24, minutes < 60
    else { return nil }
    let east = hours * 60 + minutes
    return sign == UInt8(ascii: "-") ? -east : east
  }

  @inlinable static func digits(_ text: Text, _ start: Int, _ count: Int) -> Int64? {
    var value: Int64 = 0
    for offset in start..<start + count {
      let digit = text[offset] &- 48
      guard digit < 10 else { return nil }
      value = value &* 10 &+ Int64(digit)
    }
    return value
  }
}
