import ReplayArchive
import ReplayCore
import ReplayDecode
import ReplayEngine
import Synchronization

/// The end of an archive that knows nothing of the stream's positions: its last events, by their time.
final class OverlapTail: Sendable {
  private let options: ArchiveOptions
  private let span: TimeSpan

  private struct Ending: Sendable {
    var count = 0
    /// The last ones.
    var events: [SignedEvent] = []
  }

  /// Of files that were read for their end.
  private let endings = Mutex<[SegmentEntry: Ending]>([:])

  /// The archive's end is the middle time of so many last events: a few with a wrong clock do not move it.
  private static let endEvents = 1_000
  /// Where so many have no time, none is looked for further back.
  private static let timelessEvents = 100_000
  /// The archive is searched back until so many events and files have nothing that the stream has.
  private static let (strangeEvents, strangeFiles) = (10_000, 3)

  init(_ options: ArchiveOptions, span: TimeSpan) {
    self.options = options
    self.span = span
  }

  /// Where the stream is to be read from, in milliseconds since 1970. Throws `.usage` where the archive's events have no
  /// time.
  func from(_ archive: OpenedArchive) throws -> Int64 { try end(archive) - span.milliseconds }

  private func end(_ archive: OpenedArchive) throws -> Int64 {
    let ends = try archive.plan.partitions.map { partition in
      let last = try lastEvents(of: partition, archive).compactMap(\.sign.time).sorted()
      return last.isEmpty ? nil : last[last.count / 2]
    }
    if let end = ends.compactMap(\.self).max() { return end }
    let isEmpty = try archive.plan.partitions.allSatisfy { try lastEvents(of: $0, archive).isEmpty }
    throw ReplayError(
      .usage,
      isEmpty
        ? "the archive has no event, so its end cannot be found in the stream"
        : "the archive's events have no time, so its end cannot be found in the stream",
      details: ["expected: a time in RFC 3339, or milliseconds since 1970, at \(archive.plan.anatomy.time)"],
      effect: HandoffRun.effect, next: "say with --time where it is")
  }

  /// The time of the newest of the archive's last events; nil where they have none.
  func latest(_ archive: OpenedArchive) throws -> Int64? {
    try archive.plan.partitions.flatMap { try lastEvents(of: $0, archive).compactMap(\.sign.time) }.max()
  }

  private func lastEvents(of partition: PartitionPlan, _ archive: OpenedArchive) throws -> [SignedEvent] {
    var (events, count): ([SignedEvent], Int) = ([], 0)
    for segment in partition.segments.reversed() {
      let ending = try ending(of: segment, archive)
      events = ending.events + events
      count += ending.count
      if events.count >= OverlapTail.endEvents || count >= OverlapTail.timelessEvents { break }
    }
    return events.suffix(OverlapTail.endEvents)
  }

  private func ending(of segment: Segment, _ archive: OpenedArchive) throws -> Ending {
    if let known = endings.withLock({ $0[segment.entry] }) { return known }
    var ending = Ending()
    try each(of: segment, archive) { event in
      ending.count += 1
      ending.events.append(event)
      if ending.events.count >= 2 * OverlapTail.endEvents { ending.events.removeFirst(OverlapTail.endEvents) }
    }
    ending.events = ending.events.suffix(OverlapTail.endEvents)
    let found = ending
    endings.withLock { $0[segment.entry] = found }
    return found
  }

  private func each(of segment: Segment, _ archive: OpenedArchive, _ body: (SignedEvent) throws -> Void) throws {
    try ArchiveTail.each(
      of: segment, in: archive.source, anatomy: archive.plan.anatomy, framing: options.format, limits: options.limits,
      body)
  }

  /// Looks for the stream's events, from the last file on backwards. The files before those that have some have none: an
  /// event is archived after it is written. False where it was asked to stop.
  func search(
    _ archive: OpenedArchive, into handoff: inout OverlapHandoff, isSparse: Bool, stop: StopRequest
  ) throws -> Bool {
    let end = try end(archive)
    for partition in archive.plan.partitions {
      var (events, files) = (0, 0)
      for segment in partition.segments.reversed() {
        if stop.isStopped { return false }
        var (latest, isStrange): (Int64?, Bool) = (nil, true)
        try each(of: segment, archive) { event in
          if let time = event.sign.time { latest = max(latest ?? time, time) }
          events += 1
          if handoff.look(at: event) { isStrange = false }
        }
        (events, files) = isStrange ? (events, files + 1) : (0, 0)
        let isBefore = events >= OverlapTail.strangeEvents && files >= OverlapTail.strangeFiles
        if isBefore, !handoff.mustSearch(latest: latest, margin: max(span.milliseconds, 86_400_000)) { break }
      }
      // A compacted topic may lack what was archived.
      for event in isSparse ? [] : try lastEvents(of: partition, archive) {
        if let time = event.sign.time, abs(time - end) <= span.milliseconds / 2 { handoff.expect(event) }
      }
    }
    return true
  }
}
