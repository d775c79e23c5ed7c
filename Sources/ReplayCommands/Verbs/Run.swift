import ArgumentParser
import ReplayArchive
import ReplayCore
import ReplayDecode
import ReplayEngine

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run functions over an archive into a store. The same command resumes, and takes in new files.")

  @OptionGroup(title: "Archive") var archive: ArchiveOptions
  @OptionGroup(title: "Function") var functions: FunctionOptions
  @Option(help: "Run this build of the function, where several stand beside each other (`replay rebuild`).")
  var build: Int?
  /// Not for people: the build that is meant by the function's own name.
  @Option(help: .hidden)
  var servingBuild: Int?
  @OptionGroup(title: "Filter") var filter: FilterOptions
  @OptionGroup(title: "Store") var store: StoreOptions
  @Flag(help: "Empty the functions' tables and start over.")
  var fullRefresh = false
  @Option(help: "Write the run's account as JSON to this file.")
  var report: String?
  @OptionGroup(title: "Live") var stream: StreamOptions
  @OptionGroup(title: "Listen") var listen: ListenOptions
  @OptionGroup(title: "Chain") var chain: ChainOptions
  @OptionGroup(title: "Events that cannot be applied") var failures: FailureOptions
  @OptionGroup(title: "Work") var work: WorkOptions
  @OptionGroup(title: "The target's readers") var throttle: ThrottleOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  var runOptions: RunOptions {
    var options = work.options
    options.workers = functions.foreign.workers
    return options
  }

  func validate() throws {
    try failures.verify(stream)
    try filter.verify(stream)
    if let build, build < 1 { throw ValidationError("--build must be at least 1.") }
    if build != nil, functions.function.count > 1 { throw ValidationError("--build is for one function.") }
  }

  /// The functions, under the names of their builds.
  var projections: [any Projection] {
    get throws {
      let functions = try functions.projections
      if let servingBuild {
        return functions.map { FunctionBuild($0, number: servingBuild, isServing: true) }
      }
      guard let build else { return functions }
      return try functions.map { try FunctionBuild.checked($0, number: build) }
    }
  }

  func run() throws {
    output.apply()
    try refuseReportsInPlaces()
    try Succession.run(self)
  }

  /// One run, under one name.
  func runOnce() throws {
    try Replaying.reporting(to: report) { account in
      try StatusServer.serving(self) { board in
        if let live = stream.live {
          return try LiveReplay(self, live: live, board: board, account: account).runUntilStopped()
        }
        let filter = try RunFilter(filter)
        try Replaying(self, archive: try OpenedArchive(archive), filter, board: board).run()
      }
    }
  }
}

/// One run of the verb, from the opened archive to the exit code.
struct Replaying {
  let command: Run
  var archive: OpenedArchive
  private let filter: RunFilter
  private let board: StatusBoard?

  init(_ command: Run, archive: OpenedArchive, _ filter: RunFilter, board: StatusBoard? = nil) {
    self.command = command
    self.archive = archive
    self.filter = filter
    self.board = board
  }

  /// Runs `body`; where it fails, the report says so. A report that cannot be written is an error before anything is.
  static func reporting(to path: String?, _ body: (RunAccount) throws -> Void) throws {
    let account = RunAccount(path)
    if let path { try OutputFile.check(path) }
    do { try body(account) } catch let error as ReplayError {
      try? account.failed(error)
      throw error
    }
  }

  func run() throws { try TargetThrottle.during(command) { try runWatched() } }

  private func runWatched() throws {
    let projections = try command.projections
    try refuseStoreInside()
    sayArchive()
    let filter = try filter.resolved(in: archive, command.archive)
    let layout = EventLayout(archive)
    let store = try command.store.open()
    let checkpoints = try store.open(
      projections.map { layout.identity($0, filter.statement) }, range: .all, refresh: command.fullRefresh)
    for (projection, checkpoint) in zip(projections, checkpoints) where checkpoint.phase != .archive {
      throw Replaying.follows(projection.name, checkpoint, store.name)
    }
    let resumed = try resume(checkpoints)
    let summary = try replay(projections, store, checkpoints, resumed)
    try store.close()
    try end(summary)
  }

  /// What comes is not the archive's to give any more.
  static func follows(_ function: String, _ checkpoint: Checkpoint, _ store: String) -> ReplayError {
    let stream = checkpoint.frontier.keys.filter { $0.side == .live }.map(\.log).min() ?? ""
    let isOthers = checkpoint.phase == .handedOver
    return ReplayError(
      .usage,
      isOthers
        ? "the function \(function) is in the hands of another consumer of its stream"
        : "the function \(function) follows a stream: its events do not come from the archive any more",
      details: ["stream \(stream), store \(store)"], effect: "nothing was read or applied",
      next: isOthers
        ? "start anew with --full-refresh, if that is meant" : "go on with --live, or start anew with --full-refresh")
  }

  func sayArchive() {
    for line in archive.description { Console.shared.detail(line) }
    if archive.layout.orderStrength != .exact, !Console.shared.isVerbose {
      Console.shared.say("replay: \(archive.layout.orderStrength.sentence)")
    }
    for line in archive.warnings { Console.shared.say("replay: \(line)") }
  }

  /// A store below the archive's directory would be taken for a segment tomorrow.
  func refuseStoreInside() throws {
    guard let file = try command.store.address.path else { return }
    let store = InputFile.absolute(file)
    let directory = String(store.prefix(upTo: store.lastIndex(of: "/") ?? store.startIndex))
    guard case .directory(let path) = archive.source.location,
      let root = InputFile.real(path), let home = InputFile.real(directory.isEmpty ? "/" : directory),
      home == root || home.hasPrefix(root == "/" ? root : root + "/")
    else { return }
    throw ReplayError(
      .usage, "the store lies inside the archive: \(store)", effect: "nothing was written",
      next: "name a store elsewhere: what lies in the archive is read as a segment")
  }

