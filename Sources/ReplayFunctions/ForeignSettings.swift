import ReplayCore

/// How functions in other languages are called. Nothing of it changes which events they are given, or in which order.
public struct ForeignSettings: Sendable {
  public var contract: FunctionContract?
  public var declaration = FunctionDeclaration()
  public var shape = EventShape.kinesis
  /// Events of one call, at most; nil: 100.
  public var batchEvents: Int?
  public var batchBytes = 6 << 20
  public var isPerKey = false
  /// Live, how long a batch that is not full waits for more events.
  public var waitMilliseconds: Int64 = 0
  /// Of a Lambda handler, the length of the time windows that it works in; nil: none.
  public var windowSeconds: Int64?
  public var bisects = true
  public var rate: RateLimit?
  public var timeoutMilliseconds: Int64 = 60_000
  public var startMilliseconds: Int64 = 30_000
  public var memoryBytes = 1 << 30
  /// Names in this process's environment whose values the function is given.
  public var handedOn: [String] = []
  public var isIsolated = false
  /// What events say that they come from; nil: their own log.
  public var sourceARN: String?
  /// Of `exec:`, whether one line holds a whole batch.
  public var isLineABatch = false
  /// Of HTTP, how CloudEvents are sent; nil: binary.
  public var httpForm: HTTPForm?
  /// Of HTTP, the region of AWS whose requests are signed; nil: that of an address of AWS Lambda.
  public var signingRegion: String?
  /// Of HTTP, headers of every call: `NAME=@env:VARIABLE`.
  public var ownHeaders: [String] = []

  public init() {}

  /// The function behind `address`. Throws `.usage` for what does not go together.
  public func function(_ address: FunctionAddress) throws -> ForeignFunction {
    let name = declaration.name ?? address.defaultName
    guard let contract = contract ?? declaration.contract else {
      throw ReplayError(
        .usage, "nobody says what the function \(name) does with its events", effect: "nothing was read",
        next:
          "--contract changes, if it returns changes to tables that --tables declares; --contract writes-itself, if it writes by itself"
      )
    }
    guard contract == .writesItself || !declaration.tables.isEmpty else {
      throw ReplayError(
        .usage, "the function \(name) returns changes to tables that nobody declares", effect: "nothing was read",
        next: "declare them in a file: --tables FILE")
    }
    if windowSeconds != nil { try checkWindows(address) }
    var reads = Reads()
    let payload = reads.payload()
    let make: @Sendable (Int) throws -> any FunctionWorker
    switch address {
    case .exec(let command):
      let plan = LineWorker.Plan(
        command: command, environment: ChildEnvironment(handedOn: handedOn), limits: limits, isIsolated: isIsolated,
        payload: payload, id: reads.id(), time: reads.time(), isBatched: isLineABatch)
      make = { _ in LineWorker(plan) }
    case .lambda(let file, let handler):
      let plan = try lambda(HandlerFile(file, handler: handler), name, payload, &reads)
      make = { LambdaWorker(plan, number: $0) }
    case .lambdaCommand(let command):
      let plan = try lambda(HandlerFile(command: command), name, payload, &reads)
      make = { LambdaWorker(plan, number: $0) }
    case .http(let text): make = try http(HTTPAddress(text), contract, payload, &reads)
    }
    var limits = ForeignSession.Limits()
    (limits.events, limits.bytes) = (batchEvents ?? limits.events, batchBytes)
    (limits.bisects, limits.rate, limits.isPerKey) = (bisects, rate, isPerKey)
    (limits.waitMilliseconds, limits.windowSeconds) = (waitMilliseconds, windowSeconds)
    return ForeignFunction(
      name: name, declaration: declaration, contract: contract, reads: reads, limits: limits, makeWorker: make)
  }

  /// AWS has windows for streams of Kinesis and DynamoDB only.
  private func checkWindows(_ address: FunctionAddress) throws {
    let isLambda =
      switch address {
      case .lambda, .lambdaCommand: true
      case .exec: false
      case .http(let text): try HTTPAddress(text).invokedFunction != nil
      }
    guard isLambda, shape == .kinesis || shape == .dynamodb else {
      throw ReplayError(
        .usage, "a tumbling window is for Lambda handlers of Kinesis or DynamoDB streams",
        details: [
          isLambda ? "--event-shape \(shape.rawValue) has none" : "\(address.defaultName) is no Lambda handler"
        ],
        effect: "nothing was read",
        next: "leave --tumbling-window out, or use lambda: with --event-shape kinesis or dynamodb")
    }
  }

  private var limits: ChildLimits {
    ChildLimits(milliseconds: timeoutMilliseconds, startMilliseconds: startMilliseconds, residentBytes: memoryBytes)
  }

  private func lambda(
    _ file: HandlerFile, _ name: String, _ payload: PayloadField, _ reads: inout Reads
  ) throws -> LambdaWorker.Plan {
    LambdaWorker.Plan(
      command: file.command, directory: file.directory, handler: file.handler, functionName: name,
      environment: ChildEnvironment(handedOn: handedOn), limits: limits, isIsolated: isIsolated,
      shape: shape.events(EventOrigin(arn: sourceARN), &reads), payload: payload)
  }
}

/// A Lambda handler's file, and the command that runs it.
struct HandlerFile {
  private(set) var command: [String]
  var directory: String?
  var handler = "app.handler"

  init(command: [String]) { self.command = command }

  /// By the file's name: Python through `awslambdaric`, Node through `aws-lambda-ric` beside it.
  init(_ file: String, handler: String) throws {
    let slash = file.lastIndex(of: "/")
    directory = slash.map { String(file[..<$0]) } ?? "."
    let name = slash.map { String(file[file.index(after: $0)...]) } ?? file
    guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { throw HandlerFile.unknown(file) }
    let module = String(name[..<dot])
    self.handler = "\(module).\(handler)"
    guard isReadable(file) else {
      throw ReplayError(
        .usage, "the function's file cannot be read: \(file)", details: [systemReason()], effect: "nothing was read",
        next: "name it as lambda:PATH:HANDLER")
    }
    switch name[name.index(after: dot)...] {
    case "py": command = ["python3", "-m", "awslambdaric", self.handler]
    case "js", "mjs", "cjs":
      command = ["\(directory ?? ".")/node_modules/.bin/aws-lambda-ric", self.handler]
      if !isReadable(command[0]) {
        throw ReplayError(
          .usage, "there is no runtime interface client for \(file)", details: ["\(command[0]) is missing"],
          effect: "nothing was read",
          next: "npm install aws-lambda-ric there, or name a client of your own: lambda:exec:COMMAND")
      }
      command[0] = absolutePath(command[0])
    default: throw HandlerFile.unknown(file)
    }
  }

  private static func unknown(_ file: String) -> ReplayError {
    ReplayError(
      .usage, "nobody knows how to run \(file) as a Lambda handler",
      details: ["known are files that end in .py, .js, .mjs and .cjs"], effect: "nothing was read",
      next: "name the runtime interface client: lambda:exec:COMMAND")
  }
}

extension EventShape {
  func events(_ origin: EventOrigin, _ reads: inout Reads) -> any ShapedEvents {
    switch self {
    case .kinesis: KinesisEvents(origin: origin, time: reads.time())
    case .kafka: KafkaEvents(origin: origin, time: reads.time(), headers: reads.headers())
    case .dynamodb:
      DynamoDBEvents(origin: origin, change: reads.json("dynamodb"), name: reads.text("eventName"))
    case .sqs: QueueEvents(origin: origin, time: reads.time())
    }
  }
}
