import ArgumentParser
import ReplayArchive
import ReplayCore
import ReplayEngine

struct Plan: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a run would read, in which order and about how long. Writes nothing but --out.",
    discussion: """
      \(Root.toolName) plan --archive events/ --function \(FunctionShelf.all.first?.name ?? "NAME") --store events.db --out plan.json
      \(Root.toolName) apply plan.json

      With --live it asks the stream where it begins and ends, and says how the archive would be handed off to it and \
      whether retention still covers what comes behind the archive. A kept plan has the stream too, but no secret: \
      say -X KEY=@file:PATH.
      Exit codes: 0, or with --detailed-exitcode 2 where there is work to do; else that of the run that would stop at once.
      """)

  @OptionGroup(title: "Archive") var archive: ArchiveOptions
  @OptionGroup(title: "Function and store") var target: TargetOptions
  @OptionGroup(title: "Filter") var filter: FilterOptions
  @Option(help: "Keep the plan in this file, for replay apply.")
  var out: String?
  @Flag(help: "End with exit code 2 where there is work to do.")
  var detailedExitcode = false
  @OptionGroup(title: "Live") var stream: StreamOptions
  @OptionGroup(title: "Chain") var chain: ChainOptions
  @OptionGroup(title: "Events that cannot be applied") var failures: FailureOptions
  @OptionGroup(title: "Work") var work: WorkOptions
  @OptionGroup(title: "The target's readers") var throttle: ThrottleOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    try failures.verify(stream)
    try filter.verify(stream)
    guard out != nil else { return }
    if target.function.isEmpty || target.store == nil {
      throw ValidationError("A plan to apply needs --function and --store.")
    }
    if archive.filesFrom == "-" {
      throw ValidationError("A list on standard input cannot be kept: give --files-from a file.")
    }
  }

  func run() throws {
    output.apply()
    Signals.endAtOnce()
    let projections = try target.projections
    let opened = try OpenedArchive(archive)
    let outlook = try Outlook(self, opened, projections)
    if Console.shared.isJSON {
      Console.shared.event("plan", outlook.json)
    } else {
      for line in outlook.lines { Console.shared.data(line) }
    }
    if let problem = outlook.problems.first { throw problem }
    if let out {
      try OutputFile.write(try PlanFile.text(self, opened, projections), to: out)
      Console.shared.say("replay: the plan is in \(out); next: replay apply \(out)")
    }
    if detailedExitcode, outlook.hasWork { throw ExitCode(2) }
  }
}

/// Everything that is known of a run before it.
struct Outlook {
  let command: Plan
  let archive: OpenedArchive
  let projections: [any Projection]
  let stored: StoredOutlook
  let left: (segments: Int, bytes: UInt64)
  let sample: FunctionSample
  let lanes: Int
  /// How order per key would be kept; nil without a function.
  let mode: ReadMode?
  let filter: RunFilter
  /// What the names alone show to be missing or doubled.
  let findings: [ChainFinding]
  /// Nil where no stream was named, or it cannot be handed off to: then a problem says why.
  private(set) var stream: StreamOutlook?
  /// What would stop a run.
  private(set) var problems: [ReplayError] = []

  init(_ command: Plan, _ archive: OpenedArchive, _ projections: [any Projection]) throws {
    self.command = command
    self.archive = archive
    self.projections = projections
    lanes = command.work.lanes ?? Clock.processors
    mode =
      projections.isEmpty
      ? nil
      : ReadMode(
        projections: projections, plan: archive.plan, lanes: lanes, parks: command.failures.archived.choice == .park)
    filter = try RunFilter(command.filter).resolved(in: archive, command.archive)
    stored = try StoredOutlook(
      command.target.store, projections, anatomy: archive.seenAnatomy, filter: filter.statement)
    let chosen = try filter.filter(stored.functions.map(\.checkpoint))
    let plan = chosen.plan(archive.plan)
    let unsettled = stored.unsettled(plan)
    left = (unsettled.count, unsettled.reduce(0) { $0 + $1.entry.size })
    sample = try Outlook.sample(unsettled, projections, archive, chosen, command)
    var strict = archive.chain(command.chain)
    do { _ = try strict.examineNames(archive.plan) } catch {
      problems.append(error as? ReplayError ?? ReplayError(.unexpected, "\(error)"))
    }
    strict.allow = Set(ChainFinding.Kind.allCases)
    if strict.positions == .unstated { strict.positions = .dense }
    findings = (try? strict.examineNames(archive.plan)) ?? []
    problems += stored.problems + stored.refusals(archive, plan, command.chain)
    problems += sample.failure.map { [$0] } ?? []
    if command.stream.live != nil {
      do { try filter.refuseLive(archive) } catch let error as ReplayError { problems.append(error) }
    }
    guard let live = command.stream.live else {
      problems += stored.functions.filter { $0.phase != .archive }.map {
        Replaying.follows($0.name, $0.checkpoint, stored.path ?? "")
      }
      return
    }
    do {
      let found = try StreamOutlook(live, command, archive, stored)
      stream = found
      problems += found.problems
    } catch let error as ReplayError { problems.append(error) }
  }

  var hasWork: Bool { left.segments > 0 || stream?.hasWork == true }

  private static func sample(
    _ segments: [Segment], _ projections: [any Projection], _ archive: OpenedArchive, _ filter: EventFilter,
    _ command: Plan
  ) throws -> FunctionSample {
    let reads = projections.isEmpty ? [Reads()] : projections.map(\.reads)
    let decoder = try archive.decoder(
      reads, needsKey: projections.contains { !$0.isMergeOnly }, filter: filter, command.archive, command.chain)
    var limits = FunctionSample.Limits()
    limits.blockBytes = command.archive.blockBytes
    // What works elsewhere may change something there.
    let isOthers = projections.contains(where: \.hasSessions)
    return FunctionSample(
      projections, decoder.extraction, decoder: decoder, in: archive.source, of: isOthers ? [] : segments,
      filter: filter, limits: limits, now: Clock.milliseconds)
  }

  /// Lines of work that read at once: no more than processors, segments' partitions, and lanes.
  var readers: Int {
    let partitions = archive.plan.partitions.count
    let readers = mode?.readers(lanes: lanes, partitions: partitions) ?? lanes
    return max(1, min(readers, Clock.processors, max(1, left.segments)))
  }

  var estimatedEvents: UInt64 { UInt64(Double(left.bytes) * sample.eventsPerByte) }

  var estimatedMilliseconds: Int64 {
    let perSecond = sample.eventsPerSecond * Double(readers)
    return perSecond > 0 ? Int64(Double(estimatedEvents) * 1000 / perSecond) : 0
  }
}
