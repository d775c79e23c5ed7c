import ArgumentParser
import ReplayArchive
import ReplayCore
import ReplayEngine
import ReplayFunctions
import ReplaySQLite

struct TryFunction: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test",
    abstract: "Run functions over a few events, and print the rows that they make. Keeps nothing.",
    discussion: """
      \(Root.toolName) test --function lambda:./app.py:handler --tables app.json --events sample.jsonl

      The first events of the archive's first file go through the whole path, into a database below TMPDIR that is then \
      removed. Any kind of function is run as it would be. One that writes by itself does so: that needs --yes.
      """)

  @OptionGroup(title: "Archive") var archive: ArchiveOptions
  @Option(help: "A file of events, one a line, in the place of an archive.", completion: .file())
  var events: String?
  @Option(help: "Events that are read.")
  var limit: UInt64 = 10
  @Flag(help: "Let a function that writes by itself write.")
  var yes = false
  @OptionGroup(title: "Function") var functions: FunctionOptions
  @OptionGroup(title: "Chain") var chain: ChainOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws { if limit < 1 { throw ValidationError("--limit must be above 0.") } }

  /// `--events` names an archive of one file.
  static func archive(in arguments: [String]) -> [String] {
    guard arguments.first == configuration.commandName else { return arguments }
    return arguments.map { word in
      word == "--events" ? "--archive" : word.hasPrefix("--events=") ? "--archive" + word.dropFirst(8) : word
    }
  }

  func run() throws {
    output.apply()
    Signals.keepNothing()
    let projections = try functions.projections
    for case let function as ForeignFunction in projections where function.contract == .writesItself && !yes {
      throw ReplayError(
        .usage, "the function \(function.name) writes by itself: trying it would write too", effect: "nothing was read",
        next: "say --yes, if it may")
    }
    var opened = try OpenedArchive(archive)
    try keepOneSegment(&opened.plan)
    try ScratchStores("test").lend { path in
      let report = try replay(projections, opened, into: path)
      try show(projections, report, path)
    }
  }

  private func keepOneSegment(_ plan: inout ArchivePlan) throws {
    guard var first = plan.partitions.first(where: { !$0.segments.isEmpty }) else {
      throw ReplayError(.missing, "the archive has no events", next: "name another one")
    }
    first.segments = Array(first.segments.prefix(1))
    plan.partitions = [first]
  }

  private func replay(_ projections: [any Projection], _ opened: OpenedArchive, into path: String) throws -> RunReport {
    var options = RunOptions(now: Clock.milliseconds)
    options.lanes = 1
    return try ScratchRun(opened: opened, archive: archive, chain: chain, options: options)
      .replay(projections, opened.plan, records: limit, into: path)
  }

  /// Rows go to standard output, the account to standard error.
  private func show(_ projections: [any Projection], _ report: RunReport, _ path: String) throws {
    for table in try SQLiteStore.rows(path) {
      for row in table.rows {
        let columns = zip(table.columns, row).map { ($0, TryFunction.json($1)) }
        Console.shared.data(JSONText.object([("table", .string(table.name))] + columns).text)
      }
    }
    for function in report.functions {
      let books = function.total
      Console.shared.say(
        "replay: \(function.name): read \(books.read) = applied \(books.applied) + ignored \(books.ignored) "
          + "+ parked \(books.parked) + dead-lettered \(books.deadLettered); nothing is kept")
    }
  }

  private static func json(_ value: StoredValue) -> JSONText {
    switch value {
    case .null: .null
    case .integer(let number): .number(number)
    case .real(let number): .real(number)
    case .text(let text): .string(text)
    case .blob(let bytes): .string(String(decoding: bytes, as: UTF8.self))
    }
  }
}
