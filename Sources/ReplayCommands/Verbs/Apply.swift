import ArgumentParser
import ReplayArchive
import ReplayCore

struct Apply: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run exactly what a kept plan says; refuse if the archive or a function has changed since.")

  @Argument(help: "The plan, from replay plan --out.")
  var plan: String
  @Option(help: "Write the run's account as JSON to this file.")
  var report: String?
  @OptionGroup(title: "Output") var output: OutputOptions

  func run() throws {
    output.apply()
    let kept = try PlanFile.read(plan)
    if kept.usesList, kept.directory != InputFile.workingDirectory {
      throw ReplayError(
        .usage, "the plan's files were listed relative to another directory",
        details: ["made in: \(kept.directory)", "this is: \(InputFile.workingDirectory)"],
        next: "run the command there")
    }
    var run = try command(kept)
    try PlanFile.check(run.functions.function)
    run.output = output
    run.report = report
    let functions = PlanFile.functions(try run.functions.projections)
    guard functions == kept.functions else { throw Apply.changed(kept.functions, functions) }
    let archive = try OpenedArchive(run.archive)
    if let error = archive.plan.difference(from: kept.fingerprint).error { throw error }
    try run.refuseReportsInPlaces()
    try Replaying.reporting(to: report) { account in
      if let live = run.stream.live {
        return try LiveReplay(run, live: live, board: nil, account: account).runUntilStopped()
      }
      try Replaying(run, archive: archive, try RunFilter(run.filter)).run()
    }
  }

  /// The run that the plan describes.
  private func command(_ kept: PlanFile) throws -> Run {
    do { return try Run.parse(kept.arguments) } catch {
      throw ReplayError(
        .usage, "this replay does not understand the plan: \(plan)",
        details: Run.message(for: error).split(separator: "\n").map(String.init),
        next: "make the plan anew with this replay")
    }
  }

  private static func changed(_ planned: [PlanFile.Function], _ found: [PlanFile.Function]) -> ReplayError {
    let names = zip(planned, found).filter { $0 != $1 }.map(\.0.name)
    return ReplayError(
      .config, "a function is not the one that was planned: \(names.joined(separator: ", "))",
      details: zip(planned, found).filter { $0 != $1 }.flatMap {
        ["planned: version \($0.version), \($0.shape)", "found:   version \($1.version), \($1.shape)"]
      }, effect: "nothing was read or committed", next: "make a new plan with `replay plan` and look at it")
  }
}
