import ReplayArchive
import ReplayCore
import ReplayEngine

/// The account of a run, for a person and as JSON.
struct Summary {
  let report: RunReport
  let store: String
  let late: [Segment]
  let command: [String]

  /// Events were left out, or their order is not proven, because a flag allows it.
  var isIncomplete: Bool {
    let serious: Set<ChainFinding.Kind> = [.hole, .overlap, .duplicate, .inversion]
    return !late.isEmpty || report.findings.contains { serious.contains($0.kind) }
  }

  var lines: [String] {
    var lines: [String] = []
    let verb = report.outcome == .stopped ? "stopped after" : "done in"
    let seconds = Words.seconds(report.milliseconds)
    lines.append(
      "\(verb) \(seconds): \(Words.plural(report.records, "event")) read, "
        + "\(Words.rate(report.records, milliseconds: report.milliseconds)), "
        + "\(Words.bytes(report.compressedBytes)) in, \(Words.bytes(report.decompressedBytes)) decompressed")
    for function in report.functions {
      let total = function.total
      lines.append("\(function.name)")
      lines.append(
        "  read \(Words.count(total.read)) = applied \(Words.count(total.applied)) + ignored "
          + "\(Words.count(total.ignored)) + duplicate \(Words.count(total.duplicate)) + parked "
          + "\(Words.count(total.parked)) + dead-lettered \(Words.count(total.deadLettered))")
    }
    lines.append(
      "store     \(store): \(Words.plural(report.rows, "row")) written in \(Words.plural(report.epochs, "commit")) "
        + "(\(Words.seconds(report.commitMilliseconds)))")
    for (partition, next) in report.frontier {
      lines.append("position  \(partition): \(next.map { "next \($0)" } ?? "nothing read yet")")
    }
    if report.framesWithoutChecksum > 0 {
      lines.append(
        "warning   \(Words.plural(report.framesWithoutChecksum, "zstd frame")) without a checksum: "
          + "damage in them cannot be seen")
    }
    for (kind, found) in Dictionary(grouping: report.findings, by: \.kind).sorted(by: {
      $0.key.rawValue < $1.key.rawValue
    }) {
      lines.append("found     \(Words.count(found.count)) × \(kind.rawValue), for example: \(found[0].detail)")
    }
    if !late.isEmpty {
      lines.append("found     \(Words.plural(late.count, "late file")) left out, for example: \(late[0].name)")
    }
    return lines
  }

  var json: [(String, JSONText)] {
    [
      ("outcome", .string("\(report.outcome)")), ("milliseconds", .number(report.milliseconds)),
      ("events", .number(report.records)), ("compressed_bytes", .number(report.compressedBytes)),
      ("decompressed_bytes", .number(report.decompressedBytes)), ("rows_written", .number(report.rows)),
      ("commits", .number(report.epochs)), ("commit_milliseconds", .number(report.commitMilliseconds)),
      ("segments_read", .number(report.segmentsRead)),
      ("segments_settled_before", .number(report.segmentsSettledBefore)), ("frames", .number(report.frames)),
      ("frames_without_checksum", .number(report.framesWithoutChecksum)), ("order", .string(report.mode)),
      ("peak_memory_bytes", .number(Clock.peakMemory)), ("store", .string(store)),
      ("command", .array(command.map { .string($0) })),
      ("functions", .array(report.functions.map(Summary.function))),
      (
        "positions",
        .array(
          report.frontier.map {
            .object([
              ("log", .string($0.partition.log)), ("partition", .string($0.partition.name)),
              ("next", .optional($0.next?.description)),
            ])
          })
      ), ("findings", .array(report.findings.map(Summary.finding))),
      ("late_files", .array(late.map { .string($0.name) })),
    ]
  }

  private static func function(_ function: RunReport.Function) -> JSONText {
    func books(_ books: Books) -> [(String, JSONText)] {
      [
        ("read", .number(books.read)), ("applied", .number(books.applied)), ("ignored", .number(books.ignored)),
        ("duplicate", .number(books.duplicate)), ("parked", .number(books.parked)),
        ("dead_lettered", .number(books.deadLettered)),
      ]
    }
    return .object(
      [("name", .string(function.name))] + books(function.total) + [
        (
          "partitions",
          .array(
            function.books.map {
              .object(
                [("log", .string($0.partition.log)), ("partition", .string($0.partition.name))] + books($0.books))
            })
        )
      ])
  }

  private static func finding(_ finding: ChainFinding) -> JSONText {
    .object([
      ("kind", .string(finding.kind.rawValue)), ("partition", .string(finding.partition.description)),
      ("segment", .string(finding.segment)), ("count", .number(finding.count)), ("detail", .string(finding.detail)),
    ])
  }
}
