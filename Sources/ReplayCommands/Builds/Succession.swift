import ReplayCore
import ReplayFunctions
import ReplaySQL

/// A run goes on with its own build, whichever name that goes by: at a cutover the build that served gets another name, and
/// the one that was built gets its.
enum Succession {
  static func run(_ command: Run) throws {
    var command = try named(command, try builds(command))
    while true {
      let mine = command.build ?? command.servingBuild
      do { return try command.runOnce() } catch let error as ReplayError where error.code == .fenced {
        guard let next = try next(command, mine, error) else { throw error }
        // Calls that were given up with the old name are not the new one's.
        FunctionShelf.close()
        command = next
      }
    }
  }

  /// Of each function that was ever built anew.
  private static func builds(_ command: Run) throws -> [[StoredBuild]] {
    guard try command.store.address.exists else { return [] }
    let inspector = try command.store.inspector()
    let names = try command.functions.projections.map(\.name)
    do { return try names.map { try inspector.builds(of: $0) }.filter { !$0.isEmpty } } catch let error as ReplayError
      where error.code == .permission
    {
      // Of a file whose maker was killed only a writer may undo what is half done; it has no builds yet.
      return []
    }
  }

  /// Gives the run the name that its build has now. Throws `.usage` where it is not said which is meant.
  private static func named(_ command: Run, _ found: [[StoredBuild]]) throws -> Run {
    var command = command
    guard let builds = found.first else {
      if command.build == 1 { command.build = nil }
      if let build = command.build { throw noBuild(build, command, []) }
      return command
    }
    let isClear = command.functions.function.count == 1 && (command.build != nil || builds.previous == nil)
    guard isClear, let serving = builds.serving else { throw unclear(builds, command) }
    let number = command.build ?? serving.number
    guard let build = builds.number(number), build.state != .pruned else { throw noBuild(number, command, builds) }
    (command.build, command.servingBuild) = build.state == .serving ? (nil, number) : (number, nil)
    return command
  }

  private static func noBuild(_ number: Int, _ command: Run, _ builds: [StoredBuild]) -> ReplayError {
    ReplayError(
      .usage, "the store has no build \(number) of \(command.functions.function.first ?? "")",
      details: ["builds: \(builds.isEmpty ? "none was built anew" : builds.words)"],
      effect: "nothing was read or written", next: "see `replay status`; `replay rebuild` begins a new one")
  }

  /// Two versions of a function may differ in nothing that a store could see.
  private static func unclear(_ builds: [StoredBuild], _ command: Run) -> ReplayError {
    let isAlone = command.functions.function.count == 1
    return ReplayError(
      .usage, "the function \(builds[0].function) has several builds: which one is meant is to be said",
      details: ["builds: \(builds.words)"], effect: "nothing was read or written",
      next: isAlone
        ? "say --build \(builds.serving?.number ?? 1) for the one that serves, or another; or `replay prune` the old one"
        : "run it alone, with --build")
  }

  /// The same run under the name that its build has now; nil where another run took it over.
  private static func next(_ command: Run, _ mine: Int?, _ error: ReplayError) throws -> Run? {
    guard command.functions.function.count == 1, let builds = try builds(command).first else { return nil }
    let number = mine ?? 1
    guard let found = builds.number(number) else { return nil }
    let function = found.function
    if found.state == .pruned {
      throw ReplayError(
        .fenced, "build \(number) of \(function) was dropped by `replay prune`",
        effect: "its rows and its positions are gone",
        next: "nothing here: `replay status` lists the builds that are left")
    }
    var next = command
    (next.build, next.servingBuild, next.fullRefresh) =
      found.state == .serving ? (nil, number, false) : (number, nil, false)
    // To and fro, while it looked elsewhere.
    let isSwitched = error.details.contains { $0.contains("by replay cutover") || $0.contains("by replay rollback") }
    let isRenamed = next.build != command.build
    guard isRenamed || isSwitched else { return nil }
    Console.shared.say(
      "replay: build \(number) of \(function) "
        + (next.build == nil ? "serves now" : "serves no more, and is kept") + ": this run goes on with it")
    return next
  }
}

extension FunctionBuild {
  /// Throws `.usage` for a function that cannot have tables beside its own.
  static func checked(_ function: any Projection, number: Int) throws -> FunctionBuild {
    if let foreign = function as? ForeignFunction, foreign.contract == .writesItself {
      throw refusal(function.name, "it writes by itself: where to, only it knows")
    }
    if function.program != nil { throw refusal(function.name, "the statements of a SQL file name its tables") }
    return FunctionBuild(function, number: number)
  }

  private static func refusal(_ name: String, _ why: String) -> ReplayError {
    ReplayError(
      .usage, "the function \(name) cannot be built beside the tables that serve", details: [why],
      effect: "nothing was read or written", next: "replay it into another store, or another schema")
  }
}
