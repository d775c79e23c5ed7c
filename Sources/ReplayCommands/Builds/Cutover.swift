import ArgumentParser
import ReplayCore
import ReplaySQL

struct Cutover: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Point readers at the build that `rebuild` made, in one transaction. The old one is kept.",
    discussion: """
      \(Root.toolName) cutover --function F --store S

      Refuses unless the build has every event that the serving one has, and `compare` found no difference; --unproved \
      does without. Renames the tables: each reader sees the old tables or the new ones, never both. The runs of both \
      builds go on. `rollback` points back.
      """)

  @OptionGroup var target: BuildOptions
  @Option(help: "The build to point at (default: the one that is being built).")
  var build: Int?
  @Flag(help: "Whether or not it is caught up, and the same.")
  var unproved = false
  @OptionGroup(title: "Output") var output: OutputOptions

  func run() throws {
    output.apply()
    let inspector = try target.store.inspector()
    let builds = try target.builds(inspector)
    let chosen = try target.chosen(build, or: builds.building, of: builds, "that does not serve yet")
    if chosen.state == .past {
      throw ReplayError(
        .usage, "build \(chosen.number) of \(chosen.function) is a view of the past, which never serves",
        effect: "nothing was changed", next: "read its tables where they are: `replay status` names them")
    }
    try BuildSwitching(target, inspector, verb: "cutover", isUnproved: unproved, needsProof: chosen.state != .kept)
      .point(at: chosen)
  }
}

struct Rollback: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Point readers back at the build that served before, in one transaction.",
    discussion: """
      \(Root.toolName) rollback --function F --store S

      Refuses where that build has not every event that the serving one has, since nobody kept it up: run \
      `\(Root.toolName) run --build N …` for it, or say --unproved.
      """)

  @OptionGroup var target: BuildOptions
  @Flag(help: "Though it is behind: readers see what it had then.")
  var unproved = false
  @OptionGroup(title: "Output") var output: OutputOptions

  func run() throws {
    output.apply()
    let inspector = try target.store.inspector()
    let builds = try target.builds(inspector)
    let chosen = try target.chosen(nil, or: builds.previous, of: builds, "that served before")
    try BuildSwitching(target, inspector, verb: "rollback", isUnproved: unproved, needsProof: false).point(at: chosen)
  }
}
