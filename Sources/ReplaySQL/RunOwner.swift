import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// How a process is named in a store.
package enum RunOwner {
  /// `4123@host since 2026-01-31T08:12:33.123Z`: enough to find the process.
  package static func text(since start: Timestamp) -> String {
    var name = [CChar](repeating: 0, count: 256)
    let isKnown = gethostname(&name, name.count - 1) == 0
    let bytes = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    let host = isKnown ? String(decoding: bytes, as: UTF8.self) : "unknown"
    return "\(getpid())@\(host) since \(start)"
  }
}

public enum SystemTime {
  /// The time of day by this machine's clock.
  public static let now: @Sendable () -> Timestamp = {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
  }
}
