import ReplayCore

/// How many events of each type there were on each day.
public struct EventCounts: Projection {
  public let name = "event-counts"
  public private(set) var reads = Reads()
  private var counts = MergedTable("event_counts", key: .text("type"), .day("day"))
  private let type: TextField, time: TimeField
  private let events: SumColumn

  public init() {
    type = reads.type()
    time = reads.time()
    events = counts.count("events")
  }

  public var tables: [any Table] { [counts] }

  public func apply(_ batch: Batch, _ changes: Changes) throws {
    let rows = changes[counts]
    for event in batch {
      try rows[event[type], event[time].day].add(1, to: events)
    }
  }
}
