import ReplayCore

/// What `--from` or `--to` says, before several of them are put together.
enum FilterEdgeText: Equatable {
  case beginning, end
  case last(UInt64)
  case time(Timestamp)
  case position(PartitionEdge)

  static let expected =
    "expected: a time (2026-01-31, 2026-01-31T08:12:33Z, s@1769847153000), a position (412), PARTITION:POSITION (3:412), "
    + "beginning, end, or -100 for the last 100 of each partition"

  /// Nil where the text is anything else. A time without a zone is none: whose clock it is would be guessed.
  init?(_ text: String) {
    switch text {
    case "beginning": self = .beginning
    case "end": self = .end
    default:
      // As kcat writes a time: from `s@`, to `e@`.
      if text.hasPrefix("s@") || text.hasPrefix("e@") {
        guard let time = FilterEdgeText.time(String(text.dropFirst(2)), mayBeNumber: true) else { return nil }
        self = .time(time)
      } else if let time = FilterEdgeText.time(text, mayBeNumber: false) {
        self = .time(time)
      } else if text.hasPrefix("-") {
        guard let count = UInt64(text.dropFirst()), count > 0 else { return nil }
        self = .last(count)
      } else if text.contains(":") {
        // What begins as a day is meant as a time.
        guard FilterEdgeText.time(String(text.prefix(10)), mayBeNumber: false) == nil,
          let place = EventPlace(argument: text)
        else { return nil }
        self = .position(PartitionEdge(place.partition, place.position))
      } else {
        guard let position = Position(argument: text) else { return nil }
        self = .position(PartitionEdge(nil, position))
      }
    }
  }

  /// A day (its midnight in UTC) or an RFC 3339 time; milliseconds since 1970 where that may be.
  private static func time(_ text: String, mayBeNumber: Bool) -> Timestamp? {
    Array(text.utf8).withUnsafeBytes { bytes in
      let text = Text(bytes)
      if mayBeNumber, let time = ValueParsing.time(text, microseconds: TimeUnit.milliseconds.rawValue) { return time }
      if text.count == 10, let day = ValueParsing.day(text) {
        return Timestamp(microseconds: day.number * 86_400_000_000)
      }
      return ValueParsing.timestamp(text)
    }
  }

  /// One edge out of all that a flag was given; nil where it leaves nothing out. Throws `.usage` where they do not fit
  /// together, or `--to` leaves nothing.
  static func edge(_ texts: [String], flag: String) throws -> FilterRequest.Edge? {
    let isTo = flag == "--to"
    let parts = try texts.map { text in
      guard let part = FilterEdgeText(text) else {
        throw ReplayError(
          .usage, "\(flag) cannot be read: \(text)", details: [expected], effect: "nothing was read or written")
      }
      return part
    }
    let positions = parts.compactMap { part in if case .position(let edge) = part { edge } else { nil } }
    if positions.count == parts.count, !positions.isEmpty {
      if let twice = positions.first(where: { one in positions.filter { $0.partition == one.partition }.count > 1 }) {
        throw refused("\(flag) is given twice for \(twice.partition.map { "partition \($0)" } ?? "all partitions")")
      }
      return .positions(positions)
    }
    guard parts.count <= 1 else {
      throw refused("\(flag) is given twice: only positions of partitions (3:412) can be several")
    }
    switch parts.first {
    case .beginning?: if isTo { throw refused("--to beginning leaves nothing to replay") } else { return nil }
    case .end?: return isTo ? nil : .end
    case .last(let count)?: return .last(count)
    case .time(let time)?: return .time(time)
    case .position?, nil: return nil
    }
  }

  private static func refused(_ summary: String) -> ReplayError {
    ReplayError(.usage, summary, effect: "nothing was read or written", next: "replay help run lists what it takes")
  }
}
