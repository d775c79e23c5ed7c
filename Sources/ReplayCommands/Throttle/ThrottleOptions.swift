import ArgumentParser

/// How slow a run may make others in its target database.
struct ThrottleOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Slow down so that 99 of 100 small reads in the store's database take no longer, as 20ms (PostgreSQL only).",
      valueName: "time"))
  var maxTargetP99: TimeSpan?

  func validate() throws {
    if let maxTargetP99, !(1...60_000).contains(maxTargetP99.milliseconds) {
      throw ValidationError("--max-target-p99 must be from 1ms to 1m.")
    }
  }
}
