import ArgumentParser
import ReplayCore

/// Functions and store of a verb that can do without.
struct TargetOptions: ParsableArguments {
  @Option(name: [.long], help: "The function's name; repeat it for several in one read.")
  var function: [String] = []
  @Option(help: "The database: a path, or sqlite:PATH. It is only looked at.")
  var store: String?

  func validate() throws {
    if function.count > 32 { throw ValidationError("At most 32 functions share one read.") }
    if Set(function).count < function.count { throw ValidationError("A function is named twice.") }
  }

  @OptionGroup(title: "Functions in other languages") var foreign: ForeignOptions

  var projections: [any Projection] {
    get throws { try FunctionShelf.several(function, foreign) }
  }
}
