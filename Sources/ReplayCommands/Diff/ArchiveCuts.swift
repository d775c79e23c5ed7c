import ReplayCore

/// An archive's events one behind the other: a partition whole, then the next one. Cut behind any of them, what is before
/// the cut makes the same rows, however its partitions are read beside each other: a keyed row's events are in one
/// partition, and merged rows do not depend on an order.
struct ArchiveCuts {
  /// Where an event is: indices into the plan, and its number in the segment from 0.
  struct Place: Equatable {
    let partition: Int
    let segment: Int
    let ordinal: UInt64
  }

  /// What is read one after the other to have read just what is before a cut.
  struct Reading {
    let plan: ArchivePlan
    /// Of the last segment, the records that are read; nil: all.
    let records: UInt64?
  }

  let plan: ArchivePlan
  /// The number of events.
  let count: UInt64
  /// The segments that have events, with the number of the first event in each.
  private let segments: [(partition: Int, segment: Int, start: UInt64)]

  /// `records`: how many each segment has, by its name.
  init(_ plan: ArchivePlan, records: [String: UInt64]) {
    self.plan = plan
    var (start, segments): (UInt64, [(partition: Int, segment: Int, start: UInt64)]) = (0, [])
    for (partition, part) in plan.partitions.enumerated() {
      for (segment, file) in part.segments.enumerated() {
        let events = records[file.name] ?? 0
        if events > 0 { segments.append((partition, segment, start)) }
        start += events
      }
    }
    (count, self.segments) = (start, segments)
  }

  /// The cuts that fall between two segments.
  var ends: [UInt64] { segments.map(\.start) + [count] }

  /// Of event `number`, from 0.
  func place(of number: UInt64) -> Place {
    let found = segments[segment(of: number)]
    return Place(partition: found.partition, segment: found.segment, ordinal: number - found.start)
  }

  /// The cut at the start of the segment that event `number` is in.
  func start(of number: UInt64) -> UInt64 { segments[segment(of: number)].start }

  private func segment(of number: UInt64) -> Int {
    var (low, high) = (0, segments.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if segments[middle].start <= number { low = middle } else { high = middle }
    }
    return low
  }

  /// For the first `events` events, from 1. First whole segments, of all partitions; then the beginning of one.
  func readings(upTo events: UInt64) -> [Reading] {
    let last = place(of: events - 1)
    let isWhole = events == count || start(of: events) == events
    let whole = cut(last, segments: last.segment + (isWhole ? 1 : 0))
    var readings: [Reading] = []
    if whole.segmentCount > 0 { readings.append(Reading(plan: whole, records: nil)) }
    if !isWhole {
      var part = plan
      part.partitions = [plan.partitions[last.partition]]
      part.partitions[0].segments.removeLast(part.partitions[0].segments.count - last.segment - 1)
      readings.append(Reading(plan: part, records: last.ordinal + 1))
    }
    return readings
  }

  /// All partitions before this one, and so many of its segments.
  private func cut(_ place: Place, segments: Int) -> ArchivePlan {
    var plan = plan
    plan.partitions.removeLast(plan.partitions.count - place.partition - 1)
    plan.partitions[place.partition].segments.removeLast(
      plan.partitions[place.partition].segments.count - segments)
    if segments == 0 { plan.partitions.removeLast() }
    return plan
  }
}
