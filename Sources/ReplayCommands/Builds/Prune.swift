import ArgumentParser
import ReplayCore
import ReplaySQL

struct Prune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Drop builds of a function that served before.",
    discussion: """
      \(Root.toolName) prune --function F --store S --yes

      Without --yes it only says what it would drop. A build that is being made is dropped where --build names it; the \
      one that serves never is.
      """)

  @OptionGroup var target: BuildOptions
  @Option(help: "Only this build.")
  var build: Int?
  @Flag(help: "Drop them.")
  var yes = false
  @OptionGroup(title: "Output") var output: OutputOptions

  func run() throws {
    output.apply()
    Signals.endAtOnce()
    let inspector = try target.store.inspector()
    let builds = try target.builds(inspector)
    let chosen =
      try build.map { [try target.chosen($0, or: nil, of: builds, "")] } ?? builds.filter { $0.state == .kept }
    if let serving = chosen.first(where: { $0.state == .serving }) {
      throw ReplayError(
        .usage, "build \(serving.number) of \(serving.function) serves", effect: "nothing was dropped",
        next: "point readers at another one first: `replay rollback`, `replay cutover`")
    }
    if chosen.isEmpty { Console.shared.say("replay: nothing to drop: no build of \(target.function) served before") }
    let functions = try inspector.inspect()
    for build in chosen {
      let tables = functions.first { $0.name == build.name }?.tables ?? []
      let words = tables.map { "\($0.name) (\($0.rows.map { Words.plural($0, "row") } ?? "gone"))" }
      if yes { try inspector.prune(build, now: SystemTime.now()) }
      Console.shared.say(
        "replay: build \(build.number) of \(build.function) \(yes ? "is dropped" : "would be dropped"): "
          + (words.isEmpty ? "it has no tables" : words.joined(separator: ", ")))
      Console.shared.event(
        "pruned",
        [
          ("function", .string(build.function)), ("build", .number(build.number)), ("dropped", .bool(yes)),
          ("tables", .array(tables.map { .string($0.name) })),
        ])
    }
    if !yes, !chosen.isEmpty { Console.shared.say("next: say --yes") }
  }
}
