import ReplayCore

/// Gives up the calls that sessions wait for, some time after the run was asked to stop: a cut waits for them too, and nobody
/// in it could.
final class SessionWatch: Sendable {
  private struct State: Sendable {
    var isOver = false
    var hasGivenUp = false
  }
  private let state = Monitor(State())

  /// Returns once `end` was called, or the calls were given up.
  func run(_ stop: StopRequest, after milliseconds: Int64, now: () -> Int64, giveUp: () -> Void) {
    var until: Int64?
    while state.wait(milliseconds: 20, { $0.isOver ? () : nil }) == nil {
      guard stop.isStopped else { continue }
      let end = until ?? now() + milliseconds
      until = end
      guard now() >= end else { continue }
      state.change { $0.hasGivenUp = true }
      return giveUp()
    }
  }

  func end() { state.change { $0.isOver = true } }

  var hasGivenUp: Bool { state.quietly { $0.hasGivenUp } }
}