  /// What is left to read, once the archive was found to be the one that was settled.
  func resume(_ checkpoints: [Checkpoint]) throws -> (plan: ArchivePlan, late: [Segment]) {
    let plan = try filter.filter(checkpoints).plan(archive.plan)
    var found: (plan: ArchivePlan, late: [Segment]) = (plan, [])
    for (index, checkpoint) in checkpoints.enumerated() {
      let checked = try ArchiveContinuity.verify(
        plan: plan, settled: checkpoint.settled, halfRead: checkpoint.halfRead, frontier: checkpoint.frontier,
        digest: { try archive.digest(of: $0, bytes: $1) }, allowLate: command.chain.allowLate,
        allowOverlaps: command.chain.allowOverlaps)
      for segment in checked.unproved {
        Console.shared.say(
          "replay: warning: \(segment.name) has changed since it was half read; "
            + "what was settled of it lies in no whole frame and is taken to be the same")
      }
      if index > 0, checked.late.map(\.name) != found.late.map(\.name) {
        throw ReplayError(
          .data, "files are late for one function and not for another",
          details: [found.late, checked.late].map {
            "late: \($0.isEmpty ? "none" : $0.map(\.name).joined(separator: ", "))"
          },
          effect: "nothing was read", next: "run the functions one after another, or start anew with --full-refresh")
      }
      found = (checked.plan, checked.late)
    }
    return found
  }

  func replay(
    _ projections: [any Projection], _ store: any Store, _ checkpoints: [Checkpoint],
    _ resumed: (plan: ArchivePlan, late: [Segment])
  ) throws -> Summary {
    let settled = Set(checkpoints.first?.settled.map(\.entry.name) ?? [])
    let before = checkpoints.map(\.events).min() ?? 0
    let left = resumed.plan.partitions.flatMap(\.segments).filter { !settled.contains($0.name) }
    let bytes = left.reduce(0) { $0 + $1.entry.size }
    let progress = ProgressLine(projections.map(\.name).joined(separator: " + "), totalBytes: bytes)
    board?.began(archive.plan.partitions.map(\.partition), bytes: bytes)
    if before > 0, !left.isEmpty || command.stream.live == nil {
      Console.shared.say(
        "replay: resuming: \(Words.count(before)) events are settled, \(Words.plural(left.count, "segment")) left")
    }
    var options = command.runOptions
    options.onError = command.failures.archived
    options.maxKeptBytes = command.failures.maxParkedBytes
    let kept = checkpoints.map(\.kept)
    let needsKey =
      projections.contains { !$0.isMergeOnly }
      || options.onError.needsKey(kept, keysFiles: archive.layout.usesKeysFiles)
    var reading = command.archive
    // What is read ahead of a function that takes its time has to be worked through before each commit.
    if projections.contains(where: \.hasSessions) { reading.blockBytes = min(reading.blockBytes, 32 << 10) }
    if let gate = TargetThrottle.current?.gate {
      options.pass(through: gate)
      reading.blockBytes = min(reading.blockBytes, TargetThrottle.blockBytes)
    }
    let chosen = try filter.filter(checkpoints)
    let decoder = try archive.decoder(
      projections.map(\.reads), needsKey: needsKey, filter: chosen, reading, command.chain)
    let setup = RunSetup(
      projections: projections, plan: resumed.plan, extraction: decoder.extraction, source: archive.source,
      decoder: decoder, store: store, rule: archive.chain(command.chain), options: options,
      stop: Signals.stop, hasParkedKeys: kept.contains { !$0.parkedKeys.isEmpty }, filter: chosen
    ) { [board] event in
      board?.hear(event)
      switch event {
      case .progress(let now): progress.show(now)
      case .committed(let commits, let events, let rows):
        Console.shared.event(
          "checkpoint", [("commits", .number(commits)), ("events", .number(events)), ("rows", .number(rows))])
      }
    }
    let report = try ReplayRun(setup, checkpoints: checkpoints).run()
    board?.finished(report)
    return Summary(
      report: report, only: filter.words, store: store.name, late: resumed.late,
      earlier: checkpoints.flatMap(\.findings),
      command: CommandLine.arguments.map(SecretOption.hidden), throttle: TargetThrottle.current?.account)
  }

  /// Says what was done, and ends with the exit code that says it too.
  func end(_ summary: Summary) throws {
    if summary.report.outcome == .alreadyDone {
      let what = summary.late.isEmpty ? "every event of the archive" : "every event that is not left out"
      Console.shared.say("replay: nothing to do: \(what) is settled in \(summary.store)")
      for segment in summary.late { Console.shared.say("replay: late, left out: \(segment.name)") }
    } else {
      for line in summary.lines { Console.shared.say("replay: \(line)") }
      for line in try command.projections.compactMap(ForeignOptions.delivery) {
        Console.shared.say("replay: \(line)")
      }
    }
    for line in Summary.found(summary.earlier) { Console.shared.say("replay: earlier runs \(line)") }
    KeptWords.say(summary.kept, store: summary.store)
    Console.shared.event("summary", summary.json)
    if let path = command.report { try OutputFile.write(JSONText.object(summary.json).text + "\n", to: path) }
    guard summary.report.functions.allSatisfy({ $0.books.allSatisfy(\.books.balance) }) else {
      throw ReplayError(.unexpected, "the books do not balance", next: "please report this, with the account above")
    }
    if summary.report.outcome == .stopped {
      Console.shared.say("replay: run the same command to go on")
      throw ExitCode(128 + Signals.signal)
    }
    if summary.isIncomplete { throw ExitCode(ReplayError.Code.incomplete.rawValue) }
  }
}
