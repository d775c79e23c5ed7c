import ReplayEngine
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Ctrl-C in two stages: the first asks the run to commit what fits and stop, the second ends the process at once.
enum Signals {
  static let stop = StopRequest()
  private static let received = Atomic<Int32>(0)
  private static let keeps = Atomic<Bool>(true)

  /// The signal that asked to stop; 0 where none did.
  static var signal: Int32 { received.load(ordering: .acquiring) }

  static func install() {
    // A write to a pipe whose reader is gone is an error of that write, not the end of a run.
    _ = Glibc.signal(SIGPIPE, SIG_IGN)
    // So is one beyond the size that the system allows a file.
    _ = Glibc.signal(SIGXFSZ, SIG_IGN)
    for number in [SIGINT, SIGTERM] { _ = Glibc.signal(number) { Signals.take($0) } }
  }

  /// For a verb that commits nothing but has something to clear away: it stops on the first Ctrl-C too, and says so.
  static func keepNothing() { keeps.store(false, ordering: .releasing) }

  /// Runs inside the signal handler: only atomics, `write` and `_exit`.
  private static func take(_ number: Int32) {
    if received.exchange(number, ordering: .acquiringAndReleasing) == 0 {
      if keeps.load(ordering: .acquiring) {
        say("\nreplay: stopping: committing what is read whole (once more to stop at once)\n")
      } else {
        say("\nreplay: stopping: removing the temporary database (once more to leave it in TMPDIR)\n")
      }
      stop.stop()
    } else {
      if keeps.load(ordering: .acquiring) {
        say("\nreplay: stopped at once: what was read since the last commit is dropped and will be read again\n")
      } else {
        say("\nreplay: stopped at once: a directory replay-… may be left in TMPDIR\n")
      }
      _exit(128 + number)
    }
  }

  private static func say(_ text: StaticString) { _ = write(2, text.utf8Start, text.utf8CodeUnitCount) }
}
