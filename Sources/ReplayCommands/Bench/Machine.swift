import ReplayCore
import ReplayDecode
import ReplaySQL

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Where a benchmark ran: what a reader needs before comparing its figures with others.
struct Machine {
  let processors = Clock.processors
  let processor: String
  let kernel: String
  let system: String
  let jsonKernel = ArchiveDecoder.kernel
  /// Runnable threads of all programs, over the minute before: above 0 the machine was not the benchmark's alone.
  let load: Double?
  /// When this was seen.
  let time = SystemTime.now()

  init() {
    var name = utsname()
    uname(&name)
    kernel = [Machine.text(of: name.sysname), Machine.text(of: name.release), Machine.text(of: name.machine)]
      .joined(separator: " ")
    system = Machine.value(of: "PRETTY_NAME", in: "/etc/os-release", separator: "=") ?? "unknown system"
    processor = Machine.value(of: "model name", in: "/proc/cpuinfo", separator: ":") ?? "unknown processor"
    var loads = [0.0]
    load = getloadavg(&loads, 1) == 1 ? loads[0] : nil
  }

  /// The text of one of `utsname`'s fields, which Swift sees as tuples.
  private static func text<Field>(of field: Field) -> String {
    withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  private static func value(of name: String, in path: String, separator: Character) -> String? {
    guard let bytes = try? InputFile.read(path, what: "the machine's description") else { return nil }
    for line in bytes.split(separator: 10) {
      let parts = String(decoding: line, as: UTF8.self).split(separator: separator, maxSplits: 1)
      guard parts.count == 2, parts[0].drop(while: \.isWhitespace).hasPrefix(name) else { continue }
      return String(parts[1].drop { $0 == " " || $0 == "\"" }.prefix { $0 != "\"" })
    }
    return nil
  }
}

/// What one pass took.
struct Timing: Equatable {
  var wall: Double
  /// Processor time of all threads, in the program and in the system on its behalf.
  var user: Double
  var system: Double
  var cpu: Double { user + system }

  /// Runs `body` and measures it.
  static func of<Result>(_ body: () throws -> Result) rethrows -> (result: Result, timing: Timing) {
    let before = now
    let result = try body()
    let after = now
    return (
      result,
      Timing(wall: after.wall - before.wall, user: after.user - before.user, system: after.system - before.system)
    )
  }

  private static var now: Timing {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    let seconds = { (time: timeval) in Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return Timing(
      wall: Double(time.tv_sec) + Double(time.tv_nsec) / 1e9, user: seconds(usage.ru_utime),
      system: seconds(usage.ru_stime))
  }
}
