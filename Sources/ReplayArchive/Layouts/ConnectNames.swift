import ReplayCore

/// Names that Kafka Connect sinks write.
enum ConnectNames {
  /// `…/<topic>/partition=<n>/<topic>+<n>+<start>.<ext>`; other directories may stand anywhere. The numbers are
  /// read from the right, so a topic may hold a `+`.
  static func confluent(_ text: NameText) -> NameReading {
    let parts = text.stem.split(separator: "+", omittingEmptySubsequences: false)
    guard parts.count >= 3, let start = WideNumber(decimal: parts[parts.count - 1]) else { return .foreign }
    let partition = parts[parts.count - 2]
    let topic = parts.dropLast(2).joined(separator: "+")
    guard partition.isDigits, !topic.isEmpty else { return .foreign }
    if isTombstones(text.directories, topic: topic) { return .refused(tombstones) }
    for directory in text.directories where directory.hasPrefix("partition=") {
      let stated = directory.dropFirst("partition=".count)
      guard stated.isDigits, stated.unpadded == partition.unpadded else { return .foreign }
    }
    switch text.extensions.first {
    case "keys": return .keys(stem: text.path)
    case "headers": return .headers(stem: text.path)
    default: return .segment(ParsedName(topic: topic, partition: partition.unpadded, first: start))
    }
  }

  static let tombstones = """
    the sink wrote deletions (behavior.on.null.values=write) apart from the values, as keys only: \
    their place among the values is lost, so they cannot be replayed in order
    """

  /// The folder `<topic>/tombstone`; a topic may itself be called so.
  private static func isTombstones(_ directories: [Substring], topic: String) -> Bool {
    if directories.contains("partition=tombstone") { return true }
    guard directories.last == "tombstone" else { return false }
    return topic != "tombstone" || directories.dropLast().last == "tombstone"
  }

  /// `<topic>-<partition>-<start>[.<ext>]`, read from the right: a topic may hold dashes. The sink pads to 20
  /// digits (a partition to 10) or not at all; so short padded numbers are a date, not ours.
  static func aiven(_ text: NameText, careful: Bool) -> NameReading {
    let parts = text.stem.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 3, let start = WideNumber(decimal: parts[parts.count - 1]) else { return .foreign }
    let partition = parts[parts.count - 2]
    let topic = parts.dropLast(2).joined(separator: "-")
    guard partition.isDigits, !topic.isEmpty else { return .foreign }
    for number in [partition, parts[parts.count - 1]] where number.isPadded {
      if number.utf8.count < 10 { return .foreign }
    }
    if careful, topic == "part" || endsInYear(topic) && isSmall(partition, 12) && start <= WideNumber(low: 31) {
      return .foreign
    }
    return .segment(ParsedName(topic: topic, partition: partition.unpadded, first: start))
  }

  /// `<topic>/<partition>/<last>[_<ms>_<ms>].<ext>`, and the older `<topic>(<partition>_<last>).<ext>`. The number
  /// is the last record's.
  static func lenses(_ text: NameText, careful: Bool) -> NameReading {
    if text.stem.hasSuffix(")") { return olderLenses(text.stem) }
    let parts = text.stem.split(separator: "_", omittingEmptySubsequences: false)
    guard parts.count == 1 || parts.count == 3, parts.allSatisfy({ $0.isDigits }) else { return .foreign }
    guard !text.extensions.isEmpty, text.directories.count >= 2, let last = WideNumber(decimal: parts[0]) else {
      return .foreign
    }
    let (topic, partition) = (text.directories.dropLast().last ?? "", text.directories.last ?? "")
    guard partition.isDigits, !partition.isPadded else { return .foreign }
    if careful, topic.isDigits || isYear(partition) { return .foreign }
    let time = parts.count == 3 ? "\(parts[1])_\(parts[2])" : nil
    return .segment(ParsedName(topic: String(topic), partition: String(partition), last: last, time: time))
  }

  private static func olderLenses(_ stem: Substring) -> NameReading {
    guard let open = stem.lastIndex(of: "("), open > stem.startIndex else { return .foreign }
    let numbers = stem[stem.index(after: open)...].dropLast().split(separator: "_", omittingEmptySubsequences: false)
    guard numbers.count == 2, numbers[0].isDigits, let last = WideNumber(decimal: numbers[1]) else { return .foreign }
    return .segment(ParsedName(topic: String(stem[..<open]), partition: numbers[0].unpadded, last: last))
  }

  private static func endsInYear(_ topic: String) -> Bool { isYear(topic.suffix(4)) }

  private static func isYear(_ text: some StringProtocol) -> Bool {
    text.utf8.count == 4 && text.isDigits && (text.hasPrefix("19") || text.hasPrefix("20"))
  }

  private static func isSmall(_ digits: Substring, _ limit: Int) -> Bool { Int(digits).map { $0 <= limit } ?? false }
}
