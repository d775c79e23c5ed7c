import ReplayArchive
import ReplayCore
import ReplayDecode
import ReplayEngine
import Synchronization

/// The end of an archive that knows nothing of the stream's positions: its last events, by their time.
final class OverlapTail: Sendable {
  private let options: ArchiveOptions
  private let span: TimeSpan
  private let mayBeUnproved: Bool
  private struct Ending: Sendable {
    var count = 0
    /// The last ones.
    var times: [Int64] = []
  }

  /// Of files that were read for their times.
  private let endings = Mutex<[SegmentEntry: Ending]>([:])

  /// So many events at most are held; each takes about 100 bytes.
  static let maxEvents = 10_000_000
  /// The archive's end is the middle time of so many last events: a single one with a wrong clock does not move it.
  private static let endEvents = 1_000
  /// Where so many have no time, none is looked for further back.
  private static let timelessEvents = 100_000

  init(_ options: ArchiveOptions, span: TimeSpan, mayBeUnproved: Bool) {
    self.options = options
    self.span = span
    self.mayBeUnproved = mayBeUnproved
  }

  /// Throws `.usage` where the archive's events have no time.
  func window(_ archive: OpenedArchive) throws -> OverlapHandoff.Window {
    let ends = try archive.plan.partitions.map { partition in
      let last = try lastTimes(of: partition, archive).sorted()
      return last.isEmpty ? nil : last[last.count / 2]
    }
    guard let end = ends.compactMap(\.self).max() else {
      throw ReplayError(
        .usage, "the archive's events have no time, so its end cannot be found in the stream",
        details: ["expected: a time in RFC 3339, or milliseconds since 1970, at \(archive.plan.anatomy.time)"],
        effect: "nothing live was applied", next: "say with --time where it is")
    }
    return OverlapHandoff.Window(end: end, milliseconds: span.milliseconds)
  }

  /// The time of the newest of the archive's last events; nil where they have none.
  func latest(_ archive: OpenedArchive) throws -> Int64? {
    try archive.plan.partitions.compactMap { try lastTimes(of: $0, archive).max() }.max()
  }

  private func lastTimes(of partition: PartitionPlan, _ archive: OpenedArchive) throws -> [Int64] {
    var (times, count): ([Int64], Int) = ([], 0)
    for segment in partition.segments.reversed() {
      let ending = try ending(of: segment, archive)
      times = ending.times + times
      count += ending.count
      if times.count >= OverlapTail.endEvents || count >= OverlapTail.timelessEvents { break }
    }
    return times.suffix(OverlapTail.endEvents)
  }

  private func ending(of segment: Segment, _ archive: OpenedArchive) throws -> Ending {
    if let known = endings.withLock({ $0[segment.entry] }) { return known }
    var ending = Ending()
    try each(of: segment, archive) { event in
      ending.count += 1
      if let time = event.sign.time { ending.times.append(time) }
      if ending.times.count >= 2 * OverlapTail.endEvents { ending.times.removeFirst(OverlapTail.endEvents) }
    }
    ending.times = ending.times.suffix(OverlapTail.endEvents)
    let found = ending
    endings.withLock { $0[segment.entry] = found }
    return found
  }

  private func each(of segment: Segment, _ archive: OpenedArchive, _ body: (SignedEvent) throws -> Void) throws {
    try ArchiveTail.each(
      of: segment, in: archive.source, anatomy: archive.plan.anatomy, framing: options.format, limits: options.limits,
      body)
  }

  /// Every event that the window may hold: files are read back until one is older than it by as much again. An event that
  /// stands behind a newer one was written after that one happened, so only what is older than both is left out.
  func events(_ archive: OpenedArchive, _ window: OverlapHandoff.Window) throws -> [SignedEvent] {
    let oldest = window.from - span.milliseconds
    var found: [SignedEvent] = []
    for partition in archive.plan.partitions {
      for segment in partition.segments.reversed() {
        let before = found.count
        var (count, latest) = (0, Int64.min)
        try each(of: segment, archive) { event in
          count += 1
          latest = max(latest, event.sign.time ?? .min)
          if latest >= oldest || event.sign.time == nil { found.append(event) }
          if found.count > OverlapTail.maxEvents { throw tooMany(segment) }
        }
        if count > 0, found.count == before { break }
      }
    }
    let nameless = found.first { $0.sign.id == nil && $0.sign.time == nil }
    if let nameless, !mayBeUnproved {
      throw ReplayError(
        .unproved, "an archived event has neither an id nor a time: another one may be like it",
        details: ["archived as \(nameless.position)"],
        effect: "the archive is replayed and committed; nothing live was applied",
        next: "say with --id or --time where they are, or --unproved-handoff if no two events are alike")
    }
    return found
  }

  private func tooMany(_ segment: Segment) -> ReplayError {
    ReplayError(
      .usage, "the archive's last \(span) have more events than can be compared: \(segment.entry.name)",
      details: ["at most \(Words.count(OverlapTail.maxEvents))"],
      effect: "the archive is replayed and committed; nothing live was applied",
      next: "say a shorter --overlap-time, if the archive's writer is not later than half of it")
  }
}
