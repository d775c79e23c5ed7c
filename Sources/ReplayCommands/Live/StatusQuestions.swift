import ReplayCore
import ReplayHTTP

extension StatusBoard {
  /// Answers what is asked of a run; on any thread.
  func answer(_ request: Request) -> Response {
    if request.method == "POST" {
      return request.path == "/max-rate" ? setRate(request) : .line(405, "only /max-rate is posted to")
    }
    switch request.path {
    case "/max-rate": return .line(200, StatusBoard.shownRate)
    default: return told(request)
    }
  }

  private func told(_ request: Request) -> Response {
    switch request.path {
    case "/": Response(200, type: Response.html, body: StatusPage.html)
    case "/livez": .line(200, "ok")
    case "/readyz": now.notReady.map { .line(503, $0) } ?? .line(200, "ready")
    case "/status": Response(200, type: Response.json, body: status(now).text + "\n")
    case "/metrics": Response(200, type: MetricsText.type, body: metrics(now))
    case "/wait": wait(request)
    default: .line(404, "there is /, /livez, /readyz, /status, /wait, /metrics and /max-rate")
    }
  }

  private static var shownRate: String {
    let rate = ForeignOptions.rate.perSecond
    return rate.isFinite ? "\(rate)" : "none"
  }

  /// `events=500`, a second; `events=none` for as many as there are; 0 halts.
  private func setRate(_ request: Request) -> Response {
    guard request.query.count == 1, let (name, value) = request.query.first, name == "events", let value,
      let rate = value == "none" ? .infinity : Double(value), rate >= 0, rate.isFinite || value == "none"
    else { return .line(400, "say how many a second: POST /max-rate?events=500, or events=none") }
    ForeignOptions.rate.perSecond = rate
    return .line(200, StatusBoard.shownRate)
  }

  /// 200: settled; 504: not in time (not 408, on which clients ask again by themselves); 404: no such partition or
  /// function; 503: the run is over, or too many wait.
  private func wait(_ request: Request) -> Response {
    let question: WaitQuestion
    switch WaitQuestion.read(request.query) {
    case .success(let found): question = found
    case .failure(let fault): return .line(400, fault.line)
    }
    let place = question.place
    let answer = wait(for: place, function: question.function, milliseconds: question.timeout.milliseconds)
    switch answer {
    case .settled(let next):
      return Response(200, type: Response.json, body: JSONText.object(Settlement.json(place, next: next)).text + "\n")
    case .late(let next):
      let late: [(String, JSONText)] = [
        ("settled", .bool(false)), ("partition", .string(place.partition)), ("position", .string("\(place.position)")),
        ("next", .optional(next?.description)),
      ]
      return Response(504, type: Response.json, body: JSONText.object(late).text + "\n")
    case .unknownPartition: return .line(404, "there is no such partition; /status lists them")
    case .unknownFunction: return .line(404, "there is no such function; /status lists them")
    case .over: return .line(503, "the run is over, and the event is not settled")
    case .tooMany: return .line(503, "\(StatusBoard.mostWaiting) others wait already")
    }
  }
}

/// `partition=3&position=30&timeout=5s&function=NAME`.
struct WaitQuestion {
  let place: EventPlace
  let function: String?
  let timeout: TimeSpan

  /// What is wrong with a question, in one line.
  struct Fault: Error, Equatable { let line: String }

  private static let names = ["partition", "position", "timeout", "function"]
  private static let longest = TimeSpan(seconds: 600)

  static func read(_ query: [(name: String, value: String?)]) -> Result<WaitQuestion, Fault> {
    var values: [String: String] = [:]
    for (name, value) in query {
      guard names.contains(name) else {
        return .failure(Fault(line: "a wait has partition, position, timeout and function only"))
      }
      guard let value, values.updateValue(value, forKey: name) == nil else {
        return .failure(Fault(line: "\(name) must be given once, with a value"))
      }
    }
    guard let partition = values["partition"], let number = values["position"] else {
      return .failure(Fault(line: "partition and position are needed: /wait?partition=3&position=30"))
    }
    guard let position = Position(argument: number) else {
      return .failure(Fault(line: "position must be a position, such as 30 or 30:1"))
    }
    guard let timeout = values["timeout"].map(TimeSpan.init(argument:)) ?? TimeSpan(seconds: 5),
      timeout.milliseconds <= longest.milliseconds
    else { return .failure(Fault(line: "timeout must be \(TimeSpan.form); here at most 10m")) }
    let place = EventPlace(partition: partition, position: position)
    return .success(WaitQuestion(place: place, function: values["function"], timeout: timeout))
  }
}
