import ArgumentParser
import ReplayCore
import ReplayFunctions
import Synchronization

/// The whole tool with a user's own functions: conform an `@main` type and list them.
public protocol ReplayTool {
  static var functions: [any Projection] { get }
}

extension ReplayTool {
  /// Parses the command line, runs the verb and ends the process with a documented exit code.
  public static func main() {
    FunctionShelf.put(functions)
    Signals.install()
    Root.start(Array(CommandLine.arguments.dropFirst()))
  }
}

/// The functions that this tool knows, by name.
enum FunctionShelf {
  private static let shelf = Mutex<[any Projection]>([])

  static func put(_ functions: [any Projection]) { shelf.withLock { $0 = functions } }

  /// Throws `.usage` where a name is none, or two functions have one.
  static func check() throws {
    var seen: Set<String> = []
    for name in all.map(\.name) {
      let isPlain = name.utf8.allSatisfy { $0 >= 97 && $0 <= 122 || $0 >= 48 && $0 <= 57 || $0 == UInt8(ascii: "-") }
      guard isPlain, !name.isEmpty, name.utf8.count <= 63, seen.insert(name).inserted else {
        throw ReplayError(
          .usage, "a function of this tool has no good name: \(name)",
          details: ["a name has 1 to 63 lower-case letters, digits and hyphens, and is one function's only"],
          next: "rename it in the code")
      }
    }
  }
  static var all: [any Projection] { shelf.withLock { $0 } }

  /// Functions that are not of this tool, as they are reached: one value for each, since it keeps its processes.
  private static let others = Mutex<[String: any Projection]>([:])

  /// `tables`: the file that declares it; nil where nobody does.
  private static func loaded(
    _ name: String, declaredIn tables: String?, _ options: ForeignOptions
  ) throws -> any Projection {
    if let known = others.withLock({ $0[name] }) { return known }
    guard let found = try options.function(name, declaredIn: tables) else { return try named(name) }
    others.withLock { $0[name] = found }
    return found
  }

  /// Ends what functions work in.
  static func close() {
    for case let function as ForeignFunction in others.withLock({ Array($0.values) }) { function.close() }
  }

  /// The functions of these names and files, no two of which may be one function's.
  static func several(_ names: [String], _ options: ForeignOptions) throws -> [any Projection] {
    let declarations = try options.declarations(of: names)
    let found = try names.map { try loaded($0, declaredIn: declarations[$0], options) }
    for (place, function) in found.enumerated() {
      guard let other = found[..<place].firstIndex(where: { $0.name == function.name }) else { continue }
      throw ReplayError(
        .usage, "two functions are named \(function.name)", details: ["\(names[other])", "\(names[place])"],
        next: "rename one of them, or leave it out")
    }
    return found
  }

  static func named(_ name: String) throws -> any Projection {
    if name.hasSuffix(".sql") { return try SQLFunction(path: name) }
    if let found = all.first(where: { $0.name == name }) { return found }
    let known = all.map(\.name).sorted()
    throw ReplayError(
      .usage, "there is no function named \(name)", details: ["known functions: \(known.joined(separator: ", "))"],
      next: "give one of these, a FILE.sql, lambda:FILE:HANDLER, exec:COMMAND or an address as the run had it, "
        + "or write your own: `replay init my-functions`")
  }
}

struct Root: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: Root.toolName,
    abstract: "Replay an event archive through a function into a database, in order, exactly once.",
    discussion: """
      \(Root.toolName) --archive events/ --function \(FunctionShelf.all.first?.name ?? "NAME") --store events.db

      Functions of this tool: \(FunctionShelf.all.map(\.name).sorted().joined(separator: ", ")).
      Every flag can be set by an environment variable: --commit-interval by REPLAY_COMMIT_INTERVAL; several functions \
      are parted by commas.
      Exit codes:
      \(ExitCodes.all.map { "  \($0.code)  \($0.meaning)" }.joined(separator: "\n"))
      """,
    version: "replay 0.1.0",
    subcommands: [
      Run.self, Plan.self, Apply.self, Check.self, Rebuild.self, Compare.self, Cutover.self, Rollback.self, Prune.self,
      Status.self, Wait.self, Failed.self, HandOver.self, Cat.self, Append.self, TryFunction.self, Diff.self,
      Bench.self, Init.self, Manual.self,
    ],
    defaultSubcommand: Run.self)

  /// The executable's own name: a user's tool is called as the user calls it.
  static var toolName: String {
    let name = CommandLine.arguments.first.flatMap { $0.split(separator: "/").last } ?? "replay"
    return name.isEmpty || name.hasPrefix("-") ? "replay" : String(name)
  }

  /// Runs the command line and never returns.
  static func start(_ given: [String]) -> Never {
    do {
      defer { FunctionShelf.close() }
      Console.shared.expectJSON(given.contains("--json"))
      try FunctionShelf.check()
      try Usage.check(given)
      var command = try Root.parseAsRoot(
        try Environment.arguments(StreamOptions.parted(TryFunction.archive(in: given))))
      try command.run()
      try Console.shared.checkOutput()
    } catch let error as ReplayError {
      Root.end(with: error)
    } catch let code as ExitCode {
      Root.exit(withError: code)
    } catch {
      Root.exit(withError: error)
    }
    Root.exit(withError: nil)
  }

  private static func end(with error: ReplayError) -> Never {
    Console.shared.fail(error)
    Root.exit(withError: ExitCode(error.code.rawValue))
  }
}
