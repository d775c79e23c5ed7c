import ReplayCore

/// Times as they stand in names: proleptic Gregorian, UTC, no leap seconds.
enum CalendarTime {
  /// Days since 1970-01-01; nil where there is no such day, or it is before 1970.
  static func days(year: Int, month: Int, day: Int) -> UInt64? {
    guard (1970...9999).contains(year), (1...12).contains(month), (1...31).contains(day) else { return nil }
    let date = Day(year: Int64(year), month: Int64(month), day: Int64(day))
    return date.civil.day == Int64(day) ? UInt64(date.number) : nil
  }

  /// Reads fields of exactly these widths, all digits; nil where one is anything else.
  static func numbers(_ fields: some Sequence<Substring>, widths: [Int]) -> [Int]? {
    var numbers: [Int] = []
    for (field, width) in zip(fields, widths) {
      guard field.utf8.count == width, field.isDigits, let number = Int(field) else { return nil }
      numbers.append(number)
    }
    return numbers.count == widths.count ? numbers : nil
  }
}
