import ReplayCore
import ReplayEngine
import Synchronization

/// Ctrl-C came: there is nothing to report and nothing to keep.
struct BenchStopped: Error {}

enum BenchThreads {
  /// Calls `body` on so many threads; each takes the next of `items` until none is left. Throws the first error, and
  /// `BenchStopped` where the user asked to stop.
  static func each<Item: Sendable>(
    _ items: [Item], on threads: Int, _ body: @escaping @Sendable (_ next: () -> Item?) throws -> Void
  ) throws {
    let turn = Atomic<Int>(0)
    let failure = Mutex<(any Error)?>(nil)
    try SideBySide.run(threads, named: "replay-bench") { _ in
      do {
        try body {
          let place = turn.add(1, ordering: .relaxed).oldValue
          return place < items.count && failure.withLock { $0 == nil } ? items[place] : nil
        }
      } catch {
        failure.withLock { $0 = $0 ?? error }
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
    try checkStop()
  }

  static func checkStop() throws { if Signals.stop.isStopped { throw BenchStopped() } }
}
