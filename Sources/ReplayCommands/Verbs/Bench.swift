import ArgumentParser
import ReplayCore

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Time functions over an archive, stage by stage, against decompression alone. Keeps nothing.",
    discussion: """
      \(Root.toolName) bench --archive events/ --function \(FunctionShelf.all.first?.name ?? "NAME") --threshold 0.5

      Four stages, each with those before it: decompression alone; records split and fields extracted; the functions \
      run; the whole path as replay run goes, with its commits. They are run in turns on the same number of threads, \
      so that what slows the machine for a while slows all: quote the ratio, which is the median over the turns, \
      rather than a time. An untimed pass before counts the events and their time, and warms the system's cache. \
      The archive is opened and listed before; opening, checkpointing and closing the store is within the whole path.
      Each whole run writes a new SQLite file below TMPDIR, which should be on the disk that the store will be on. All \
      must leave the same rows, or it is an error; then the file is removed.
      Times live is the span of event time by the wall time of the whole path: 3 years in 2 seconds are 47,000,000x.
      A threshold is the least of the whole path: 0.5 (of decompress-only), 5.8M/s (events a second) or 10000x (live \
      speed); several are parted by commas. Exit codes: 0, or 99 where one is missed.
      """)

  @OptionGroup(title: "Archive") var archive: ArchiveOptions
  @OptionGroup(title: "Function") var functions: FunctionOptions
  @OptionGroup(title: "Filter") var filter: FilterOptions
  @Option(help: "Timed runs of each stage.")
  var runs = 5
  @Option(help: "Runs before them that do not count.")
  var warmup = 1
  @Flag(help: "Leave the database out: changes are collected and merged as for a commit, counted and dropped.")
  var withoutCommit = false
  @Option(
    help: "End with exit code 99 below this: 0.5, 5.8M/s, 10000x, or several with commas.",
    transform: { text in
      guard let list = ThresholdList(text) else {
        throw ValidationError("it is none of 0.5 (above 0, at most 1), 5.8M/s and 10000x, nor several with commas")
      }
      return list
    })
  var threshold: ThresholdList?
  @Option(help: "Write the account with every raw run: json or markdown, instead of the table or to --out.")
  var export: BenchFormat?
  @Option(help: "Write the export to this file.", completion: .file())
  var out: String?
  @OptionGroup(title: "Chain") var chain: ChainOptions
  @OptionGroup(title: "Work") var work: WorkOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    if !(1...1_000).contains(runs) { throw ValidationError("--runs must be from 1 to 1,000.") }
    if !(0...1_000).contains(warmup) { throw ValidationError("--warmup must be from 0 to 1,000.") }
    if out != nil, export == nil { throw ValidationError("--out needs --export json or --export markdown.") }
    if export != nil, !isExportedToFile, output.json {
      throw ValidationError("Both --json and --export write to standard output: give --out too.")
    }
  }

  func run() throws {
    output.apply()
    if let out { try OutputFile.check(out) }
    Signals.keepNothing()
    let account: BenchAccount
    do { account = try measure() } catch is BenchStopped {
      throw ExitCode(128 + Signals.signal)
    } catch var error as ReplayError {
      // What a run says that it committed is gone.
      error.effect = "nothing is kept or reported"
      throw error
    }
    try show(account)
    if let error = Bench.missed(account.verdicts) { throw error }
  }

  private var isExportedToFile: Bool { out.map { $0 != "-" } ?? false }

  private func measure() throws -> BenchAccount {
    let machine = Machine()
    let projections = try functions.projections
    if let other = projections.first(where: \.hasSessions) {
      throw ReplayError(
        .usage, "bench measures what runs in this process: \(other.name) does not", effect: "nothing was read",
        next: "time replay run, with --max-rate left out")
    }
    var opened = try OpenedArchive(archive)
    for line in opened.description { Console.shared.detail(line) }
    for line in opened.warnings { Console.shared.say("replay: \(line)") }
    let chosen = try RunFilter(filter).resolved(in: opened, archive).filter([])
    opened.plan = chosen.plan(opened.plan)
    let bench = try BenchCase(self, opened, projections, chosen)
    let survey = try ArchiveSurvey(opened, archive, chain, threads: bench.threads)
    try checkThresholds(survey)
    let runs = try BenchRuns(bench, warmups: warmup, runs: runs, commits: !withoutCommit)
    return BenchAccount(self, bench, survey, runs, on: machine)
  }

  /// A threshold that cannot be judged is told before the long part.
  private func checkThresholds(_ survey: ArchiveSurvey) throws {
    guard survey.span == nil, let asked = threshold?.all.first(where: { $0.measure == .timesLive }) else { return }
    throw ReplayError(
      .usage, "the threshold \(asked.text) cannot be judged: the archive has no event time",
      details: ["events with a time: \(survey.timed) of \(survey.events)"],
      next: "say with --time where it is, or give another threshold")
  }

  private func show(_ account: BenchAccount) throws {
    if let export {
      let text = export == .json ? JSONText.object(account.json).text + "\n" : account.markdown
      try OutputFile.write(text, to: out ?? "-")
    }
    if Console.shared.isJSON {
      Console.shared.event("bench", account.json)
    } else if export == nil || isExportedToFile {
      for line in account.lines { Console.shared.data(line) }
    }
  }

  /// The error that says by how much; nil where every threshold is met.
  static func missed(_ verdicts: [Verdict]) -> ReplayError? {
    let missed = verdicts.filter { !$0.isMet }
    guard let first = missed.first else { return nil }
    return ReplayError(
      .threshold, "a threshold is missed: \(first.sentence)", details: missed.dropFirst().map { "and: \($0.sentence)" },
      next: "see which stage takes the time, and whether the machine was busy with other work")
  }
}

/// The value of `--threshold`.
struct ThresholdList {
  let all: [Threshold]

  init?(_ text: String) {
    guard let all = Threshold.list(text) else { return nil }
    self.all = all
  }
}
