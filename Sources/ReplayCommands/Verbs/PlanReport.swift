import ReplayArchive
import ReplayCore

/// The plan as a person reads it.
extension Outlook {
  var lines: [String] {
    var lines = archive.description
    for finding in findings {
      lines.append("found     \(finding.kind.rawValue) in \(finding.segment): \(finding.detail)")
    }
    lines += [""] + partitions + [""]
    if Console.shared.isVerbose { lines += segments + [""] }
    if let words = filter.words { lines.append("only      \(words)") }
    if let mode { lines.append("order     \(mode.rawValue), \(Words.plural(lanes, "lane"))") }
    lines += archive.warnings.map { $0.replacingFirst("warning: ", with: "warning   ") }
    lines.append("holes     \(holes)")
    lines += storeLines
    if let stream { lines += [""] + stream.lines + [""] }
    return lines + projections.compactMap(ForeignOptions.delivery) + [estimate]
  }

  private var partitions: [String] {
    var table = TextTable(
      ["partition", "segments", "bytes", "first", "last segment begins", "last"], numeric: [1, 2, 3, 4, 5])
    for partition in archive.plan.partitions {
      table.add([
        Outlook.shown(partition.partition.description), Words.count(partition.segments.count),
        Words.bytes(partition.segments.reduce(0) { $0 + $1.entry.size }),
        Outlook.text(partition.segments.first?.begins), Outlook.text(partition.segments.last?.begins),
        Outlook.text(partition.segments.last?.promisedLast),
      ])
    }
    return table.lines
  }

  private var segments: [String] {
    var table = TextTable(["segment", "bytes", "first", "last"], numeric: [1, 2, 3])
    for segment in archive.plan.partitions.flatMap(\.segments) {
      table.add([
        segment.name, Words.bytes(segment.entry.size), Outlook.text(segment.begins), Outlook.text(segment.promisedLast),
      ])
    }
    return table.lines
  }

  private var holes: String {
    if findings.contains(where: { $0.kind == .hole }) { return "see what was found above" }
    return archive.layout.numberingKind == .place
      ? "cannot be known: these names have no numbers that follow one another"
      : "the names show none; what is missing inside or between files is found by reading them: replay check"
  }

  private var storeLines: [String] {
    guard let path = stored.path else { return [] }
    if !stored.exists { return ["store     \(path): would be made"] }
    var lines = stored.functions.map {
      "store     \(path): \($0.name) has settled \(Words.plural($0.events, "event")), "
        + "\(Words.plural($0.checkpoint.settled.count, "segment"))"
    }
    for projection in projections where !stored.functions.contains(where: { $0.name == projection.name }) {
      lines.append("store     \(path): \(projection.name) has not run into it yet")
    }
    lines.append("left      \(Words.plural(left.segments, "segment")), \(Words.bytes(left.bytes))")
    return lines
  }

  private var estimate: String {
    if left.segments == 0 { return "estimate  nothing to do\(stream?.hasWork == true ? " in the archive" : "")" }
    if projections.contains(where: \.hasSessions) {
      return "estimate  none: how long a function in another language takes is seen by running it"
    }
    let names = projections.map(\.name).joined(separator: " + ")
    let what = projections.isEmpty ? "decoding alone" : "decoding and \(names)"
    let perSecond = UInt64(sample.eventsPerSecond * Double(readers))
    return "estimate  about \(Words.count(estimatedEvents)) events in \(Words.seconds(estimatedMilliseconds)), "
      + "\(Words.rate(perSecond, milliseconds: 1000)) on \(Words.plural(readers, "lane")) "
      + "(\(what), from a sample of \(Words.plural(sample.events, "event")) in \(Words.plural(sample.segments, "segment")); "
      + "commits not counted)"
  }

  private static func text(_ position: Position?) -> String { position?.description ?? "-" }

  private static func shown(_ name: String) -> String { name.isEmpty ? "(all)" : name }
}

/// The plan as one JSON object.
extension Outlook {
  var json: [(String, JSONText)] {
    let layout = archive.layout
    return [
      ("archive", .string(archive.source.name)), ("layout", .string(layout.layout.rawValue)),
      ("evidence", .array(layout.evidence.map { .string($0) })),
      ("order_strength", .string(layout.orderStrength.rawValue)),
      ("end_strength", .string(layout.endStrength.rawValue)),
      ("framing", .optional(layout.framing?.rawValue)), ("codecs", .array(archive.codecs.map { .string($0) })),
      ("segments", .number(archive.plan.segmentCount)), ("compressed_bytes", .number(archive.plan.bytes)),
      (
        "ignored_files",
        .object(
          archive.ignored.map { ($0.key.rawValue, JSONText.number($0.value)) }.sorted { $0.0 < $1.0 })
      ),
      ("partitions", .array(archive.plan.partitions.map(Outlook.partition))),
      ("absent_partitions", .array(archive.plan.absentPartitions.map { .string($0.description) })),
      ("findings", .array(findings.map(Summary.finding))),
      ("functions", .array(projections.map { .string($0.name) })), ("order", .optional(mode?.rawValue)),
      ("only", .optional(filter.words)),
      ("lanes", .number(lanes)), ("store", .optional(stored.path)), ("store_exists", .bool(stored.exists)),
      ("store_functions", .array(stored.functions.map { Status.json($0) })),
      ("segments_left", .number(left.segments)), ("bytes_left", .number(left.bytes)),
      ("estimated_events", .number(estimatedEvents)),
      ("estimated_milliseconds", .number(estimatedMilliseconds)),
      ("estimated_events_per_second", .number(Int64(sample.eventsPerSecond * Double(readers)))),
      ("sample_events", .number(sample.events)), ("sample_milliseconds", .number(sample.milliseconds)),
      ("live", stream?.json ?? .null),
      ("problems", .array(problems.map { .string($0.summary) })),
    ]
  }

  private static func partition(_ partition: PartitionPlan) -> JSONText {
    .object([
      ("log", .string(partition.partition.log)), ("partition", .string(partition.partition.name)),
      (
        "segments",
        .array(
          partition.segments.map {
            .object([
              ("name", .string($0.name)), ("bytes", .number($0.entry.size)),
              ("first", .optional($0.begins?.description)), ("last", .optional($0.promisedLast?.description)),
            ])
          })
      ),
    ])
  }
}

extension String {
  fileprivate func replacingFirst(_ old: String, with new: String) -> String {
    hasPrefix(old) ? new + dropFirst(old.count) : self
  }
}
