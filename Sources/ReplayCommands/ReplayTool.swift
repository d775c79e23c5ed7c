import ArgumentParser
import ReplayCore
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
    Root.start(Environment.arguments(Array(CommandLine.arguments.dropFirst())))
  }
}

/// The functions that this tool knows, by name.
enum FunctionShelf {
  private static let shelf = Mutex<[any Projection]>([])

  static func put(_ functions: [any Projection]) { shelf.withLock { $0 = functions } }
  static var all: [any Projection] { shelf.withLock { $0 } }

  static func named(_ name: String) throws -> any Projection {
    if let found = all.first(where: { $0.name == name }) { return found }
    let known = all.map(\.name).sorted()
    throw ReplayError(
      .usage, "there is no function named \(name)", details: ["known functions: \(known.joined(separator: ", "))"],
      next: "give one of these, or write your own: `replay init my-functions`")
  }
}

struct Root: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Replay an event archive through a function into a database, in order, exactly once.",
    discussion: """
      replay --archive events/ --function shade-velocity --store retail.db

      Every flag can be set by an environment variable: --commit-interval by REPLAY_COMMIT_INTERVAL.
      Exit codes: 0 done, 3 done but something was left out by a flag, 64 usage, 65 archive data, 66 nothing there, \
      69 unavailable, 73 cannot create, 75 try again, 76 another run owns the function, 77 permission, 78 other \
      version or shape, 130 or 143 stopped by a signal.
      """,
    version: "replay 0.1.0",
    subcommands: [Run.self, Plan.self, Apply.self, Check.self, Status.self, Cat.self, Init.self, Manual.self],
    defaultSubcommand: Run.self)

  /// Runs the command line and never returns.
  static func start(_ arguments: [String]) -> Never {
    do {
      var command = try Root.parseAsRoot(arguments)
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
