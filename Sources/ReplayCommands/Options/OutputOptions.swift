import ArgumentParser

enum ProgressStyle: String, ExpressibleByArgument, CaseIterable {
  case auto, bar, log, json, none
}

/// What is said, and how.
struct OutputOptions: ParsableArguments {
  @Option(help: "Progress: auto (a bar on a terminal, else a line every 10 s), bar, log, json, none.")
  var progress: ProgressStyle = .auto
  @Flag(help: "Write events and the summary as JSON lines to standard output.")
  var json = false
  @Flag(help: "No colours; NO_COLOR and TERM=dumb mean the same.")
  var noColor = false
  @Flag(name: .shortAndLong, help: "Say only errors.")
  var quiet = false
  @Flag(name: .shortAndLong, help: "Say more.")
  var verbose = false

  /// Sets the process's console up.
  func apply() { Console.shared.configure(self) }
}
