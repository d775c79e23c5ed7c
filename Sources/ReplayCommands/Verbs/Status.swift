import ArgumentParser
import ReplayCore
import ReplaySQL

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a store holds: its functions, how far each is, and its tables. Changes nothing.")

  @OptionGroup(title: "Store") var store: StoreOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func run() throws {
    output.apply()
    Signals.endAtOnce()
    let path = try store.address.text
    let inspector = try store.inspector()
    let functions = try inspector.inspect()
    let builds = Dictionary(
      try inspector.builds(of: nil).filter { $0.state != .pruned }.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
    if Console.shared.isJSON {
      Console.shared.event(
        "status_of_store",
        [("store", .string(path)), ("functions", .array(functions.map { Status.json($0, builds[$0.name]) }))])
      return
    }
    if functions.isEmpty {
      Console.shared.data("\(path): no function has run into this store yet")
      Console.shared.say("next: replay run --archive ARCHIVE --function FUNCTION --store \(path)")
    }
    for line in functions.flatMap({ Status.lines($0, builds[$0.name]) }) { Console.shared.data(line) }
    if functions.contains(where: { !$0.checkpoint.kept.isEmpty }) {
      Console.shared.say("next: \(Root.toolName) failed list --store \(Words.shellQuoted(path))")
    }
    var said: Set<String> = []
    for function in functions where function.phase == .handedOver {
      Console.shared.say("next: nothing here: \(function.name) is in the hands of another consumer, \(function.owner)")
    }
    for function in functions where function.phase != .handedOver {
      let command = Status.command(function, builds[function.name])
      if said.insert(command.text).inserted { Console.shared.say("next: \(command.text) (\(command.what))") }
    }
  }

  /// What goes on with it. A build that serves, or did, is not built again by the command that made it.
  private static func command(_ function: FunctionStatus, _ build: StoredBuild?) -> (text: String, what: String) {
    guard let build, [.serving, .kept].contains(build.state) else { return (function.command, "takes in what is new") }
    var words = function.command.replacing(" rebuild ", with: " run ", maxReplacements: 1)
      .replacing(" --from-nothing", with: "")
    if !words.contains("--build") { words += " --build \(build.number)" }
    return (words, build.state == .kept ? "keeps build \(build.number) up, for a rollback" : "takes in what is new")
  }

  private static func lines(_ function: FunctionStatus, _ build: StoredBuild?) -> [String] {
    var lines = ["\(function.name)  version \(function.version)"]
    if let build { lines += Status.words(build) }
    lines.append("  phase      \(function.phase.rawValue)")
    lines.append(
      "  events     \(Words.count(function.events)) in \(Words.plural(function.epochs, "commit")), "
        + "\(Words.plural(function.checkpoint.settled.count, "segment")) read whole")
    if let time = function.updatedAt { lines.append("  committed  \(time) (\(age(of: time)) ago)") }
    lines.append("  last run   \(function.owner)")
    if !function.reading.isEmpty { lines.append("  reads      \(function.reading)") }
    let only = function.checkpoint.filter.words
    if !only.isEmpty { lines.append("  only       \(only)") }
    for position in function.positions {
      let (partition, next) = (position.partition, position.next)
      let half = function.checkpoint.halfRead.first { $0.partition == partition }
      lines.append(
        "  position   \(partition.side == .live ? "stream " : "")\(partition): next \(next)\(half.map { ", in the middle of \($0.entry.name)" } ?? "")"
      )
    }
    lines += Summary.found(function.checkpoint.findings).map { "  found      " + $0.dropFirst("found     ".count) }
    if let kept = KeptWords.sentence(function.checkpoint.kept) { lines.append("  left       \(kept)") }
    for table in function.tables {
      lines.append(
        "  table      \(table.name): \(table.rows.map { Words.plural($0, "row") } ?? "gone from the database")")
    }
    return lines
  }

  /// Seconds since `time`, on this machine's clock.
  private static func ageSeconds(of time: Timestamp) -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return max(0, Int64(now.tv_sec) - time.microseconds / 1_000_000)
  }

  private static func age(of time: Timestamp) -> String {
    let seconds = ageSeconds(of: time)
    if seconds >= 86_400 { return Words.plural(seconds / 86_400, "day") }
    return Words.seconds(seconds * 1000)
  }

  /// Of a function that was built anew at least once.
  private static func words(_ build: StoredBuild) -> [String] {
    var lines = ["  build      \(build.number) of \(build.function), \(build.state.rawValue) since \(build.since)"]
    if let comparison = build.comparison {
      lines.append(
        "  compared   with build \(comparison.with) at \(comparison.time): "
          + (comparison.differing == 0
            ? "\(Words.plural(comparison.rows, "row")), no difference"
            : "\(Words.plural(comparison.differing, "row")) of \(Words.count(comparison.rows)) differ")
          + (comparison.ignored.isEmpty ? "" : ", without \(comparison.ignored)"))
    }
    return lines
  }

  private static func json(_ build: StoredBuild) -> JSONText {
    .object([
      ("function", .string(build.function)), ("number", .number(build.number)),
      ("state", .string(build.state.rawValue)), ("since", .string(build.since)),
      (
        "compared",
        build.comparison.map { found in
          .object([
            ("with", .number(found.with)), ("at", .string(found.time)), ("rows", .number(found.rows)),
            ("differing", .number(found.differing)), ("ignored", .string(found.ignored)),
          ])
        } ?? .null
      ),
    ])
  }

  static func json(_ function: FunctionStatus, _ build: StoredBuild? = nil) -> JSONText {
    .object([
      ("name", .string(function.name)), ("version", .number(function.version)), ("build", build.map(json) ?? .null),
      ("phase", .string(function.phase.rawValue)), ("events", .number(function.events)),
      ("commits", .number(function.epochs)), ("segments_read_whole", .number(function.checkpoint.settled.count)),
      ("committed_at", .optional(function.updatedAt?.description)),
      ("age_seconds", function.updatedAt.map { .number(ageSeconds(of: $0)) } ?? .null),
      ("last_run", .string(function.owner)),
      (
        "positions",
        .array(
          function.positions.map {
            .object([
              ("side", .string($0.partition.side.rawValue)), ("log", .string($0.partition.log)),
              ("partition", .string($0.partition.name)),
              ("next", .string($0.next.description)),
            ])
          })
      ),
      (
        "tables",
        .array(
          function.tables.map {
            .object([("name", .string($0.name)), ("rows", $0.rows.map { .number($0) } ?? .null)])
          })
      ), ("findings", .array(function.checkpoint.findings.map(Summary.finding))),
      ("kept", KeptWords.json(function.checkpoint.kept)), ("reads", .string(function.reading)),
      ("only", .optional(function.checkpoint.filter.words.isEmpty ? nil : function.checkpoint.filter.words)),
      ("last_command", .string(function.command)),
    ])
  }
}
