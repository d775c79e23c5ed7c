import ReplayArchive
import ReplayCore
import ReplayEngine

/// What is known of a stream before a run: how the archive would be handed off to it, and whether it still has what
/// comes next. Asks the stream where it begins and ends, and reads no event of it.
struct StreamOutlook {
  struct Row {
    let name: String
    /// Nil: the stream has no such partition.
    let live: LivePartition?
    /// The next position after the last archived event, where that is known before a run.
    var archiveEnd: Position?
    /// From where on the stream is needed: the archive's end, the beginning of its last segment, or where the functions
    /// that are live stand; nil where nobody knows before a run.
    var needed: Position?
    var isNeeded = true
    var refusal: ReplayError?
  }

  let stream: String
  /// How the archive's end is found in it; nil where no function is to be handed off any more.
  let kind: HandoffClass?
  let rows: [Row]
  /// What would stop a run.
  let problems: [ReplayError]
  private let notes: [String]

  /// Throws where the stream cannot be asked, or cannot belong to the archive.
  init(_ live: String, _ command: Plan, _ archive: OpenedArchive, _ stored: StoredOutlook) throws {
    let source = try StreamAddress(live, options: command.stream.streamOptions).open()
    defer { source.close() }
    stream = source.name
    let parts = try source.partitions()
    let followed = stored.functions.map {
      FollowedStream($0.name, $0.checkpoint, store: stored.path ?? "")
    }
    let there = Set(parts.map(\.partition))
    var problems = followed.compactMap { $0.refusal(of: source, there) }
    let plan = stored.hasBehind ? try HandoffPlan(describing: archive, source, command) : nil
    kind = plan?.kind
    notes = plan.map { HandoffPlan.notes(command.stream, for: $0.kind) } ?? []
    var rows = parts.map { part in
      let own = stored.functions.filter { $0.checkpoint.phase == .live }
      var row = Row(name: part.partition.name, live: part)
      row.needed = own.compactMap { $0.checkpoint.frontier[part.partition] }.min()
      row.isNeeded = row.needed != nil
      row.refusal = followed.compactMap { $0.refusal(at: part, of: source) }.first
      return row
    }
    if let plan {
      if plan.kind == .overlap {
        try StreamOutlook.enterByTime(&rows, plan, archive, source)
      } else {
        for partition in archive.plan.partitions {
          StreamOutlook.enter(&rows, partition, plan, archive, source, parts)
        }
      }
    }
    self.rows = rows
    problems += rows.compactMap(\.refusal)
    self.problems = problems
  }

  private static func enter(
    _ rows: inout [Row], _ partition: PartitionPlan, _ plan: HandoffPlan, _ archive: OpenedArchive,
    _ source: any LiveSource, _ parts: [LivePartition]
  ) {
    let place = rows.firstIndex { $0.live?.partition.id == partition.partition.id }
    var row = place.map { rows[$0] } ?? Row(name: partition.partition.name, live: nil)
    row.isNeeded = true
    if let entry = plan.entry.position(of: partition, in: archive) {
      if plan.kind == .exact { row.archiveEnd = entry }
      row.needed = min(entry, row.needed ?? entry)
    } else {
      row.needed = nil
    }
    row.refusal = row.refusal ?? plan.refusal(of: partition, archive, parts, source)
    if plan.kind == .exact, row.refusal == nil, let end = row.archiveEnd, let live = row.live {
      row.refusal = plan.unproved(archiveEnd: end, live, source)
    }
    if let place { rows[place] = row } else { rows.append(row) }
  }

  /// Nothing says which partition of the stream has what of the archive: all are needed from about one time on, which is
  /// known of streams that know when their events were written.
  private static func enterByTime(
    _ rows: inout [Row], _ plan: HandoffPlan, _ archive: OpenedArchive, _ source: any LiveSource
  ) throws {
    let ends = try plan.entry.ends(of: archive, in: source) ?? [:]
    for place in rows.indices {
      guard let live = rows[place].live else { continue }
      let entry = ends[live.partition]
      rows[place].isNeeded = true
      rows[place].needed = entry.map { min($0, rows[place].needed ?? $0) }
      // The answer is never before the stream's first event: then what was written before may have passed retention.
      if entry == live.start, live.start > .zero { rows[place].needed = nil }
    }
  }

  /// A run would have something to do: a handoff, or events that are not applied yet.
  var hasWork: Bool {
    kind != nil
      || rows.contains { row in
        guard let live = row.live else { return false }
        return live.end.number > (row.needed ?? live.start).firstNumber
      }
  }
}

extension StreamOutlook {
  var lines: [String] {
    var table = TextTable(
      ["partition", "stream begins", "stream ends", "archive ends", "needed from", "retention"], numeric: [1, 2, 3, 4])
    for row in rows {
      table.add([
        row.name, row.live?.start.description ?? "-", row.live?.end.description ?? "-",
        row.archiveEnd?.description ?? "-", row.needed.map { "\($0.firstNumber)" } ?? "-", verdict(row),
      ])
    }
    return [heading] + notes + table.lines
  }

  private var heading: String {
    let how =
      switch kind {
      case .exact?: "handoff by an exact end"
      case .lowerBound?: "handoff by a lower bound: the last segment is matched event by event"
      case .overlap?: "handoff by time: needed from about the archive's end on"
      case nil: "followed on from the store's positions"
      }
    return "live      \(stream): \(how)"
  }

  private func verdict(_ row: Row) -> String {
    guard let live = row.live else { return "NO SUCH PARTITION in the stream" }
    guard row.isNeeded else { return "nothing archived: begins with its first event" }
    guard let needed = row.needed else { return "not known before a run" }
    if let spare = needed.firstNumber.distance(from: live.start.number) {
      if let short = needed.firstNumber.distance(from: live.end.number), short > 0 {
        return "THE STREAM ENDS \(Words.plural(short, "position")) before"
      }
      if row.refusal?.code == .unproved { return "covered, and nothing left to compare: a run ends with 82" }
      return "covered, \(Words.plural(spare, "position")) to spare"
    }
    let lost = live.start.number.distance(from: needed.firstNumber)
    let count = lost.map { Words.plural($0, "position") } ?? "unknown many"
    return kind == .lowerBound ? "PASSED, \(count) of the last segment gone" : "PASSED, \(count) lost"
  }

  var json: JSONText {
    .object([
      ("stream", .string(stream)), ("class", .optional(kind?.rawValue)),
      (
        "partitions",
        .array(
          rows.map { row in
            .object([
              ("partition", .string(row.name)), ("stream_first", .optional(row.live?.start.description)),
              ("stream_end", .optional(row.live?.end.description)),
              ("archive_next", .optional(row.archiveEnd?.description)),
              ("needed_from", .optional(row.needed.map { "\($0.firstNumber)" })),
              ("covered", StreamOutlook.isCovered(row).map { .bool($0) } ?? .null),
            ])
          })
      ),
    ])
  }

  /// Nil where it is not known before a run.
  private static func isCovered(_ row: Row) -> Bool? {
    guard row.refusal == nil, row.live != nil else { return false }
    return row.isNeeded && row.needed == nil ? nil : true
  }
}
