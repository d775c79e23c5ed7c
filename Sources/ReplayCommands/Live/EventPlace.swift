import ArgumentParser
import ReplayCore

/// An event as its receipt names it, `PARTITION:POSITION`: `3:30`, or `3:30:1` where the position has a sub-index.
///
/// The partition is all before the last colon; where the last two parts are both numbers, all before those two.
struct EventPlace: Hashable, Sendable, ExpressibleByArgument, CustomStringConvertible {
  let partition: String
  let position: Position

  init(partition: String, position: Position) {
    self.partition = partition
    self.position = position
  }

  /// Nil where the text is anything else.
  init?(argument text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    for count in [2, 1] where parts.count > count {
      guard let position = Position(argument: parts.suffix(count).joined(separator: ":")) else { continue }
      self.init(partition: parts.dropLast(count).joined(separator: ":"), position: position)
      return
    }
    return nil
  }

  var description: String { "\(partition):\(position)" }
}

/// Whether an event is settled: below the next position of its partition, on the archive's side or the stream's.
enum Settlement: Equatable {
  /// The least next position that says so.
  case settled(next: Position)
  /// Nil: nothing is known of such a partition.
  case open(next: Position?)

  /// `next`: how far each function that is asked about is.
  init(of place: EventPlace, by next: [[Partition: Position]]) {
    let id = Array(place.partition.utf8)
    let reached = next.map { Settlement.reached(id, $0) }
    let least = reached.contains(nil) ? nil : reached.compactMap { $0 }.min()
    if let least, least > place.position { self = .settled(next: least) } else { self = .open(next: least) }
  }

  /// The farther of the two sides. Where an archive of several topics has several partitions of that name, the event may
  /// be any one's: the least far counts.
  private static func reached(_ id: [UInt8], _ next: [Partition: Position]) -> Position? {
    [Side.archive, .live].compactMap { side in
      next.filter { $0.key.side == side && $0.key.id == id }.map(\.value).min()
    }.max()
  }

  /// `outcome`: what `KeptWords.outcome` says of it.
  static func json(_ place: EventPlace, next: Position, outcome: String) -> [(String, JSONText)] {
    [
      ("settled", .bool(true)), ("as", .string(outcome)), ("partition", .string(place.partition)),
      ("position", .string("\(place.position)")), ("next", .string("\(next)")),
    ]
  }
}
