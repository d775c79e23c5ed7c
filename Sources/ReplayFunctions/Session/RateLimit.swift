import ReplayCore

/// Events a second, shared by all lanes of a function, and changeable while it runs. Evenly: not all of a second's at its
/// beginning.
public final class RateLimit: Sendable {
  private struct State: Sendable {
    var perSecond: Double
    /// When the next event may go, in milliseconds of the monotonic clock.
    var next: Double = 0
  }
  private let state: Monitor<State>

  /// `perSecond`: 0 for none at all until that is changed, infinity for as many as there are.
  public init(perSecond: Double) { state = Monitor(State(perSecond: perSecond)) }

  public var perSecond: Double {
    get { state.quietly { $0.perSecond } }
    set { state.change { ($0.perSecond, $0.next) = (newValue, 0) } }
  }

  func take(_ events: Int, unless isCancelled: () -> Bool) throws(DeliveryCancelled) {
    while true {
      let now = Double(monotonicMilliseconds())
      let wait = state.quietly { state -> Double in
        guard state.perSecond > 0 else { return 20 }
        let next = max(state.next, now)
        if next > now + 1 { return min(next - now, 20) }
        state.next = next + Double(events) * 1000 / state.perSecond
        return 0
      }
      if wait == 0 { return }
      try pause(milliseconds: max(1, Int64(wait)), unless: isCancelled)
    }
  }
}
