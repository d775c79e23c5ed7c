import ReplayArchive
import ReplayCore
import ReplayEngine

/// The account of a run, for a person and as JSON.
struct Summary {
  let report: RunReport
  /// The filter in words; nil where nothing was left out.
  let only: String?
  let store: String
  let late: [Segment]
  /// What flags let through in earlier runs.
  let earlier: [ChainFinding]
  let command: [String]
  /// Where the target database was watched.
  var throttle: ThrottleAccount?

  /// Events were left out, or their order is not proven, because a flag allows it; or some are kept that could not be
  /// applied.
  var isIncomplete: Bool {
    report.functions.contains { !$0.kept.isEmpty } || !late.isEmpty || report.findings.contains(where: \.isSerious)
      || (!earlier.isEmpty && report.outcome != .alreadyDone)
  }

  /// What each function's store keeps now.
  var kept: [(function: String, kept: KeptEvents)] { report.functions.map { ($0.name, $0.kept) } }

  var lines: [String] {
    var lines: [String] = []
    let verb = report.outcome == .stopped ? "stopped after" : "done in"
    let seconds = Words.seconds(report.milliseconds)
    let before = report.recordsSettledBefore
    let what = report.outcome == .stopped ? "not committed, or settled before" : "settled before"
    let again = before == 0 ? "" : " (\(Words.count(before)) of them \(what))"
    lines.append(
      "\(verb) \(seconds): \(Words.plural(report.records, "event")) read\(again), "
        + "\(Words.rate(report.records, milliseconds: report.milliseconds)), "
        + "\(Words.bytes(report.compressedBytes)) in, \(Words.bytes(report.decompressedBytes)) decompressed")
    for function in report.functions {
      let total = function.total
      lines.append("\(function.name)")
      lines.append("  " + KeptWords.books(total, function.kept))
    }
    if let only { lines.append("only      \(only)") }
    lines.append(
      "store     \(store): \(Words.plural(report.rows, "row")) written in \(Words.plural(report.epochs, "commit")) "
        + "(\(Words.seconds(report.commitMilliseconds)))")
    for reached in report.frontier {
      lines.append("position  \(reached.partition): \(reached.next == nil ? "" : "through ")\(reached.text)")
    }
    if report.framesWithoutChecksum > 0 {
      lines.append(
        "warning   \(Words.plural(report.framesWithoutChecksum, "zstd frame")) without a checksum: "
          + "damage in them cannot be seen")
    }
    lines += report.lateBeginnings.map {
      "warning   the archive of \($0.partition) begins at position \($0.number), not at 0"
    }
    lines += Summary.found(report.findings)
    if !late.isEmpty {
      let names = late.prefix(5).map(\.name).joined(separator: ", ") + (late.count > 5 ? "…" : "")
      lines.append("found     \(Words.plural(late.count, "late file")) left out: \(names)")
    }
    for function in report.functions
    where function.total.applied == 0 && function.total.read > 0 && function.total.parked == 0 {
      if function.total.filtered > 0 {
        lines.append(
          "warning   \(function.name) applied none of \(Words.plural(function.total.read, "event")): the filter left out "
            + "\(Words.count(function.total.filtered)), and its own conditions the others")
        continue
      }
      lines.append(
        "warning   \(function.name) applied none of \(Words.plural(function.total.read, "event")): see with "
          + "`replay cat --limit 1` whether --type, --time, --key and --layout say where its fields are")
    }
    return lines
  }

  /// The first five findings of each kind, each with its segment.
  static func found(_ findings: [ChainFinding]) -> [String] {
    let kinds = Dictionary(grouping: findings, by: \.kind).sorted { $0.key.rawValue < $1.key.rawValue }
    return kinds.flatMap { kind, found in
      found.prefix(5).map { "found     \(kind.rawValue) in \($0.segment) of \($0.partition): \($0.detail)" }
        + (found.count > 5
          ? ["found     \(kind.rawValue) in \(Words.count(found.count - 5)) more; --report names all"] : [])
    }
  }

  private var outcome: String {
    switch report.outcome {
    case .finished: "finished"
    case .alreadyDone: "already_done"
    case .stopped: "stopped"
    }
  }

  var json: [(String, JSONText)] {
    [
      ("outcome", .string(outcome)), ("milliseconds", .number(report.milliseconds)),
      ("events", .number(report.records)),
      ("events_settled_before", .number(report.recordsSettledBefore)),
      ("compressed_bytes", .number(report.compressedBytes)),
      ("decompressed_bytes", .number(report.decompressedBytes)), ("rows_written", .number(report.rows)),
      ("commits", .number(report.epochs)), ("commit_milliseconds", .number(report.commitMilliseconds)),
      ("segments_read", .number(report.segmentsRead)),
      ("segments_settled_before", .number(report.segmentsSettledBefore)), ("frames", .number(report.frames)),
      ("frames_without_checksum", .number(report.framesWithoutChecksum)), ("order", .string(report.mode)),
      ("peak_memory_bytes", .number(Clock.peakMemory)), ("only", .optional(only)), ("store", .string(store)),
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
      ("findings_of_earlier_runs", .array(earlier.map(Summary.finding))),
      ("late_files", .array(late.map { .string($0.name) })),
    ] + (throttle.map { [("throttle", .object($0.json))] } ?? [])
  }

  private static func function(_ function: RunReport.Function) -> JSONText {
    .object(
      [("name", .string(function.name))] + books(function.total) + [
        ("kept", KeptWords.json(function.kept)),
        (
          "partitions",
          .array(
            function.books.map {
              .object(
                [("log", .string($0.partition.log)), ("partition", .string($0.partition.name))] + books($0.books))
            })
        ),
      ])
  }

  static func books(_ books: Books) -> [(String, JSONText)] {
    [
      ("read", .number(books.read)), ("applied", .number(books.applied)), ("ignored", .number(books.ignored)),
      ("filtered", .number(books.filtered)), ("duplicate", .number(books.duplicate)), ("parked", .number(books.parked)),
      ("dead_lettered", .number(books.deadLettered)),
    ]
  }

  static func finding(_ finding: ChainFinding) -> JSONText {
    .object([
      ("kind", .string(finding.kind.rawValue)), ("partition", .string(finding.partition.description)),
      ("segment", .string(finding.segment)), ("count", .number(finding.count)), ("detail", .string(finding.detail)),
    ])
  }
}
