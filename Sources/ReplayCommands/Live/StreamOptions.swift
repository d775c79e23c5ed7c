import ArgumentParser
import ReplayCore
import ReplayDirectory
import ReplayEngine
import ReplayKafka

/// The live stream behind the archive.
struct StreamOptions: ParsableArguments {
  @Option(help: "Go on with this stream behind the archive: dir:DIR, or kafka://HOST:PORT/TOPIC.")
  var live: String?
  @Option(
    name: .customShort("X"),
    help: ArgumentHelp(
      "An option of librdkafka, KEY=VALUE; a secret as KEY=@file:PATH or KEY=@env:NAME.", valueName: "option"))
  var streamOptions: [String] = []
  @Option(help: "Where the partition key is in the payload of stream events that have no key of their own.")
  var liveKey = "partitionkey"
  @Flag(help: "End once everything that is in the stream is applied.")
  var untilCaughtUp = false
  @Option(help: "Archived events of each partition that are read back from the stream and compared before the handoff.")
  var overlapEvents = StreamOptions.usualOverlapEvents
  @Option(
    help: """
      How far before the archive's end the stream is read where the archive has no positions: more than twice as long as \
      its writer is late at most, as 30m, 6h or 3d.
      """)
  var overlapTime = StreamOptions.usualOverlapTime
  @Option(help: "Events are one if they have the same: content (bytes, or JSON but for white space), id.")
  var compare = EventSign.Comparison.content
  @Flag(help: "Hand off though nothing could be compared.")
  var unprovedHandoff = false
  @Option(help: "Write how each partition was handed off as JSON to this file.")
  var handoffReport: String?
  @Option(help: "Seconds between two commits while the stream does not rest, at most.")
  var liveCommitInterval = 1.0

  static let usualOverlapEvents = 100
  static let usualOverlapTime = TimeSpan(argument: "1h") ?? TimeSpan(seconds: 3_600)

  /// `-Xkey=value`, as kcat takes it too, in two words: the parser would call it unknown, and show it.
  static func parted(_ arguments: [String]) -> [String] {
    let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
    return arguments[..<end].flatMap { word in
      word.hasPrefix("-X") && word.utf8.count > 2 ? ["-X", String(word.dropFirst(2))] : [word]
    } + arguments[end...]
  }

  func validate() throws {
    if live == nil {
      let flags = [
        (untilCaughtUp, "--until-caught-up"), (unprovedHandoff, "--unproved-handoff"),
        (handoffReport != nil, "--handoff-report"), (overlapTime != StreamOptions.usualOverlapTime, "--overlap-time"),
        (overlapEvents != StreamOptions.usualOverlapEvents, "--overlap-events"), (compare != .content, "--compare"),
      ]
      if let flag = flags.first(where: \.0)?.1 { throw ValidationError("\(flag) needs --live.") }
    }
    if !(0...1_000_000).contains(overlapEvents) {
      throw ValidationError("--overlap-events must be from 0 to 1,000,000.")
    }
    if overlapTime.milliseconds < 1_000 { throw ValidationError("--overlap-time must be at least 1s.") }
    if !(0.001...3_600).contains(liveCommitInterval) {
      throw ValidationError("--live-commit-interval must be from 0.001 to 3,600 seconds.")
    }
  }
}

extension EventSign.Comparison: ExpressibleByArgument {}

/// Opens streams by their address.
struct StreamAddress: Sendable {
  let text: String
  let options: [(String, String)]

  /// Throws `.usage` where the options are none.
  init(_ text: String, options: [String] = []) throws {
    self.text = text
    self.options = try options.enumerated().map { place, option in
      guard let equals = option.firstIndex(of: "="), equals > option.startIndex else {
        // Not what it says: it may be a secret that lost its name.
        throw ReplayError(
          .usage, "-X wants KEY=VALUE",
          details: ["found: the -X option number \(place + 1) has no \(option.isEmpty ? "text" : "KEY=")"],
          effect: "nothing was read or written", next: "write it as -X KEY=VALUE; a secret as -X KEY=@env:NAME")
      }
      return (String(option[..<equals]), String(option[option.index(after: equals)...]))
    }
  }

  /// An address of another kind may have a password in it.
  private static func safe(_ text: String) -> String {
    guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else { return text }
    return text[..<colon] + "://…"
  }

  /// `isPatient`: waits for a stream that is away; else questions are given up soon, for who asks again anyway.
  func open(isPatient: Bool = true) throws -> any LiveSource {
    if text.hasPrefix("dir:") {
      if !options.isEmpty { throw ReplayError(.usage, "-X is for Kafka; a directory has no options") }
      return try DirectoryStream(String(text.dropFirst("dir:".count)))
    }
    if text.hasPrefix("kafka://") {
      var limits = KafkaLimits()
      if !isPatient { limits.outage = limits.answer }
      return try KafkaStream(
        try KafkaAddress(text), options: options, limits: limits, isStopped: { Signals.stop.isStopped })
    }
    throw ReplayError(
      .usage, "this is no stream that can be followed: \(StreamAddress.safe(text))",
      next: "say dir:DIR, or kafka://HOST:PORT/TOPIC")
  }
}
