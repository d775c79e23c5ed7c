import ReplayCore
import ReplayFunctions
import ReplaySQL

/// A run goes on with its own build, whichever name that goes by: at a cutover the build that served gets another name, and
/// the one that was built gets its.
enum Succession {
  static func run(_ command: Run) throws {
    var command = try serving(command)
    while true {
      let mine = try number(command)
      do { return try command.runOnce() } catch let error as ReplayError where error.code == .fenced {
        if let mine, try builds(command).number(mine)?.state == .pruned {
          throw ReplayError(
            .fenced, "build \(mine) of \(command.functions.function.first ?? "") was dropped by `replay prune`",
            effect: "its rows and its positions are gone",
            next: "nothing here: `replay status` lists the builds that are left")
        }
        guard let mine, let next = try? next(command, mine) else { throw error }
        let name = try command.functions.projections.map(\.name).first ?? ""
        Console.shared.say(
          "replay: build \(mine) of \(name) "
            + (next.build == nil ? "serves now" : "serves no more, and is kept") + ": this run goes on with it")
        command = next
      }
    }
  }

  private static func builds(_ command: Run) throws -> [StoredBuild] {
    let functions = try command.functions.projections
    guard functions.count == 1, try command.store.address.exists else { return [] }
    return (try? command.store.inspector().builds(of: functions[0].name)) ?? []
  }

  /// The build that serves goes by the function's name.
  private static func serving(_ command: Run) throws -> Run {
    guard let number = command.build else { return command }
    var command = command
    let builds = try builds(command)
    let state = builds.number(number)?.state
    if state == .serving || builds.isEmpty && number == 1 { command.build = nil }
    guard command.build != nil, state == nil || state == .pruned else { return command }
    throw ReplayError(
      .usage, "the store has no build \(number) of \(command.functions.function.first ?? "")",
      details: ["builds: \(builds.filter { $0.state != .pruned }.map { "\($0.number)" }.joined(separator: ", "))"],
      effect: "nothing was read or written", next: "see `replay status`; `replay rebuild` begins a new one")
  }

  /// Nil where several functions run: they may not all have one.
  private static func number(_ command: Run) throws -> Int? {
    if let build = command.build { return build }
    guard command.functions.function.count == 1 else { return nil }
    return try builds(command).serving?.number ?? 1
  }

  /// Nil where the build has the name that it had: then another run took it over.
  private static func next(_ command: Run, _ mine: Int) throws -> Run? {
    guard let found = try builds(command).number(mine), found.state != .pruned else { return nil }
    var next = command
    next.build = found.state == .serving ? nil : mine
    next.fullRefresh = false
    return next.build == command.build ? nil : next
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
