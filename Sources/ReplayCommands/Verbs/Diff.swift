import ArgumentParser
import ReplayCore
import ReplayEngine
import ReplaySQL

struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Replay one archive through two functions, and say in what their rows differ, and from which event on.",
    discussion: """
      \(Root.toolName) diff --archive events/ --function old/sales.sql --function new/sales.sql

      The first function is A, the second B; they may have one name. Each fills a database of its own below TMPDIR, which is \
      then removed. Tables and their columns meet by name, rows by primary key. The event behind which the first differing row \
      differs is found by replaying shorter and shorter pieces of the archive again, about once the whole of it together. \
      Exit code 4: they differ.
      """)

  @OptionGroup(title: "Archive") var archive: ArchiveOptions
  @Option(
    name: [.long],
    help:
      "A, and again for B: a name, FILE.sql, lambda:FILE:HANDLER, lambda:exec:COMMAND, exec:COMMAND or http(s)://….",
    completion: .custom { _, _, _ in FunctionShelf.all.map(\.name) })
  var function: [String] = []
  @Option(help: "A column that is not compared, COLUMN or TABLE.COLUMN; repeat it for several.")
  var ignore: [String] = []
  @Option(help: "Rows that differ which are shown of each table.")
  var rows = 10
  @Flag(help: "Do not look for the event.")
  var noEvent = false
  @OptionGroup(title: "Functions in other languages") var foreign: ForeignOptions
  @OptionGroup(title: "Chain") var chain: ChainOptions
  @OptionGroup(title: "Work") var work: WorkOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    if function.count != 2 { throw ValidationError("Give two functions: --function A --function B.") }
    if !(0...1_000_000).contains(rows) { throw ValidationError("--rows must be from 0 to 1,000,000.") }
  }

  func run() throws {
    output.apply()
    Signals.keepNothing()
    let ignored = try IgnoredColumns(ignore)
    let sides = try DiffSide.both(function, foreign)
    var options = work.options
    options.workers = foreign.workers
    let opened = try OpenedArchive(archive)
    for line in opened.description { Console.shared.detail(line) }
    let run = ScratchRun(opened: opened, archive: archive, chain: chain, options: options)
    let areEqual: Bool
    do { areEqual = try Comparing(command: self, ignored: ignored, sides: sides, run: run).areEqual() } catch
      where Signals.stop.isStopped
    {
      throw ExitCode(128 + Signals.signal)
    }
    if !areEqual { throw ExitCode(ReplayError.Code.different.rawValue) }
  }
}

/// Where the first difference comes from.
struct DiffEvent {
  enum Place {
    case event(FoundEvent, before: RowPair, after: RowPair)
    /// Two events, as a person finds them.
    case between(first: String, last: String)
    case notAgain
  }

  let question: RowQuestion
  let place: Place
}

/// One run of the verb.
private struct Comparing {
  let command: Diff
  let ignored: IgnoredColumns
  let sides: [DiffSide]
  let run: ScratchRun

  /// True where the two have the same rows.
  func areEqual() throws -> Bool {
    let scratch = try ScratchStores("diff")
    let paths = sides.map { _ in scratch.path() }
    let reads = try zip(sides, paths).map { try fill($0, $1, scratch) }
    let records = try DiffSide.records(paths[0])
    let found = try scratch.explaining {
      try TablePairs(paths[0], paths[1], sides, ignoring: ignored, rows: command.rows)
    }
    for path in paths { scratch.remove(path) }
    show(found)
    if !command.noEvent, let question = found.compared.lazy.compactMap(RowQuestion.init).first {
      try search(question, ArchiveCuts(run.opened.plan, records: records), reads[0], scratch)
    }
    conclude(found)
    return found.areEqual
  }

  /// Replays the whole archive; how many events it read.
  private func fill(_ side: DiffSide, _ path: String, _ scratch: ScratchStores) throws -> UInt64 {
    let report = try scratch.explaining {
      try side.replay(ArchiveCuts.Reading(plan: run.opened.plan, records: nil), run, into: path)
    }
    let events = report.functions.reduce(0) { $0 + $1.total.read }
    Console.shared.say(
      "replay: \(side.letter)  \(side.text): \(side.name) \(side.version), \(Words.plural(events, "event")), "
        + Words.seconds(report.milliseconds))
    return events
  }

  private func show(_ found: TablePairs) {
    for difference in found.compared {
      DiffJSON.say(difference)
      if !Console.shared.isJSON { for line in DiffText.lines(difference) { Console.shared.data(line) } }
    }
    for (letter, tables) in [("A", found.onlyA), ("B", found.onlyB)] {
      for table in tables {
        if !Console.shared.isJSON { Console.shared.data("table \(table): only \(letter) has it") }
        Console.shared.event("table_only", [("table", .string(table)), ("side", .string(letter.lowercased()))])
      }
    }
  }

  private func search(_ question: RowQuestion, _ cuts: ArchiveCuts, _ events: UInt64, _ scratch: ScratchStores) throws {
    guard cuts.count == events, events > 0 else {
      return Console.shared.say("replay: the event is not looked for: the archive has events that were not read once")
    }
    Console.shared.say("replay: looking for the first event that makes a difference (--no-event leaves it out)")
    let search = EventSearch(sides: sides, run: run, cuts: cuts, question: question, scratch: scratch) { left in
      Console.shared.detail("replay: one of \(Words.plural(left, "event"))")
    }
    let place: DiffEvent.Place =
      switch try scratch.explaining({ try search.find() }) {
      case .event(let number, let before, let after):
        .event(try FoundEvent(cuts.place(of: number), in: run.opened, run.archive), before: before, after: after)
      case .between(let first, let last): .between(first: text(cuts.place(of: first)), last: text(cuts.place(of: last)))
      case .notAgain: .notAgain
      }
    let found = DiffEvent(question: question, place: place)
    DiffJSON.say(found)
    if !Console.shared.isJSON { for line in DiffText.lines(found) { Console.shared.data(line) } }
  }

  private func text(_ place: ArchiveCuts.Place) -> String {
    let segment = run.opened.plan.partitions[place.partition].segments[place.segment]
    return "record \(Words.count(place.ordinal + 1)) of \(segment.name)"
  }

  private func conclude(_ found: TablePairs) {
    let sum = { (count: (TableDifference) -> UInt64) in found.compared.reduce(0) { $0 + count($1) } }
    Console.shared.event(
      "summary",
      [
        ("equal", .bool(found.areEqual)), ("tables", .number(found.compared.count)),
        ("tables_only_a", .array(found.onlyA.map { .string($0) })),
        ("tables_only_b", .array(found.onlyB.map { .string($0) })),
        ("rows_equal", .number(sum(\.equal))), ("rows_differing", .number(sum(\.differing))),
        ("rows_only_a", .number(sum(\.onlyLeft))), ("rows_only_b", .number(sum(\.onlyRight))),
      ])
    Console.shared.say(
      found.areEqual
        ? "replay: A and B have the same rows; nothing is kept" : "replay: A and B differ; nothing is kept")
  }
}
