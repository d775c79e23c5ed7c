import ArgumentParser
import ReplayCore
import ReplayFunctions

/// How functions in other languages are called.
struct ForeignOptions: ParsableArguments {
  @Option(
    help:
      "What they do: changes (returned, committed exactly once) or writes-itself (delivered at least once, in order).")
  var contract: FunctionContract?
  @Option(
    help:
      "The JSON file that declares a function's name, tables and conditions. Of several functions, one for each in their order; none where one has none.",
    completion: .file())
  var tables: [String] = []
  @Option(help: "The event that a Lambda handler expects: kinesis, kafka, dynamodb or sqs.")
  var eventShape = EventShape.kinesis
  @Option(help: "What events say that they come from (default: made of the topic's name).")
  var eventSourceArn: String?
  @Option(help: "Events of one call, at most (default: 100).")
  var batchSize: Int?
  @Option(help: "Bytes of one call, at most.")
  var batchBytes = 6 << 20
  @Option(help: "Live, seconds that a call which is not full waits for more events, from its first one on.")
  var batchWindow = 0.0
  @Option(
    help:
      "Seconds of the tumbling windows in which a Lambda handler of Kinesis or DynamoDB events is called; its one worker has all keys."
  )
  var tumblingWindow: Int?
  @Flag(help: "At most one event of a key in a call, for handlers that work on a batch's events side by side.")
  var perKeyBatches = false
  @Flag(help: "Do not look for a bad event by halves: a batch fails whole.")
  var noBisect = false
  @Option(help: "Workers, each with keys of its own (default: the number of lanes).")
  var workers: Int?
  @Option(help: "Events a second, at most, of all workers.")
  var maxRate: Double?
  @Option(help: "Seconds that one call may take; then its worker is killed.")
  var functionTimeout = 60.0
  @Option(help: "Seconds until a worker is ready.")
  var functionStartTimeout = 30.0
  @Option(help: "Memory of one worker, in bytes; above it, it is killed.")
  var functionMemory = 1 << 30
  @Option(help: "A variable of this environment that workers may see; repeat it for several.")
  var functionEnv: [String] = []
  @Option(help: "What workers may not use: network.")
  var isolate: Isolation?
  @Option(help: "Of exec: whether a line holds one event or a whole batch.")
  var execLines = LineContent.event
  @Option(help: "How CloudEvents go over HTTP: binary, structured (one call an event) or batched (default: binary).")
  var httpForm: HTTPForm?
  @Option(
    name: .customLong("aws-sigv4"),
    help: "Sign HTTP calls for AWS Lambda in this region, with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
  var signingRegion: String?
  @Option(help: "A header of each HTTP call, NAME=@env:VARIABLE; repeat it for several.")
  var httpHeader: [String] = []

  /// Of all functions of this run; whoever asks the run may change it.
  static let rate = RateLimit(perSecond: .infinity)

  enum Isolation: String, ExpressibleByArgument, CaseIterable { case network }
  enum LineContent: String, ExpressibleByArgument, CaseIterable { case event, batch }

  func validate() throws {
    if let batchSize, !(1...10_000).contains(batchSize) {
      throw ValidationError("--batch-size must be from 1 to 10,000.")
    }
    if !(1...(256 << 20)).contains(batchBytes) { throw ValidationError("--batch-bytes must be from 1 to 268,435,456.") }
    if !(0...300).contains(batchWindow) { throw ValidationError("--batch-window must be from 0 to 300 seconds.") }
    if let tumblingWindow {
      if !(1...900).contains(tumblingWindow) {
        throw ValidationError("--tumbling-window must be from 1 to 900 seconds.")
      }
      if let workers, workers > 1 {
        throw ValidationError("--tumbling-window goes with --workers 1: a window has all keys of its partition.")
      }
    }
    if let workers, !(1...1_000).contains(workers) { throw ValidationError("--workers must be from 1 to 1,000.") }
    if let maxRate, !(maxRate > 0) { throw ValidationError("--max-rate must be above 0.") }
    for seconds in [functionTimeout, functionStartTimeout] where !(0.01...86_400).contains(seconds) {
      throw ValidationError("A timeout must be from 0.01 to 86,400 seconds.")
    }
    if functionMemory < 1 << 20 { throw ValidationError("--function-memory must be at least 1,048,576 bytes.") }
  }

  /// What is promised of a function that writes by itself; nil of every other one.
  static func delivery(_ projection: any Projection) -> String? {
    guard let function = projection as? ForeignFunction, function.contract == .writesItself else { return nil }
    if function.windowSeconds != nil {
      return
        "delivery  \(function.name) writes by itself: each event at least once, a partition's in order; after a kill what was "
        + "given since the last commit is repeated, with its windows' state of then"
    }
    return
      "delivery  \(function.name) writes by itself: each event at least once, a key's in order; after a kill at most one call "
      + "of each worker is repeated"
  }

  /// What stands for the declaration of a function that has none.
  private static let none = "none"

  /// Which file declares which function: the first of `--tables` the first function that is in another language, and so on.
  /// None need be declared; if one is, all are to be named. Throws `.usage` where they cannot be told apart.
  func declarations(of functions: [String]) throws -> [String: String] {
    let files = try declared(functions)
    return Dictionary(zip(functions, files).compactMap { name, file in file.map { (name, $0) } }) { $1 }
  }

  /// The file that declares each function, in their order; nil where nobody does. `sharesOne`: one file may be all's.
  func declared(_ functions: [String], sharesOne: Bool = false) throws -> [String?] {
    let isForeign = try functions.map { try FunctionAddress($0) != nil }
    let foreign = zip(functions, isForeign).filter(\.1).map(\.0)
    guard !tables.isEmpty, !foreign.isEmpty else { return functions.map { _ in nil } }
    var files = sharesOne && tables.count == 1 ? foreign.map { _ in tables[0] } : tables
    guard files.count == foreign.count else { throw unclear(foreign) }
    return isForeign.map { isForeign in
      guard isForeign else { return nil }
      let file = files.removeFirst()
      return file == ForeignOptions.none ? nil : file
    }
  }

  private func unclear(_ foreign: [String]) -> ReplayError {
    let pairs = (0..<max(tables.count, foreign.count)).map { place in
      "\(place < foreign.count ? foreign[place] : "no function"): "
        + (place < tables.count ? tables[place] : "no file")
    }
    return ReplayError(
      .usage,
      "--tables is given \(tables.count == 1 ? "once" : "\(tables.count) times") for "
        + "\(foreign.count) functions in other languages: which declares which is not clear",
      details: pairs, effect: "nothing was read",
      next:
        "give one --tables FILE for each of them, in the order of --function; --tables none for one that has no file"
    )
  }

  /// A declaration's contract counts, and the flag for functions that have none. Throws `.usage` where the flag, which can
  /// then be for nobody else, says another one: changes that nobody keeps, or a wait for changes that do not come.
  private func contract(of function: String, declared: FunctionContract?) throws -> FunctionContract? {
    guard let declared, let contract, declared != contract, !tables.contains(ForeignOptions.none) else {
      return declared ?? contract
    }
    throw ReplayError(
      .usage, "two contracts are named for one function: \(function)",
      details: ["its declaration says \(declared.rawValue)", "--contract says \(contract.rawValue)"],
      effect: "nothing was read", next: "leave --contract out, or change the declaration")
  }

  /// The function that `text` reaches; nil where it is a name. Throws `.usage`.
  func function(_ text: String, declaredIn tables: String?) throws -> (any Projection)? {
    guard let address = try FunctionAddress(text) else { return nil }
    var settings = ForeignSettings()
    if let tables {
      settings.declaration = try FunctionDeclaration(
        file: tables, InputFile.read(tables, what: "the functions' declaration"))
    }
    settings.contract = try contract(of: text, declared: settings.declaration.contract)
    (settings.shape, settings.sourceARN) = (eventShape, eventSourceArn)
    (settings.batchEvents, settings.batchBytes) = (batchSize, batchBytes)
    (settings.isPerKey, settings.bisects) = (perKeyBatches, !noBisect)
    settings.windowSeconds = tumblingWindow.map(Int64.init)
    settings.waitMilliseconds = Int64((batchWindow * 1000).rounded())
    if let maxRate { ForeignOptions.rate.perSecond = maxRate }
    settings.rate = ForeignOptions.rate
    settings.timeoutMilliseconds = Int64(functionTimeout * 1000)
    settings.startMilliseconds = Int64(functionStartTimeout * 1000)
    settings.memoryBytes = functionMemory
    settings.handedOn = functionEnv
    settings.isIsolated = isolate == .network
    settings.isLineABatch = execLines == .batch
    (settings.httpForm, settings.signingRegion, settings.ownHeaders) = (httpForm, signingRegion, httpHeader)
    return try settings.function(address)
  }
}

extension FunctionContract: ExpressibleByArgument {}
extension EventShape: ExpressibleByArgument {}
extension HTTPForm: ExpressibleByArgument {}
