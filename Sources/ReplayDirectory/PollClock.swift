import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Time as a poll needs it, so that a test need not wait.
public struct PollClock: Sendable {
  /// Milliseconds since any moment, never going back.
  public let now: @Sendable () -> UInt64
  public let sleep: @Sendable (_ milliseconds: UInt64) -> Void

  public init(now: @escaping @Sendable () -> UInt64, sleep: @escaping @Sendable (_ milliseconds: UInt64) -> Void) {
    self.now = now
    self.sleep = sleep
  }

  /// The machine's own. A signal ends a sleep early: who waits looks at `now` again.
  public static let system = PollClock(
    now: {
      var time = timespec()
      clock_gettime(CLOCK_MONOTONIC, &time)
      return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
    },
    sleep: { milliseconds in
      var time = timespec(tv_sec: Int(milliseconds / 1000), tv_nsec: Int(milliseconds % 1000) * 1_000_000)
      nanosleep(&time, nil)
    })
}
