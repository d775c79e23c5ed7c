import ArgumentParser
import ReplayCore
import ReplaySQL

/// `replay rebuild`: the next build of a function's tables, beside the one that serves.
struct Rebuild: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Build a function's tables anew beside those that serve; then compare, cutover, rollback, prune.",
    discussion: """
      \(Root.toolName) rebuild --archive A --function F --store S --live L
      \(Root.toolName) compare --function F --store S
      \(Root.toolName) cutover --function F --store S

      Takes the options of run. The new build has tables of its own (shade_velocity__2) in the same database; the one \
      that serves is read and followed as before. The same command resumes. With --live it follows the stream until it is \
      stopped, through the cutover too. --from-nothing is for a database that has nothing of the function: it is made \
      where it is missing, and the build serves at once. --as-of makes tables of the past, beside all others.
      """)

  @OptionGroup var options: Run
  @Flag(help: "Nothing serves: begin in an empty database, which is made where it is missing.")
  var fromNothing = false
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "A view of the past: a build of the events before this time or position (--to), which never serves.",
      valueName: "edge"))
  var asOf: String?
  @Flag(help: "Begin the next build, though this very command made the one that serves.")
  var new = false

  func validate() throws {
    if options.functions.function.count != 1 { throw ValidationError("rebuild takes one function.") }
    if options.build != nil { throw ValidationError("rebuild numbers its build itself; run takes --build.") }
    if asOf != nil {
      let others = [
        (options.stream.live != nil, "--live"), (!options.filter.to.isEmpty, "--to"), (fromNothing, "--from-nothing"),
      ]
      if let other = others.first(where: \.0)?.1 { throw ValidationError("--as-of does not go with \(other).") }
    }
    if fromNothing, options.fullRefresh { throw ValidationError("--from-nothing has nothing to refresh.") }
  }

  func run() throws {
    options.output.apply()
    try fromNothing ? buildFirst() : buildNext()
  }

  private func buildNext() throws {
    var command = options
    let function = try command.functions.projections[0]
    // Whatever stands against it is found before anything is written.
    _ = try FunctionBuild.checked(function, number: 1)
    let inspector = try command.store.inspector()
    let builds = try inspector.builds(of: function.name)
    let standings = try inspector.snapshot(of: function.name) { $0.standings }
    if let asOf { command.filter.to = [asOf] }
    let past = try asOf.map { _ in try RunFilter(command.filter).statement.words }
    if asOf == nil, !new, let made = servingByThis(builds, standings) {
      Console.shared.say(
        "replay: build     \(made) of \(function.name), which this command made, serves: this run goes on with it "
          + "(--new begins the next one)")
      command.build = made
      return try command.run()
    }
    let build = try inspector.beginBuild(of: function.name, asOf: past, now: SystemTime.now())
    command.build = build.number
    let tables = FunctionBuild(function, number: build.number).tables.map(\.schema.storedName)
    Console.shared.say(
      "replay: build     \(build.number) of \(function.name), in \(tables.joined(separator: ", ")); "
        + "build \(builds.serving?.number ?? 1) serves")
    let there = standings.first { $0.build.number == build.number }
    if let there, there.events > 0, !command.fullRefresh {
      Console.shared.say(
        "replay: it goes on behind \(Words.plural(there.events, "event")); if the function was changed since, say --full-refresh"
      )
    }
    sayBehind(command, standings)
    try command.run()
    say(
      try inspector.builds(of: function.name).number(build.number)?.state == .building
        ? "compare" : nil, function.name)
  }

  /// Of the build that serves, where it is followed by this command and no other is made.
  private func servingByThis(_ builds: [StoredBuild], _ standings: [BuildStanding]) -> Int? {
    guard builds.building == nil, let serving = standings.first(where: { $0.build.state == .serving }) else {
      return nil
    }
    let number = serving.build.number
    return number > 1 && serving.command == StoreOptions.goOn ? number : nil
  }

  /// Without the stream it can never have what the one that serves has.
  private func sayBehind(_ command: Run, _ standings: [BuildStanding]) {
    guard command.stream.live == nil, asOf == nil,
      standings.contains(where: { $0.build.state == .serving && $0.phase == .live })
    else { return }
    Console.shared.say(
      "replay: warning: the build that serves follows a stream; without --live this one ends where the archive does, "
        + "and can neither be compared nor take its place")
  }

  private func buildFirst() throws {
    let function = try options.functions.projections[0]
    let address = try options.store.address
    for what in try address.makeDatabase() { Console.shared.say("replay: made      \(what)") }
    // A run that was killed goes on.
    if address.exists, try options.store.inspector().positions().contains(where: { $0.name == function.name }) {
      Console.shared.say(
        "replay: there      \(function.name) is in \(address.name) already: this run goes on with it (without "
          + "--from-nothing it would be built anew beside it)")
    }
    try options.run()
    say("status", function.name)
  }

  private func say(_ verb: String?, _ function: String) {
    guard let verb else { return }
    let store = Words.shellQuoted(options.store.store)
    let named = verb == "status" ? "" : " --function \(function)"
    Console.shared.say("next: \(Root.toolName) \(verb)\(named) --store \(store)")
  }
}
