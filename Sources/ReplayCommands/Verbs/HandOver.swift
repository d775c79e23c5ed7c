import ArgumentParser
import ReplayCore
import ReplayDecode
import ReplayEngine
import ReplayKafka
import ReplaySQL

/// `replay handoff`: nobody wants a second permanent consumer, so the one they have goes on where the replay ended.
struct HandOver: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "handoff",
    abstract: "Let the function's own consumer go on where a live replay ended.",
    discussion: """
      replay --archive A --function F --store S --live kafka://H/T --until-caught-up
      replay handoff --function F --store S --live kafka://H/T --to kafka-group:NAME

      Commits the next offsets for that group, which must have no members and not be ahead. The consumer then begins \
      without a hole or a double. --to print says what to set elsewhere.
      """)

  @Option(help: "The function whose positions are handed over.")
  var function: String
  @OptionGroup(title: "Store") var store: StoreOptions
  @Option(help: "The stream: kafka://HOST:PORT/TOPIC, or dir:DIR with --to print.")
  var live: String
  @Option(
    name: .customShort("X"),
    help: ArgumentHelp("An option of librdkafka, as in run.", valueName: "option"))
  var streamOptions: [String] = []
  @Option(help: "kafka-group:NAME, or print.")
  var to: String
  @OptionGroup(title: "Output") var output: OutputOptions

  func run() throws {
    output.apply()
    Signals.endAtOnce()
    let address = try StreamAddress(live, options: streamOptions)
    let (positions, before) = try reached()
    let inspector = try store.inspector()
    if to == "print" {
      let now = try inspector.followed(function)
      try verifyNothingAhead(now)
      try show(positions, address)
      return warnOfFilter(now)
    }
    guard to.hasPrefix("kafka-group:"), live.hasPrefix("kafka://") else {
      throw ReplayError(
        .usage, "this cannot be handed over to: \(to)", effect: "nothing was written",
        next: "say --to kafka-group:NAME with a kafka:// stream, or --to print")
    }
    let group = try KafkaGroup(
      String(to.dropFirst("kafka-group:".count)), of: try KafkaAddress(live), options: address.options)
    defer { group.close() }
    try verifyLog(positions, try KafkaAddress(live).topic)
    // Whatever stands against it is found before a run that follows is disturbed.
    do {
      let now = try inspector.followed(function)
      try verifyNothingAhead(now)
      try knowAgain(now.lastEvents, address)
      try group.verify(now.frontier)
    } catch { throw told(error, effect: "nothing was written; a run that follows goes on") }
    // First nobody follows with this store any more, then the group may begin: never both.
    let final = try inspector.handOver(function, to: to)
    do {
      try verifyNothingAhead(final)
      try knowAgain(final.lastEvents, address)
      try group.commit(final.frontier)
    } catch {
      _ = try inspector.handOver(function, to: "nobody: \(to) did not take it", phase: before)
      throw told(error, effect: "nothing was committed for the group; a run that followed has ended: start it again")
    }
    for (partition, next) in final.frontier.sorted(by: { $0.key < $1.key }) {
      Console.shared.data("group \(group.name): \(partition) goes on at \(next.firstNumber)")
    }
    if let left = KeptWords.sentence(final.kept) {
      Console.shared.say(
        "replay: warning: \(left) in \(store.store): the group goes on without them, with later events of parked keys too"
      )
    }
    warnOfFilter(final)
    Console.shared.say(
      "replay: \(function) is in the hands of group \(group.name): everything before these offsets is in "
        + "\(store.store), nothing from them on; start its consumer. A replay that followed the stream ends with 76")
  }

  /// The consumer is given what the filter would have left out.
  private func warnOfFilter(_ checkpoint: Checkpoint) {
    if checkpoint.filter.words.isEmpty { return }
    Console.shared.say(
      "replay: warning: \(function) was given only \(checkpoint.filter.words); its consumer has to leave out the rest")
  }

  /// The positions are the stream's only if it is the one that was followed.
  private func knowAgain(_ last: [Partition: PrintedEvent], _ address: StreamAddress) throws {
    let source = try address.open()
    defer { source.close() }
    _ = try HandoffRun.knowAgain(
      last, of: source, isSparse: true, stop: StopRequest(), now: Clock.milliseconds, print: PayloadPrinter.print)
  }

  /// Another consumer would apply again what came from the archive.
  private func verifyNothingAhead(_ checkpoint: Checkpoint) throws {
    for (partition, next) in checkpoint.frontier {
      let ahead = (checkpoint.archivedAhead[partition] ?? []).filter { $0 >= next }
      guard let last = ahead.last else { continue }
      throw ReplayError(
        .temporary, "the function \(function) has events from the archive that the stream is still to bring",
        details: ["partition \(partition): it is at \(next), the last of \(ahead.count) such events is at \(last)"],
        next: "let it go on with --live and --until-caught-up first")
    }
  }

  private func verifyLog(_ positions: [Partition: Position], _ topic: String) throws {
    let logs = Set(positions.keys.map(\.log)).subtracting([topic])
    guard let other = logs.min() else { return }
    throw ReplayError(
      .otherStream, "the function \(function) follows another stream",
      details: ["expected: \(other)", "found:    \(topic)"], effect: "nothing was written",
      next: "name that stream with --live")
  }

  private func told(_ error: any Error, effect: String) -> any Error {
    if var error = error as? ReplayError {
      error.effect = effect
      return error
    }
    guard case let error as LiveError = error else { return error }
    var (told, place) = (ReplayError(.beyondEnd, "the function's positions are not in the stream: \(live)"), "")
    switch error {
    case .beyondEnd(let partition, let wanted, let end):
      place = "partition \(partition): the function is at \(wanted), the stream ends at \(end)"
    case .expired(let partition, let wanted, let start):
      told.code = .expired
      place = "partition \(partition): the function is at \(wanted), the stream begins at \(start)"
    }
    told.details = [place]
    told.effect = effect
    told.next = "look whether this is the stream that the function followed"
    return told
  }

  /// The function's next position of each partition of the stream, and whether it was handed over before.
  private func reached() throws -> ([Partition: Position], Phase) {
    let inspector = try store.inspector()
    guard let known = try inspector.positions().first(where: { $0.name == function }) else {
      throw ReplayError(
        .usage, "the store has no function \(function): \(inspector.place)", next: "see `replay status`")
    }
    // What the first group has read meanwhile, this store does not know.
    if known.phase == .handedOver, to != "print", let owner = try owner(in: inspector), owner != to {
      throw ReplayError(
        .fenced, "the function \(function) is in the hands of another consumer", details: ["found: \(owner)"],
        effect: "nothing was written", next: "name that one, or replay into another store")
    }
    let live = known.next.filter { $0.key.side == .live }
    guard known.phase != .archive, !live.isEmpty else {
      throw ReplayError(
        .usage, "the function \(function) was not handed off to a stream yet",
        details: ["its phase is \(known.phase.rawValue)"], effect: "nothing was written",
        next: "replay its archive with --live and --until-caught-up first")
    }
    return (live, known.phase)
  }

  private func owner(in inspector: any StoreInspector) throws -> String? {
    try inspector.inspect().first { $0.name == function }?.owner
  }

  private func show(_ positions: [Partition: Position], _ address: StreamAddress) throws {
    let source = try address.open()
    defer { source.close() }
    try verifyLog(positions, source.log)
    for part in try source.partitions().sorted(by: { $0.partition < $1.partition }) {
      guard let next = positions[part.partition] else { continue }
      if next.firstNumber < part.start.number {
        throw HandoffRun.error(.expired(part.partition, wanted: next, start: part.start), of: source)
      }
      // As kafka-consumer-groups --reset-offsets --from-file reads it.
      Console.shared.data("\(source.log),\(part.partition.name),\(next.firstNumber)")
    }
    if let time = try lastTime(positions, source) {
      Console.shared.say(
        "replay: for an AWS Lambda event source mapping: StartingPosition AT_TIMESTAMP, StartingPositionTimestamp "
          + "\(Words.fixed(Double(time) / 1000, 3)) (the least time of the partitions' last applied events). Events from "
          + "then on come again: the function has to drop those before the offsets above")
    }
  }

  /// The least time among the partitions' last applied events; nil where the stream does not say.
  private func lastTime(_ positions: [Partition: Position], _ source: any LiveSource) throws -> Int64? {
    var wanted: [Partition: Position] = [:]
    for part in try source.partitions() {
      guard let next = positions[part.partition], part.start < next, next.firstNumber.low > 0 else { continue }
      wanted[part.partition] = Position(next.firstNumber.low - 1)
    }
    guard !wanted.isEmpty else { return nil }
    try source.seek(wanted)
    var times: [Partition: Int64] = [:]
    var asked = wanted.keys.count
    while asked > 0, let event = try source.poll(milliseconds: 5_000) {
      switch event {
      case .messages(let messages):
        if times[messages.partition] == nil { times[messages.partition] = messages.messages.first?.time }
      case .caughtUp: asked -= 1
      case .opened, .closed: break
      }
    }
    return times.values.min()
  }
}
