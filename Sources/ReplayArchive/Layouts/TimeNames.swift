import ReplayCore

/// Names whose only order is a time.
enum TimeNames {
  /// `<stream>-<version>-YYYY-MM-DD-HH-mm-SS-<uuid>[.<ext>]` below any prefix. The place is made of the second and
  /// half of the uuid: the same in every listing, and below every sequence number of Kinesis (which fills the high
  /// word).
  static func firehose(_ text: NameText) -> NameReading {
    let parts = text.stem.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 13 else { return .foreign }
    let stream = parts.dropLast(12).joined(separator: "-")
    let tail = Array(parts.suffix(12))
    guard !stream.isEmpty, tail[0].isDigits else { return .foreign }
    guard let time = CalendarTime.numbers(tail[1...6], widths: [4, 2, 2, 2, 2, 2]) else { return .foreign }
    guard let days = CalendarTime.days(year: time[0], month: time[1], day: time[2]) else { return .foreign }
    guard time[3] < 24, time[4] < 60, time[5] <= 60, let low = uuid(tail[7...]) else { return .foreign }
    let seconds = days * 86_400 + UInt64(time[3] * 3_600 + time[4] * 60 + time[5])
    return .segment(
      ParsedName(
        topic: stream, place: WideNumber(middle: seconds, low: low), time: tail[1...6].joined(separator: "-")))
  }

  /// The first 64 bits; nil where the five groups are no uuid.
  private static func uuid(_ groups: ArraySlice<Substring>) -> UInt64? {
    guard groups.map(\.utf8.count) == [8, 4, 4, 4, 12] else { return nil }
    guard groups.allSatisfy({ $0.utf8.allSatisfy { $0.isDigit || (97...102).contains($0 | 0x20) } }) else { return nil }
    return UInt64(groups.prefix(3).joined(), radix: 16)
  }

  /// `YYYY-MM-DD-H.json[.gz]`, the hour unpadded. The place counts hours since 1970, so a missing hour shows.
  static func gharchive(_ text: NameText) -> NameReading {
    let parts = text.stem.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 4, text.extensions.first == "json" else { return .foreign }
    guard let date = CalendarTime.numbers(parts[..<3], widths: [4, 2, 2]) else { return .foreign }
    guard let days = CalendarTime.days(year: date[0], month: date[1], day: date[2]) else { return .foreign }
    guard parts[3].isDigits, parts[3].utf8.count <= 2, let hour = UInt64(parts[3]), hour < 24 else { return .foreign }
    return .segment(
      ParsedName(topic: "gharchive", place: WideNumber(low: days * 24 + hour), time: String(text.stem)))
  }
}
