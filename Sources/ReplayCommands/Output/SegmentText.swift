import ReplayArchive
import ReplayCore

extension Segment {
  /// The position of its first event, as far as its name tells.
  var begins: Position? {
    switch numbering {
    case .counted(let start): Position(number: start)
    case .explicit: firstNumber.map { Position(number: $0) }
    case .place(let place): Position(number: place)
    }
  }

  /// The position of its last event, as far as its name tells.
  var promisedLast: Position? { lastNumber.map { Position(number: $0) } }
}

extension Position {
  /// Reads `description` back: `412`, `7:23`, `0x1f:2`. Nil where the text is anything else.
  public init?(argument: String) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
    guard let first = parts.first, parts.count <= 2, !argument.utf8.contains(UInt8(ascii: "+")) else { return nil }
    var index: UInt64 = 0
    if parts.count == 2 {
      guard let found = UInt64(parts[1]), found < 1 << 63 else { return nil }
      index = found
    }
    if first.hasPrefix("0x") {
      let digits = first.dropFirst(2)
      guard !digits.isEmpty, digits.count <= 48 else { return nil }
      let padded = String(repeating: "0", count: 48 - digits.count) + digits + String(repeating: "0", count: 16)
      guard let number = Position(stored: padded) else { return nil }
      self.init(number: number.number, index: index)
    } else {
      guard let number = UInt64(first) else { return nil }
      self.init(number, index: index)
    }
  }
}
