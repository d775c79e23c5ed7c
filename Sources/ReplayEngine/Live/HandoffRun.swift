import ReplayCore

/// What one partition's handoff came to.
public struct HandoffResult: Sendable {
  /// The archive's name of it; nil where the archive has none of it.
  public let archive: Partition?
  public let live: Partition
  public let kind: HandoffClass
  /// The next position after the last archived event, as the archive counts; nil of an overlap.
  public let archiveEnd: Position?
  /// Where live begins.
  public let start: Position
  /// Archived events that were read back from the stream and found to be the same; none of them is applied again.
  public let compared: Int
  /// The last of them.
  public let last: PrintedEvent?
  /// Of all of them.
  public let digest: HandoffDigest
  /// Of an overlap, positions behind `start` whose events were archived: they are not applied again.
  public var ahead: [Position] = []
}

extension HandoffRun {
  /// Proves that the stream is the one that was followed before: reads back the last event that was taken of each
  /// partition, as far as the stream still has it. Throws `ReplayError`; nil where it was asked to stop.
  public static func knowAgain(
    _ last: [Partition: PrintedEvent], of source: any LiveSource, isSparse: Bool, stop: StopRequest,
    now: @escaping () -> Int64, print: @escaping (UnsafeRawBufferPointer?) -> PayloadPrint
  ) throws -> Int? {
    var rule = Handoff.Rule()
    (rule.isSparse, rule.mayBeUnproved) = (isSparse, true)
    let parts = try source.partitions().compactMap { live -> Part? in
      guard let event = last[live.partition], event.position.number >= live.start.number else { return nil }
      let handoff = Handoff(
        .exact, archiveEnd: event.position.successor,
        tail: [SignedEvent(position: event.position, sign: EventSign(print: event.print))],
        rule: rule)
      return Part(archive: nil, live: live, handoff: handoff)
    }
    var run = HandoffRun(parts, of: source, stop: stop, now: now) { $0.signs(print) }
    do { return try run.run()?.reduce(0) { $0 + $1.compared } } catch var error as ReplayError
      where [.otherStream, .beyondEnd].contains(error.code)
    {
      error.summary = "the stream is not the one that was followed: \(source.name)"
      error.effect = "nothing was applied; what was committed before stays"
      error.next =
        "look whether its topic was deleted and made anew (then start anew with --full-refresh); a compacted one "
        + "wants --positions sparse"
      throw error
    }
  }
}

/// Proves every partition's handoff: reads the last archived events back from the stream. Applies nothing.
public struct HandoffRun {
  /// One partition to prove.
  public struct Part {
    public let archive: Partition?
    public let live: LivePartition
    public var handoff: Handoff

    public init(archive: Partition?, live: LivePartition, handoff: Handoff) {
      self.archive = archive
      self.live = live
      self.handoff = handoff
    }
  }

  private let source: any LiveSource
  private let signs: EventSigns
  private var stream: PatientStream
  private var parts: [Part]
  private var results: [HandoffResult] = []

  public init(
    _ parts: [Part], of source: any LiveSource, silenceMilliseconds: Int64 = PatientStream.silenceMilliseconds,
    stop: StopRequest, now: @escaping () -> Int64, signs: @escaping EventSigns
  ) {
    self.parts = parts
    self.source = source
    self.signs = signs
    stream = PatientStream(source, silenceMilliseconds: silenceMilliseconds, stop: stop, now: now)
  }

  /// The results in the order of the parts; nil where it was asked to stop. Throws `ReplayError`: then nothing live may
  /// be applied.
  public mutating func run() throws -> [HandoffResult]? {
    for part in parts { try settle(part, part.handoff.begin()) }
    while !pending.isEmpty {
      try source.seek(
        Dictionary(
          uniqueKeysWithValues: pending.compactMap { part in
            part.handoff.readFrom.map { (part.live.partition, $0) }
          }))
      // The seek itself may have waited for a stream that is back now.
      stream.asked()
      // Told anew what to read only when half of it is not needed any more: to be told costs a stream more than to read.
      let enough = results.count + (pending.count + 1) / 2
      while results.count < enough {
        switch try stream.next("\(results.count) of \(parts.count) partitions are proved") {
        case .messages(let messages): try take(messages)
        case .caughtUp(let partition, let next):
          guard let place = place(of: partition) else { break }
          try settle(parts[place], parts[place].handoff.caughtUp(next))
        case .opened, .closed: break
        case nil: return nil
        }
      }
    }
    return parts.compactMap { part in results.first { $0.live == part.live.partition } }
  }

  private var pending: [Part] {
    parts.filter { part in !results.contains { $0.live == part.live.partition } }
  }

  private func place(of partition: Partition) -> Int? {
    guard !results.contains(where: { $0.live == partition }) else { return nil }
    return parts.firstIndex { $0.live.partition == partition }
  }

  private mutating func take(_ messages: LiveMessages) throws {
    guard let place = place(of: messages.partition) else { return }
    for (message, sign) in zip(messages.messages, try signs(messages)) {
      let action = parts[place].handoff.take(message.position, sign)
      if try settle(parts[place], action) { return }
    }
  }

  /// True where the partition is proved now.
  @discardableResult private mutating func settle(_ part: Part, _ action: Handoff.Action) throws -> Bool {
    switch action {
    case .goOn: return false
    case .refused(let refusal):
      // A hole that is certain is said rather than that nothing is proved.
      if refusal == .nothingCompared { try HandoffRun.verify(part.handoff.archiveEnd, part, of: source) }
      throw HandoffRun.error(refusal, part, of: source)
    case .proved(let start, let compared):
      try HandoffRun.verify(start, part, of: source)
      results.append(
        HandoffResult(
          archive: part.archive, live: part.live.partition, kind: part.handoff.kind,
          archiveEnd: part.handoff.archiveEnd, start: start, compared: compared,
          last: part.handoff.lastCompared, digest: part.handoff.digest))
      return true
    }
  }
}
