import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// What a worker's process may use.
struct ChildLimits: Sendable {
  /// From a delivery to its answer.
  var milliseconds: Int64 = 60_000
  /// From its start to its first question, or its first answer.
  var startMilliseconds: Int64 = 30_000
  /// Memory of the process; above it, it is killed.
  var residentBytes = 1 << 30

  /// Why the process is to be killed for its memory; nil where it is not.
  func exceeded(by child: ChildProcess?) -> String? {
    let bytes = child?.residentBytes ?? 0
    guard bytes > residentBytes else { return nil }
    return "its process held \(bytes >> 20) MiB, the limit is \(residentBytes >> 20) MiB: it was killed"
  }

  static func text(_ milliseconds: Int64) -> String {
    milliseconds % 1000 == 0 ? "\(milliseconds / 1000) s" : "\(milliseconds) ms"
  }
}

/// When a process that ended is started again: at once the first time, then later and later. One that ends before it can be
/// given anything is given up soon; one that ends in its work is not: some event is its poison, and will be found. Pure.
struct RestartPolicy {
  static let mostStarts = 3
  private var endsInARow = 0
  private var startsInARow = 0

  mutating func answered() { endsInARow = 0 }
  mutating func started() { startsInARow = 0 }

  /// It ended in its work, or between two calls: milliseconds to wait before it is started again.
  mutating func ended() -> Int64 {
    endsInARow += 1
    return endsInARow == 1 ? 0 : min(25 << Int64(min(endsInARow - 2, 10)), 1_000)
  }

  /// It ended before it asked for work: milliseconds to wait; nil: it is given up.
  mutating func failedToStart() -> Int64? {
    startsInARow += 1
    return startsInARow >= RestartPolicy.mostStarts ? nil : 200 * Int64(startsInARow)
  }
}

/// What every child of a function is given: nothing of this process's own environment but what was named.
struct ChildEnvironment: Sendable {
  /// Names whose values are handed on from this process.
  var handedOn: [String] = []

  func values(phase: Phase, with more: [(name: String, value: String)] = []) -> [(name: String, value: String)] {
    var values: [(name: String, value: String)] = [
      ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8"), ("TZ", ":UTC"),
      // A machine's own credentials, which an SDK would find by itself.
      ("AWS_EC2_METADATA_DISABLED", "true"), ("REPLAY_PHASE", phase.word),
    ]
    values += more
    for name in handedOn {
      guard let value = getenv(name) else { continue }
      values.removeAll { $0.name == name }
      values.append((name, String(cString: value)))
    }
    return values
  }
}

extension Phase {
  /// As a function is told.
  var word: String { self == .archive ? "replay" : "live" }
}
