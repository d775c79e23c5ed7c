import ReplayCore
import ReplayEngine

/// What a store says of a function's stream, before it is followed on.
struct FollowedStream {
  private let function: String
  private let checkpoint: Checkpoint
  private let store: String

  /// `store`: its name, for messages.
  init(_ function: String, _ checkpoint: Checkpoint, store: String) {
    self.function = function
    self.checkpoint = checkpoint
    self.store = store
  }

  /// Why the function must not be given this stream's events; nil where it may, or does not follow one yet. `there`: the
  /// stream's partitions.
  func refusal(of source: any LiveSource, _ there: Set<Partition>) -> ReplayError? {
    if checkpoint.phase == .archive { return nil }
    if checkpoint.phase == .handedOver { return Replaying.follows(function, checkpoint, store) }
    let known = checkpoint.frontier.keys.filter { $0.side == .live }
    if let other = Set(known.map(\.log)).subtracting([source.log]).min() {
      return ReplayError(
        .otherStream, "the function \(function) follows another stream",
        details: ["expected: \(other)", "found:    \(source.log) (\(source.name))"],
        effect: "nothing was applied; what was committed before stays",
        next: "name that stream with --live, or start anew with --full-refresh")
    }
    guard let gone = known.filter({ !there.contains($0) }).min() else { return nil }
    return ReplayError(
      .otherStream, "the stream lacks a partition that was followed: \(source.name)",
      details: ["expected a partition \(gone.name), which \(function) has read"],
      effect: "nothing was applied; what was committed before stays",
      next: "look whether this is the stream that was followed")
  }

  /// Why the stream cannot go on at the function's position in this partition; nil where it can.
  func refusal(at part: LivePartition, of source: any LiveSource) -> ReplayError? {
    guard checkpoint.phase == .live, let next = checkpoint.frontier[part.partition] else { return nil }
    var error: LiveError?
    if part.start.number > next.firstNumber {
      error = .expired(part.partition, wanted: next, start: part.start)
    } else if part.end.number < next.firstNumber {
      error = .beyondEnd(part.partition, wanted: next, end: part.end)
    }
    return error.map { HandoffRun.error(whileLive: $0, of: source) }
  }
}
