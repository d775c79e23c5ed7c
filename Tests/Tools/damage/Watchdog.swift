import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Ends the process where one mutation takes a minute, and keeps in a file which one is being tried: a trap leaves it there.
final class Watchdog: Sendable {
  private let current = Atomic<Int>(-1)
  private let seed: UInt64
  private let file: Int32
  static let path = "damage-current.txt"

  init(seed: UInt64) {
    self.seed = seed
    let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    file = open("\(folder)/\(Watchdog.path)", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    var thread = pthread_t()
    let started = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<Watchdog>.fromOpaque(context).takeUnretainedValue().watch()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    precondition(started == 0, "no thread for the watchdog")
  }

  func begins(_ number: Int) {
    current.store(number, ordering: .relaxed)
    let line = "--seed \(seed) --only \(number)          \n"
    if file >= 0 { _ = pwrite(file, line, line.utf8.count, 0) }
  }

  func end() {
    current.store(-2, ordering: .relaxed)
    if file >= 0 { ftruncate(file, 0) }
  }

  private func watch() {
    var last = -1
    while true {
      sleep(60)
      let now = current.load(ordering: .relaxed)
      if now == -2 { return }
      if now == last, now >= 0 {
        say("FAILED --seed \(seed) --only \(now): it hangs\n0 passed, 1 failed")
        exit(1)
      }
      last = now
    }
  }
}
