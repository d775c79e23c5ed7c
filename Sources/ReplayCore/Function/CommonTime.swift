extension ValueParsing {
  /// The form that most programs write a time in, eight bytes at once: `2026-01-31T08:12:33.123Z`, and the same without
  /// milliseconds. Nil does not say that the text is no time.
  @inlinable static func commonTimestamp(_ text: Text) -> Timestamp? {
    guard text.count == 24 || text.count == 20 else { return nil }
    let word = { UInt64(littleEndian: text.start.loadUnaligned(fromByteOffset: $0, as: UInt64.self)) }
    // Each byte without what must be in it: a digit's value, or zero.
    let date = word(0) ^ 0x2d30_302d_3030_3030  // "0000-00-"
    let clock = word(8) ^ 0x3030_3a30_3054_3030  // "00T00:00"
    let rest = text.count == 24 ? word(16) ^ 0x5a30_3030_2e30_303a : word(12) >> 32 ^ 0x5a30_303a  // ":00.000Z", ":00Z"
    // A byte that is too great reaches its highest bit, be it by itself.
    let excess =
      date | (date &+ 0x7f76_767f_7676_7676) | clock | (clock &+ 0x7676_7f76_767f_7676) | rest
      | (rest &+ (text.count == 24 ? 0x7f76_7676_7f76_767f : 0x7f7f_7f7f_7f76_767f))
    guard excess & 0x8080_8080_8080_8080 == 0 else { return nil }
    // In each byte, the number that its digit and the next one's are.
    let (datePairs, clockPairs, restPairs) = (
      date &* 10 &+ date >> 8, clock &* 10 &+ clock >> 8, rest &* 10 &+ rest >> 8
    )
    let year = byte(0, datePairs) * 100 + byte(2, datePairs)
    let (month, dayOfMonth) = (byte(5, datePairs), byte(0, clockPairs))
    let (hour, minute, second) = (byte(3, clockPairs), byte(6, clockPairs), byte(1, restPairs))
    let millis = byte(4, restPairs) * 10 + byte(6, rest)
    // The general way decides on leap seconds.
    guard month &- 1 < 12, dayOfMonth > 0, hour < 24, minute < 60, second < 60,
      dayOfMonth <= 28 || Int64(dayOfMonth) <= daysIn(Int64(month), Int64(year))
    else { return nil }
    let day = Day(year: Int64(year), month: Int64(month), day: Int64(dayOfMonth))
    let seconds = day.number * 86_400 + Int64(hour * 3600 + minute * 60 + second)
    return Timestamp(microseconds: seconds * 1_000_000 + Int64(millis * 1000))
  }

  @inlinable static func byte(_ place: UInt64, _ word: UInt64) -> UInt64 { word >> (place * 8) & 0xff }
}
