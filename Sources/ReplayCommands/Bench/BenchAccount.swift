import ReplayCore
import ReplayEngine

/// What a stage's runs add up to.
struct StageAccount {
  let stage: BenchStage
  let title: String
  let warmups: [Timing]
  let timings: [Timing]
  /// Of decompression alone, run by run.
  let ratios: Sample

  var wall: Sample { Sample(timings.map(\.wall)) }
  var cpu: Sample { Sample(timings.map(\.cpu)) }

  /// So many of something, at the median time; 0 where that is 0.
  func perSecond(_ count: UInt64) -> Double { wall.median > 0 ? Double(count) / wall.median : 0 }
}

/// Everything that a benchmark says, before it is put into words.
struct BenchAccount {
  let command: [String]
  /// As it was before anything ran.
  let machine: Machine
  let archive: OpenedArchive
  let survey: ArchiveSurvey
  let options: Bench
  let lanes: Int
  let threads: Int
  let mode: ReadMode
  let stages: [StageAccount]
  /// Of the files that were read, before and after decompression.
  let compressedBytes: UInt64
  let decompressedBytes: UInt64
  let peakMemory: UInt64
  let findings: UInt64
  let commits: UInt64
  /// Nil where nothing was committed.
  let rows: [TableRows]?
  let verdicts: [Verdict]

  init(_ options: Bench, _ bench: BenchCase, _ survey: ArchiveSurvey, _ runs: BenchRuns, on machine: Machine) {
    self.options = options
    self.survey = survey
    self.machine = machine
    command = CommandLine.arguments.map(SecretOption.hidden)
    archive = bench.archive
    lanes = options.work.options.lanes
    threads = bench.threads
    mode = bench.mode
    let floor = (runs.timings[.decompress] ?? []).map(\.wall)
    stages = BenchStage.allCases.map { stage in
      let timings = runs.timings[stage] ?? []
      return StageAccount(
        stage: stage, title: BenchAccount.title(stage, options), warmups: runs.warmups[stage] ?? [], timings: timings,
        ratios: Sample.pairedRatios(floor, timings.map(\.wall)))
    }
    compressedBytes = bench.files.reduce(0) { $0 + $1.size }
    decompressedBytes = runs.decompressedBytes
    peakMemory = runs.peakMemory
    findings = runs.reports.last?.findings.reduce(0) { $0 + UInt64($1.count) } ?? 0
    commits = options.withoutCommit ? 0 : runs.reports.last?.epochs ?? 0
    rows = options.withoutCommit ? nil : runs.rows.last
    let whole = stages.first { $0.stage == .whole }
    verdicts = (options.threshold?.all ?? []).map { threshold in
      Verdict(threshold: threshold, measured: BenchAccount.measured(threshold.measure, whole, survey))
    }
  }

  private static func title(_ stage: BenchStage, _ options: Bench) -> String {
    switch stage {
    case .decompress: "decompress only"
    case .extract: "+ split and extract"
    case .function: options.functions.function.count == 1 ? "+ function" : "+ functions"
    case .whole: "whole path, \(options.withoutCommit ? "without" : "with") the commit"
    }
  }

  private static func measured(_ measure: Threshold.Measure, _ whole: StageAccount?, _ survey: ArchiveSurvey) -> Double
  {
    guard let whole else { return 0 }
    switch measure {
    case .ratio: return whole.ratios.median
    case .eventsPerSecond: return whole.perSecond(survey.events)
    case .timesLive: return BenchAccount.timesLive(whole, survey) ?? 0
    }
  }

  /// Seconds of event time in a second of the whole path; nil where no event time is known.
  private static func timesLive(_ whole: StageAccount, _ survey: ArchiveSurvey) -> Double? {
    guard let span = survey.span, whole.wall.median > 0 else { return nil }
    return span / whole.wall.median
  }

  var timesLive: Double? { stages.last.flatMap { BenchAccount.timesLive($0, survey) } }
}
