import ReplayCore

/// The account as a person reads it.
extension BenchAccount {
  var lines: [String] {
    // The rest of the evidence is what `plan` shows, and -v.
    var lines = archive.description.prefix(2) + facts.map { $0.name.padded(10) + $0.text } + [""]
    var table = TextTable(header, numeric: Set(1..<header.count))
    for stage in stages { table.add(cells(stage)) }
    lines += table.lines + [""]
    return lines + results.map { $0.name.padded(12) + $0.text }
  }

  /// What was measured and where.
  var facts: [(name: String, text: String)] {
    let functions = options.functions.function.map(SecretOption.hidden).joined(separator: " + ")
    let load = machine.load.map { ", load \(Words.fixed($0, 1))" } ?? ""
    return [
      ("functions", functions), ("events", events),
      (
        "machine",
        "\(Words.plural(machine.processors, "processor")) \(machine.processor), \(machine.kernel), \(machine.system)\(load)"
      ),
      ("tool", "\(Root.configuration.version), JSON kernel \(machine.jsonKernel)"),
      (
        "runs",
        "\(Words.count(options.runs)) in turns, \(Words.plural(options.warmup, "warm-up")) before; "
          + "\(Words.plural(threads, "thread"))\(mode == .routed ? ", and as many lanes' in a whole run" : ""); "
          + mode.rawValue
      ),
    ]
  }

  private var events: String {
    guard let first = survey.first, let last = survey.last, let span = survey.span else {
      return Words.count(survey.events) + ", no event time"
    }
    let missing = survey.events - survey.timed
    let except = missing == 0 ? "" : " (\(Words.count(missing)) without one)"
    return "\(Words.count(survey.events)) from \(first) to \(last)\(except): \(BenchWords.span(span))"
  }

  /// The names of `cells`.
  var header: [String] {
    [
      "stage (times in \(isInSeconds ? "s" : "ms"))", "mean ± σ", "median", "min", "max", "CPU", "events/s", "MB/s in",
      "MB/s out", "paired ratio",
    ]
  }

  private var isInSeconds: Bool { stages.contains { $0.wall.median >= 1 } }

  /// The table's row of a stage.
  func cells(_ stage: StageAccount) -> [String] {
    let time = { (seconds: Double) in
      isInSeconds ? Words.fixed(seconds, 3) : Words.fixed(seconds * 1000, 2)
    }
    let wall = stage.wall
    return [
      stage.title, time(wall.mean) + (wall.deviation.map { " ± " + time($0) } ?? ""), time(wall.median),
      time(wall.least), time(wall.greatest), time(stage.cpu.median), BenchWords.rate(stage.perSecond(survey.events)),
      BenchWords.megabytes(stage.perSecond(compressedBytes)),
      BenchWords.megabytes(stage.perSecond(decompressedBytes)), Words.fixed(stage.ratios.median, 3),
    ]
  }

  /// What comes of it.
  var results: [(name: String, text: String)] {
    var results: [(name: String, text: String)] = []
    if let whole = stages.last {
      let live = timesLive.map { "\(BenchWords.times($0)) (span of event time by the whole path's median)" }
      results.append(("times live", live ?? "no event time"))
      let ratios = whole.ratios
      results.append(
        (
          "ratio",
          "\(Words.fixed(ratios.median, 3)) of decompress-only, median of \(Words.plural(ratios.values.count, "pair")), "
            + "\(Words.fixed(ratios.least, 3)) to \(Words.fixed(ratios.greatest, 3))"
        ))
    }
    results.append(("memory", "\(Words.bytes(peakMemory)) at most, of this process in all stages"))
    results.append(("rows hash", rowsText))
    if findings > 0 {
      results.append(
        ("found", "\(Words.count(findings)) positions or records that flags let through; replay check names them"))
    }
    if let floor = stages.first, floor.wall.median < BenchAccount.leastSeconds {
      results.append(("warning", "decompression takes less than 0.1 s: too little for its ratio to mean anything"))
    }
    return results + verdicts.map { ("threshold", $0.sentence) }
  }

  /// Below this a thread's start counts as much as the work.
  private static let leastSeconds = 0.1

  private var wholeRuns: Int { options.warmup + options.runs }

  private var rowsText: String {
    guard let rows else { return "none: nothing was committed" }
    let count = rows.reduce(0) { $0 + $1.rows }
    return "\(TableRows.hash(of: rows)), \(Words.plural(count, "row")) in \(Words.plural(rows.count, "table")) by "
      + "\(Words.plural(commits, "commit"))\(wholeRuns > 1 ? ", the same in all \(wholeRuns) whole runs" : "")"
  }
}

extension String {
  fileprivate func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
}
