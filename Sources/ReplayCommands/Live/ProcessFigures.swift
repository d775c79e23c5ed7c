#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// What the system says about this process now.
struct ProcessFigures {
  /// Nil where the system does not say.
  let residentBytes: UInt64?
  let cpuMilliseconds: Int64

  init() {
    residentBytes = ProcessFigures.resident
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    cpuMilliseconds = [usage.ru_utime, usage.ru_stime].reduce(0) {
      $0 + Int64($1.tv_sec) * 1000 + Int64($1.tv_usec) / 1000
    }
  }

  /// The second number of `/proc/self/statm`, in pages.
  private static var resident: UInt64? {
    guard let file = fopen("/proc/self/statm", "r") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    guard fgets(&line, Int32(line.count), file) != nil else { return nil }
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }.map {
      $0 * UInt64(sysconf(Int32(_SC_PAGESIZE)))
    }
  }
}
