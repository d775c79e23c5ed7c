/// Writes days and times as `Day.description` and `Timestamp.description` do, into memory the caller owns: a string
/// per cell would cost more than the row.
public enum ISOText {
  /// Bytes that any day or time fits in.
  public static let capacity = 32

  /// Days whose year has four digits: those that can be read back.
  public static let days: ClosedRange<Int64> = -719_528...2_932_896

  /// Returns the number of bytes written: 10.
  public static func write(day number: Int64, to out: UnsafeMutablePointer<UInt8>) -> Int {
    let (year, month, day) = Day(number: number).civil
    let years = UInt32(truncatingIfNeeded: year)
    pair(years / 100, out)
    pair(years % 100, out + 2)
    out[4] = UInt8(ascii: "-")
    pair(UInt32(truncatingIfNeeded: month), out + 5)
    out[7] = UInt8(ascii: "-")
    pair(UInt32(truncatingIfNeeded: day), out + 8)
    return 10
  }

  /// Returns the number of bytes written: 24, or 27 where there are microseconds.
  public static func write(time microseconds: Int64, to out: UnsafeMutablePointer<UInt8>) -> Int {
    let day = Timestamp(microseconds: microseconds).day.number
    let inDay = microseconds - day * 86_400_000_000
    let seconds = UInt32(truncatingIfNeeded: inDay / 1_000_000)
    let fraction = UInt32(truncatingIfNeeded: inDay % 1_000_000)
    _ = write(day: day, to: out)
    out[10] = UInt8(ascii: "T")
    pair(seconds / 3600, out + 11)
    out[13] = UInt8(ascii: ":")
    pair(seconds / 60 % 60, out + 14)
    out[16] = UInt8(ascii: ":")
    pair(seconds % 60, out + 17)
    out[19] = UInt8(ascii: ".")
    let (thousandths, rest) = (fraction / 1000, fraction % 1000)
    three(thousandths, out + 20)
    if rest > 0 { three(rest, out + 23) }
    let end = rest == 0 ? 23 : 26
    out[end] = UInt8(ascii: "Z")
    return end + 1
  }

  /// 0 to 99.
  @inline(__always)
  private static func pair(_ number: UInt32, _ out: UnsafeMutablePointer<UInt8>) {
    let tens = (number &* 103) >> 10
    out[0] = UInt8(truncatingIfNeeded: 48 &+ tens)
    out[1] = UInt8(truncatingIfNeeded: 48 &+ number &- tens &* 10)
  }

  /// 0 to 999.
  @inline(__always)
  private static func three(_ number: UInt32, _ out: UnsafeMutablePointer<UInt8>) {
    out[0] = UInt8(truncatingIfNeeded: 48 &+ number / 100)
    pair(number % 100, out + 1)
  }
}
