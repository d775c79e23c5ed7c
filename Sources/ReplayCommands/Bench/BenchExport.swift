import ArgumentParser
import ReplayCore

enum BenchFormat: String, ExpressibleByArgument, CaseIterable {
  case json, markdown
}

/// The account for programs, with every raw run.
extension BenchAccount {
  var json: [(String, JSONText)] {
    [
      ("tool", .string(Root.configuration.version)), ("started_at", .string(machine.time.description)),
      ("command", .array(command.map { .string($0) })), ("machine", .object(machineJSON)),
      ("archive", .object(archiveJSON)), ("options", .object(optionsJSON)),
      ("stages", .array(stages.map { .object(json($0)) })),
      ("times_live", timesLive.map { .real($0) } ?? .null),
      ("ratio_to_decompress", .real(stages.last?.ratios.median ?? 0)),
      ("peak_memory_bytes", .number(peakMemory)), ("commits", .number(commits)),
      ("findings", .number(findings)), ("rows_hash", .optional(rows.map { TableRows.hash(of: $0) })),
      ("tables", .array((rows ?? []).map(BenchAccount.json))), ("thresholds", .array(verdicts.map(BenchAccount.json))),
    ]
  }

  private var machineJSON: [(String, JSONText)] {
    [
      ("processors", .number(machine.processors)), ("processor", .string(machine.processor)),
      ("kernel", .string(machine.kernel)), ("system", .string(machine.system)),
      ("load", machine.load.map { .real($0) } ?? .null), ("json_kernel", .string(machine.jsonKernel)),
    ]
  }

  private var archiveJSON: [(String, JSONText)] {
    [
      ("name", .string(archive.source.name)), ("layout", .string(archive.layout.layout.rawValue)),
      ("framing", .optional(archive.layout.framing?.rawValue)),
      ("codecs", .array(archive.codecs.map { .string($0) })), ("partitions", .number(archive.plan.partitions.count)),
      ("segments", .number(archive.plan.segmentCount)), ("compressed_bytes", .number(compressedBytes)),
      ("decompressed_bytes", .number(decompressedBytes)), ("frames", .number(survey.frames)),
      ("frames_without_checksum", .number(survey.framesWithoutChecksum)), ("events", .number(survey.events)),
      ("events_with_time", .number(survey.timed)), ("first_time", .optional(survey.first?.description)),
      ("last_time", .optional(survey.last?.description)),
      ("span_seconds", survey.span.map { .real($0) } ?? .null),
    ]
  }

  private var optionsJSON: [(String, JSONText)] {
    [
      ("functions", .array(options.functions.function.map { .string(SecretOption.hidden($0)) })),
      ("runs", .number(options.runs)),
      ("warmup", .number(options.warmup)), ("with_commit", .bool(!options.withoutCommit)), ("lanes", .number(lanes)),
      ("threads", .number(threads)), ("order", .string(mode.rawValue)),
      ("block_bytes", .number(options.archive.blockBytes)),
      ("commit_interval_seconds", .real(options.work.commitInterval)),
      ("commit_bytes", .number(options.work.commitBytes)),
      ("commit_events", options.work.commitEvents.map { .number($0) } ?? .null),
      ("max_state_bytes", .number(options.work.maxStateBytes)),
    ]
  }

  private func json(_ stage: StageAccount) -> [(String, JSONText)] {
    let timings = stage.timings
    return [
      ("name", .string(stage.stage.rawValue)), ("title", .string(stage.title)),
      ("seconds", BenchAccount.json(stage.wall)), ("cpu_seconds", BenchAccount.json(stage.cpu)),
      ("events_per_second", .real(stage.perSecond(survey.events))),
      ("bytes_in_per_second", .real(stage.perSecond(compressedBytes))),
      ("bytes_out_per_second", .real(stage.perSecond(decompressedBytes))),
      ("ratio_to_decompress", BenchAccount.json(stage.ratios)),
      ("runs", .array(timings.map(BenchAccount.json))), ("warmups", .array(stage.warmups.map(BenchAccount.json))),
    ]
  }

  private static func json(_ sample: Sample) -> JSONText {
    .object([
      ("mean", .real(sample.mean)), ("sigma", sample.deviation.map { .real($0) } ?? .null),
      ("median", .real(sample.median)), ("min", .real(sample.least)), ("max", .real(sample.greatest)),
      ("values", .array(sample.values.map { .real($0) })),
    ])
  }

  private static func json(_ timing: Timing) -> JSONText {
    .object([("wall", .real(timing.wall)), ("user", .real(timing.user)), ("system", .real(timing.system))])
  }

  private static func json(_ table: TableRows) -> JSONText {
    .object([("name", .string(table.name)), ("rows", .number(table.rows)), ("hash", .string(table.hash))])
  }

  private static func json(_ verdict: Verdict) -> JSONText {
    .object([
      ("threshold", .string(verdict.threshold.text)), ("measure", .string(verdict.threshold.measure.rawValue)),
      ("least", .real(verdict.threshold.least)), ("measured", .real(verdict.measured)), ("met", .bool(verdict.isMet)),
      ("shortfall", .real(verdict.shortfall)),
    ])
  }
}

/// The account as a page of Markdown, for a record beside the code or a pull request.
extension BenchAccount {
  var markdown: String {
    var lines = [
      "# Benchmark of \(options.functions.function.map(SecretOption.hidden).joined(separator: " + ")), \(machine.time)",
      "",
    ]
    let call = command.map(Words.shellQuoted).joined(separator: " ")
    lines += ["    \(call)", "", "- archive: \(archive.description[0].drop { $0 != " " }.drop { $0 == " " })"]
    lines += facts.dropFirst().map { "- \($0.name): \($0.text)" } + [""]
    lines += BenchAccount.table(header, stages.map(cells)) + [""]
    lines += results.map { "- \($0.name): \($0.text)" }
    lines += ["", "Every run in seconds, wall and (processor):", ""]
    let names =
      ["stage"] + (0..<options.warmup).map { "warm-up \($0 + 1)" } + (0..<options.runs).map { "run \($0 + 1)" }
    lines += BenchAccount.table(
      names,
      stages.map { stage in
        [stage.title]
          + (stage.warmups + stage.timings).map { "\(Words.fixed($0.wall, 4)) (\(Words.fixed($0.cpu, 4)))" }
      })
    return lines.joined(separator: "\n") + "\n"
  }

  private static func table(_ header: [String], _ rows: [[String]]) -> [String] {
    let rule = "|---|" + header.dropFirst().map { _ in "---:|" }.joined()
    return ["| " + header.joined(separator: " | ") + " |", rule]
      + rows.map { "| " + $0.joined(separator: " | ") + " |" }
  }
}
