import ReplayCore

/// What is said where a handoff is refused. Each has its own exit code.
extension HandoffRun {
  /// Of whatever stops a handoff.
  public static let effect = "the archive is replayed and committed; nothing live was applied"

  /// Live may begin at `start` only if the stream has not lost what is there, and is not shorter.
  static func verify(_ start: Position, _ part: Part, of source: any LiveSource) throws {
    let next = start.firstNumber
    if part.live.start.number > next {
      throw error(.expired(part.live.partition, wanted: start, start: part.live.start), of: source)
    }
    if next > part.live.end.number {
      throw error(.beyondEnd(part.live.partition, wanted: start, end: part.live.end), of: source)
    }
  }

  /// The stream cannot begin where it should.
  public static func error(_ error: LiveError, of source: any LiveSource) -> ReplayError {
    switch error {
    case .expired(let partition, let wanted, let start):
      let lost = start.number.distance(from: wanted.firstNumber)
      return ReplayError(
        .expired, "events have passed the stream's retention: \(source.name)",
        details: [
          "partition \(partition): expected: the event at position \(wanted.firstNumber)",
          "found:    the stream begins at position \(start), \(lost.map { "\($0)" } ?? "unknown many") positions later",
        ], effect: "what is committed stays; nothing behind the hole was applied",
        next: "let the archive take in what is missing and run the same command, or lengthen the stream's retention")
    case .beyondEnd(let partition, let wanted, let end):
      return ReplayError(
        .beyondEnd, "the stream ends before the archive does: \(source.name)",
        details: [
          "partition \(partition): expected the stream to reach position \(wanted.firstNumber)",
          "found: it ends at position \(end)",
        ], effect: effect,
        next: "look whether this is the stream that was archived, or one that was made anew")
    }
  }

  /// The same of a function that is live: the archive is not read for it any more.
  public static func error(whileLive error: LiveError, of source: any LiveSource) -> ReplayError {
    var told = self.error(error, of: source)
    told.effect = "what was applied before is committed, nothing more was applied"
    switch error {
    case .expired:
      told.next = "these events are lost to this store: start anew from the archive with --full-refresh"
    case .beyondEnd:
      told.summary = "the stream ends before what was applied: \(source.name)"
      told.next = "look whether it was made anew; if so, start anew with --full-refresh"
    }
    return told
  }

  public static func error(_ refusal: Handoff.Refusal, _ part: Part, of source: any LiveSource) -> ReplayError {
    let place = "partition \(part.live.partition)"
    // What is known again was applied before, from the stream itself.
    let side = part.archive == nil ? "applied" : "archived"
    switch refusal {
    case .differs(let position, let archived):
      return ReplayError(
        .otherStream, "the stream's events are not those of the archive: \(source.name)",
        details: [
          "\(place), position \(position): the stream has another event than the one \(side) as \(archived)"
        ] + (part.archive == nil ? [] : ["\(part.handoff.compared) events before it are the same"]), effect: effect,
        next: "compare them (`replay cat --from`); a topic that was deleted and made anew, a wrong topic or a damaged "
          + "archive look like this")
    case .missing(let archived, let found):
      return ReplayError(
        .otherStream, "the stream lacks an event that was archived: \(source.name)",
        details: ["\(place): expected an event at position \(archived)", "found: the next one is at \(found)"],
        effect: effect, next: "if the stream is compacted, say so with --positions sparse; else it is another stream")
    case .ends(let end, let archived):
      return ReplayError(
        .beyondEnd, "the stream ends before the archive does: \(source.name)",
        details: ["\(place): expected the event \(side) as \(archived)", "found: it ends at \(end)"],
        effect: effect, next: "look whether this is the stream that was archived, or one that was made anew")
    case .nothingCompared:
      return ReplayError(
        .unproved, "nothing proves that the stream goes on where the archive ends: \(source.name)",
        details: ["\(place): no archived event was compared: none is in the stream any more, or --overlap-events is 0"],
        effect: effect, next: "look at both ends, and say --unproved-handoff if they belong together")
    }
  }
}

extension Position {
  /// The least number of an event at or behind this position, where events have whole numbers.
  public var firstNumber: WideNumber { index == 0 ? number : number.advanced(by: 1) }
}
