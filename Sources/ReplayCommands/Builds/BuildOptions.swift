import ArgumentParser
import ReplayCore
import ReplaySQL

/// Which function of which store.
struct BuildOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The function, by its name.", valueName: "name"))
  var function: String
  @OptionGroup(title: "Store") var store: StoreOptions

  /// Every build, the pruned ones too. Throws `.usage` where the store does not know the function.
  func builds(_ inspector: any StoreInspector) throws -> [StoredBuild] {
    let builds = try inspector.builds(of: function)
    if !builds.isEmpty { return builds }
    let known = try inspector.positions().map(\.name)
    throw ReplayError(
      .usage,
      known.contains(function)
        ? "there is one build of \(function): \(inspector.place)"
        : "the store has no function \(function): \(inspector.place)",
      details: known.contains(function) ? [] : ["functions: \(known.joined(separator: ", "))"],
      effect: "nothing was changed", next: "`replay rebuild` makes the next one; see `replay status`")
  }

  /// The named one, or else the one that is usually meant. Throws `.usage` where there is none.
  func chosen(_ number: Int?, or usual: StoredBuild?, of builds: [StoredBuild], _ what: String) throws -> StoredBuild {
    let found = number.map { number in builds.number(number) } ?? usual
    if let found, found.state != .pruned { return found }
    throw ReplayError(
      .usage, number.map { "there is no build \($0) of \(function)" } ?? "there is no build of \(function) \(what)",
      details: ["builds: \(builds.words)"], effect: "nothing was changed",
      next: "see `replay status`; `replay rebuild` makes the next one")
  }
}
