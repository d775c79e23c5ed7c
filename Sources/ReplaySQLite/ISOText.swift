import ReplayCore

/// Writes days and times as `Day.description` and `Timestamp.description` do, into memory the caller owns: a string
/// per cell would cost more than the row.
enum ISOText {
  /// Bytes that any day or time fits in.
  static let capacity = 32

  /// Days whose year has four digits: those that can be read back.
  static let days: ClosedRange<Int64> = -719_528...2_932_896

  /// Returns the number of bytes written: 10.
  static func write(day number: Int64, to out: UnsafeMutablePointer<UInt8>) -> Int {
    let (year, month, day) = Day(number: number).civil
    digits(year, 4, out)
    out[4] = UInt8(ascii: "-")
    digits(month, 2, out + 5)
    out[7] = UInt8(ascii: "-")
    digits(day, 2, out + 8)
    return 10
  }

  /// Returns the number of bytes written: 24, or 27 where there are microseconds.
  static func write(time microseconds: Int64, to out: UnsafeMutablePointer<UInt8>) -> Int {
    let day = Timestamp(microseconds: microseconds).day.number
    let inDay = microseconds - day * 86_400_000_000
    let (seconds, fraction) = (inDay / 1_000_000, inDay % 1_000_000)
    _ = write(day: day, to: out)
    out[10] = UInt8(ascii: "T")
    digits(seconds / 3600, 2, out + 11)
    out[13] = UInt8(ascii: ":")
    digits(seconds / 60 % 60, 2, out + 14)
    out[16] = UInt8(ascii: ":")
    digits(seconds % 60, 2, out + 17)
    out[19] = UInt8(ascii: ".")
    let isWhole = fraction % 1000 == 0
    digits(isWhole ? fraction / 1000 : fraction, isWhole ? 3 : 6, out + 20)
    let end = isWhole ? 23 : 26
    out[end] = UInt8(ascii: "Z")
    return end + 1
  }

  private static func digits(_ number: Int64, _ count: Int, _ out: UnsafeMutablePointer<UInt8>) {
    var rest = number
    for place in stride(from: count - 1, through: 0, by: -1) {
      out[place] = UInt8(truncatingIfNeeded: 48 + rest % 10)
      rest /= 10
    }
  }
}
