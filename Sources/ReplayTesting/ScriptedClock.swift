import ReplayCore
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A clock that goes only as far as somebody waits: a test of minutes takes none.
public final class ScriptedClock: Sendable {
  private let time: Mutex<UInt64>

  public init(milliseconds: UInt64 = 0) { time = Mutex(milliseconds) }

  public var milliseconds: UInt64 { time.withLock { $0 } }

  /// Lets time pass; other threads get their turn.
  public func sleep(_ milliseconds: UInt64) {
    time.withLock { $0 += milliseconds }
    sched_yield()
  }
}
