import ReplayCore
import ReplayEngine

// Flags of a handoff whose class has no use for them: what they ask for is refused, or said not to be done.
extension HandoffPlan {
  /// Throws `.usage` where the flags ask for what this class of handoff cannot do without.
  static func check(_ stream: StreamOptions, for kind: HandoffClass) throws {
    guard kind == .lowerBound, stream.overlapEvents == 0 else { return }
    throw ReplayError(
      .usage, "--overlap-events 0 cannot be done: the archive counts its positions, so its end is found by comparing",
      details: ["its last segment is matched with the stream event by event, and live begins behind the last one"],
      effect: "nothing was read or written",
      next: "leave it out; or, if every position of the stream was filled, say --positions dense: the end is exact then"
    )
  }

  /// What is not done though it was asked for.
  static func notes(_ stream: StreamOptions, for kind: HandoffClass) -> [String] {
    let unproved = stream.unprovedHandoff ? ["--unproved-handoff"] : []
    let events = stream.overlapEvents != StreamOptions.usualOverlapEvents ? ["--overlap-events"] : []
    let time = stream.overlapTime != StreamOptions.usualOverlapTime ? ["--overlap-time"] : []
    let (idle, why) =
      switch kind {
      case .exact: (time, "the archive knows its end")
      case .lowerBound: (unproved + events + time, "the last segment is compared whole, or the end is not found")
      case .overlap: ([], "")
      }
    return idle.map { "live      \($0) changes nothing: \(why)" }
  }
}
