import ArgumentParser
import ReplayCore
import ReplayEngine
import ReplaySQL

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Which functions, into which store.
struct FunctionOptions: ParsableArguments {
  @Option(
    name: [.long],
    help:
      "The function: a name, FILE.sql, lambda:FILE:HANDLER, lambda:exec:COMMAND, exec:COMMAND or http(s)://…; repeat it for several.",
    completion: .custom { _, _, _ in FunctionShelf.all.map(\.name) })
  var function: [String] = []

  func validate() throws {
    if function.isEmpty { throw ValidationError("Give a function with --function.") }
    if function.count > 32 { throw ValidationError("At most 32 functions share one read.") }
    if Set(function).count < function.count { throw ValidationError("A function is named twice.") }
  }

  @OptionGroup(title: "Functions in other languages") var foreign: ForeignOptions

  var projections: [any Projection] {
    get throws { try FunctionShelf.several(function, foreign) }
  }
}

struct StoreOptions: ParsableArguments {
  @Option(
    help: "The database: a path, sqlite:PATH, or postgres://USER@HOST/DATABASE?schema=NAME.", completion: .file())
  var store: String
  @Option(
    help: "How long to wait for a lock that another process holds, or for a server that went away, in seconds.")
  var lockTimeout = 10

  func validate() throws {
    if !(0...3_600).contains(lockTimeout) { throw ValidationError("--lock-timeout must be from 0 to 3,600 seconds.") }
  }

  var address: StoreAddress { get throws { try StoreAddress(store) } }

  private var lockMilliseconds: Int32 { Int32(clamping: lockTimeout * 1000) }

  /// The command that takes in what is new: this one, but never one that starts over.
  static var goOn: String {
    CommandLine.arguments.filter { $0 != "--full-refresh" }.map(SecretOption.hidden).map(Words.shellQuoted)
      .joined(separator: " ")
  }

  func open() throws -> any Store {
    try address.store(
      lockMilliseconds: lockMilliseconds, command: StoreOptions.goOn, gate: TargetThrottle.current?.gate)
  }

  /// The store seen from outside.
  func inspector() throws -> any StoreInspector { try address.inspector(lockMilliseconds: lockMilliseconds) }
}

struct WorkOptions: ParsableArguments {
  @Option(help: "Parallel lines of work (default: the number of processors).")
  var lanes: Int?
  @Option(help: "Seconds between commits, at most.")
  var commitInterval = 10.0
  @Option(help: "Memory of open changes that makes a commit due, in bytes.")
  var commitBytes = 192 << 20
  @Option(help: "Events after which a commit is due.")
  var commitEvents: UInt64?
  @Option(help: "Memory for rows of keyed tables between commits, in bytes.")
  var maxStateBytes = 1 << 30

  func validate() throws {
    if let lanes, !(1...256).contains(lanes) { throw ValidationError("--lanes must be from 1 to 256.") }
    if !(0.001...86_400).contains(commitInterval) {
      throw ValidationError("--commit-interval must be from 0.001 to 86,400 seconds.")
    }
    if commitBytes < 1 || maxStateBytes < 1 || commitEvents == 0 { throw ValidationError("A limit must be above 0.") }
  }

  var options: RunOptions {
    var options = RunOptions(now: Clock.milliseconds)
    options.lanes = lanes ?? Clock.processors
    options.commitMilliseconds = Int64(commitInterval * 1000)
    options.commitBytes = commitBytes
    options.commitEvents = commitEvents ?? .max
    options.maxStateBytes = maxStateBytes
    return options
  }
}

enum Clock {
  /// Milliseconds on a clock that never goes back.
  static let milliseconds: @Sendable () -> Int64 = {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }

  /// Microseconds on the same clock.
  static let microseconds: @Sendable () -> Int64 = {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
  }

  /// The time of day, in UTC.
  static var utc: String {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000).description
  }

  static var processors: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  /// Peak memory of this process, in bytes.
  static var peakMemory: UInt64 {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return UInt64(usage.ru_maxrss) * 1024
  }
}
