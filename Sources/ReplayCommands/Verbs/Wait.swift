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

struct Wait: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Wait until an event is in the store: applied, and committed with its position.",
    discussion: """
      Reads your own writes: append an event, wait for its receipt, then query. The receipt is PARTITION:POSITION, as \
      `replay append` prints it and Kafka's producers know it (3:30), with a sub-index where the position has one \
      (3:30:1). It looks a hundred times a second whether something was written to the store, and needs no word from the \
      run that writes it. Ends with exit code 124 where the event is not there in time.
      """)

  @OptionGroup(title: "Store") var store: StoreOptions
  @Option(help: "The function that must have the event; without it, every function of the store.")
  var function: String?
  @Option(help: ArgumentHelp("The event.", valueName: "partition:position"))
  var position: EventPlace
  @Option(help: "How long to wait: 500ms, 5s, 2m, 1h.")
  var timeout = TimeSpan(seconds: 5)
  @OptionGroup(title: "Output") var output: OutputOptions

  private static let pollMicroseconds: UInt32 = 10_000

  func run() throws {
    output.apply()
    Signals.endAtOnce()
    let path = try store.address.text
    let inspector = try store.inspector()
    let end = Clock.milliseconds() + timeout.milliseconds
    var watch = inspector.watch()
    while true {
      let functions = try asked(try watch.positions(), path)
      let settlement = Settlement(of: position, by: functions.map(\.next))
      if case .settled(let next) = settlement {
        return say(next, KeptWords.outcome(of: position, for: function, in: inspector))
      }
      guard Clock.milliseconds() < end else { throw late(settlement, functions, path) }
      usleep(Wait.pollMicroseconds)
    }
  }

  private func say(_ next: Position, _ outcome: String) {
    guard Console.shared.isJSON else { return Console.shared.data("\(outcome) \(position) (next \(next))") }
    Console.shared.event("settled", Settlement.json(position, next: next, outcome: outcome))
  }

  private func asked(_ all: [FunctionPositions], _ path: String) throws -> [FunctionPositions] {
    let found = all.filter { function.map { [name = $0.name] in name == $0 } ?? !FunctionBuild.isBeside($0.name) }
    guard found.isEmpty else { return found }
    let known = Set(all.map(\.name)).sorted().joined(separator: ", ")
    throw ReplayError(
      .usage, function.map { "the store knows no function \($0): \(path)" } ?? "no function has run into \(path) yet",
      details: known.isEmpty ? [] : ["functions: \(known)"],
      next: "check --function and --store; `replay status` shows both"
    )
  }

  private func late(_ settlement: Settlement, _ functions: [FunctionPositions], _ path: String) -> ReplayError {
    var details = ["expected partition \(position.partition) beyond position \(position.position)"]
    if case .open(let next?) = settlement {
      details.append("found: its next position is \(next)\(Wait.whose(next, position.partition, functions))")
    } else {
      let known = Set(functions.flatMap { $0.next.keys.map(\.name) }).sorted { ($0.count, $0) < ($1.count, $1) }
      details.append("found: no such partition yet; known: \(known.isEmpty ? "none" : Wait.list(known))")
    }
    return ReplayError(
      .timeout, "the event \(position) is not in the store after \(timeout): \(path)", details: details,
      next: "see whether the run still runs and how far it is: replay status --store \(Words.shellQuoted(path))")
  }

  /// The function that is least far, where several were waited for.
  private static func whose(_ next: Position, _ partition: String, _ functions: [FunctionPositions]) -> String {
    guard functions.count > 1 else { return "" }
    let last = functions.first { $0.next.contains { $0.key.name == partition && $0.value == next } }
    return last.map { " of \($0.name)" } ?? ""
  }

  private static func list(_ names: [String]) -> String {
    names.prefix(16).joined(separator: ", ") + (names.count > 16 ? ", …" : "")
  }
}
