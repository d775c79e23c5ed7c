import ReplayCore

/// What verbs need that read an archive without a run.
public enum SideBySide {
  /// Calls `body` with 0..<`count`, each on a thread of its own, and returns when all have.
  public static func run(_ count: Int, named name: String, _ body: @escaping @Sendable (Int) -> Void) throws {
    var threads: [NamedThread] = []
    defer { for thread in threads { thread.join() } }
    for index in 0..<max(1, count) { threads.append(try NamedThread("\(name)-\(index)") { body(index) }) }
  }
}

extension Segment {
  /// The next position after the segment; where it has no records, `previous`.
  public func next(after summary: SegmentSummary, previous: Position?) -> Position? { end(summary, after: previous) }
}

extension ReadMode {
  /// How many lines of work read and decode at once.
  public func readers(lanes: Int, partitions: Int) -> Int { self.readers(of: lanes, partitions: partitions) }
}
