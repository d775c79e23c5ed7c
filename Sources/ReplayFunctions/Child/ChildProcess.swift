import CChild
import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A program that is run as a child: it leads a process group of its own, sees only the environment and the files that it
/// is given, and is killed with its group when it is closed, or when this process ends in whatever way.
///
/// Used by one thread at a time, but for `kill`.
final class ChildProcess: @unchecked Sendable {
  // `@unchecked Sendable`: `kill` touches only what never changes, and the flag under its lock.

  struct Plan: Sendable {
    /// The program and its arguments; one without a slash is looked for in this process's PATH.
    var command: [String]
    var environment: [(name: String, value: String)] = []
    var directory: String?
    /// Without a network but its own loopback.
    var isIsolated = false
    /// With isolation: whether it will ask a server that listens in its network, at `127.0.0.1:9001`.
    var needsServer = false
  }

  let pid: pid_t
  /// Writes to its standard input; reads its standard output, its standard error. They never block.
  let input: Int32, output: Int32, errors: Int32
  /// A socket that listens in the child's own network; -1: there is none.
  let listening: Int32
  /// Whether it was waited for: from then on its number may be another process's.
  private let ended = Monitor<Int32?>(nil)

  /// Throws `.usage` where there is no such program, `.unavailable` where the system starts none.
  init(_ plan: Plan) throws {
    guard let path = ChildProcess.find(plan.command[0]) else {
      let isThere = plan.command[0].contains("/") && isReadable(plan.command[0])
      throw ReplayError(
        .usage,
        isThere
          ? "the function's program is not executable: \(plan.command[0])"
          : "the function's program is not there: \(plan.command[0])",
        details: plan.command[0].contains("/") ? [] : ["it is in no directory of PATH"], effect: "nothing was read",
        next: isThere
          ? "chmod +x, or name its interpreter: exec:sh \(plan.command[0])" : "install it, or name it with its path")
    }
    var plan = plan
    plan.command[0] = path
    let (ends, started) = (try Ends(), plan)
    defer { ends.closeTheirs() }
    var listening: Int32 = -1
    do {
      (pid, listening) = try Spawner.shared.start { try ChildProcess.start(started, ends) }
    } catch {
      ends.closeOurs()
      throw error
    }
    self.listening = listening
    Spawner.shared.keep(pid)
    (input, output, errors) = (ends.input.write, ends.output.read, ends.errors.read)
  }

  deinit { close() }

  private static func start(_ plan: Plan, _ ends: Ends) throws -> (pid_t, Int32) {
    var pair: [Int32] = [-1, -1]
    if plan.isIsolated, plan.needsServer {
      guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else {
        throw ChildProcess.failure("making a pair of sockets", errno, plan)
      }
    }
    defer { for end in pair where end >= 0 { closeDescriptor(end) } }
    let environment = plan.environment.map { "\($0.name)=\($0.value)" }
    var failed: UnsafePointer<CChar>?
    let pid = withTexts(plan.command) { arguments in
      withTexts(environment) { environment in
        plan.command[0].withCString { path in
          var child = replay_child_plan()
          child.path = path
          child.arguments = arguments
          child.environment = environment
          (child.input, child.output, child.errors) = (ends.input.read, ends.output.write, ends.errors.write)
          child.isolated = plan.isIsolated
          child.listening = pair[1]
          guard let directory = plan.directory else { return replay_child_start(&child, &failed) }
          return directory.withCString {
            child.directory = $0
            return replay_child_start(&child, &failed)
          }
        }
      }
    }
    if pid < 0 {
      let cause = errno
      if pid < -1 { waitpid(-pid, nil, 0) }
      throw ChildProcess.failure(failed.map { String(cString: $0) } ?? "starting it", cause, plan)
    }
    if pair[1] >= 0 {
      closeDescriptor(pair[1])
      pair[1] = -1
    }
    return (pid, pair[0] >= 0 ? replay_child_take(pair[0]) : -1)
  }

  private static func failure(_ what: String, _ cause: Int32, _ plan: Plan) -> ReplayError {
    let isIsolation = what.contains("network") || what.contains("loopback")
    return ReplayError(
      isIsolation || cause == EACCES || cause == EPERM ? .permission : .unavailable,
      "the function's program cannot be started: \(plan.command[0])",
      details: ["\(what): \(systemReason(cause))"], effect: "nothing was delivered to it",
      next: isIsolation
        ? "allow user namespaces, or run without --isolate network" : "mend that, then run the same command")
  }

  /// Lends the strings as a C array of C strings that NULL ends.
  private static func withTexts<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    var copies: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
    copies.append(nil)
    defer { for copy in copies { free(copy) } }
    return copies.withUnsafeBufferPointer { body($0.baseAddress.unsafelyUnwrapped) }
  }

  /// The program's path, by this process's PATH.
  static func find(_ name: String) -> String? {
    if name.contains("/") { return access(name, X_OK) == 0 ? absolutePath(name) : nil }
    let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
    return path.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
  }

  /// How it ended, if it has: as a sentence's end. Waits for nothing.
  func hasEnded() -> String? {
    ended.quietly { ended in
      if ended == nil { ended = bury(if: WNOHANG) }
      return ended.map(ChildProcess.text)
    }
  }

  private static func text(_ status: Int32) -> String {
    let signal = status & 0x7f
    return signal == 0
      ? "exited with code \(status >> 8 & 0xff)"
      : "was ended by signal \(signal) (\(String(cString: strsignal(signal))))"
  }

  /// Kills the process and its group, and waits until the process is gone. From any thread.
  func kill() {
    ended.quietly { ended in
      guard ended == nil else { return }
      killGroup(pid)
      ended = bury()
    }
  }

  /// Waits until it has ended, unless `WNOHANG`; then kills what is left of its group, and only then lets its number go,
  /// which may be another's from then on. Nil: it has not ended.
  private func bury(if option: Int32 = 0) -> Int32? {
    var facts = siginfo_t()
    while waitid(P_PID, id_t(pid), &facts, WEXITED | WNOWAIT | option) != 0 { if errno != EINTR { return nil } }
    guard facts.si_signo == SIGCHLD else { return nil }
    killGroup(pid)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    Spawner.shared.forget(pid)
    return status
  }

  private var isClosed = false

  /// Ends it. `milliseconds`: how long it may take to end by itself, once it sees that its input ends.
  func close(within milliseconds: Int64 = 0) {
    if isClosed { return }
    isClosed = true
    closeDescriptor(input)
    let until = monotonicMilliseconds() + milliseconds
    var rest = LastLines()
    while monotonicMilliseconds() < until, hasEnded() == nil {
      for end in [output, errors] { rest.drain(end) }
      try? pause(milliseconds: 2) { false }
    }
    kill()
    for end in [output, errors] { closeDescriptor(end) }
  }

  /// Memory that it holds now, in bytes; 0 where that cannot be read.
  var residentBytes: Int {
    guard let file = fopen("/proc/\(pid)/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    guard fgets(&line, 128, file) != nil else { return 0 }
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let words = text.split(separator: " ")
    return words.count > 1 ? (Int(words[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
  }
}

/// The three pipes between a child and this process.
private struct Ends {
  let input: (read: Int32, write: Int32)
  let output: (read: Int32, write: Int32)
  let errors: (read: Int32, write: Int32)

  init() throws {
    var made: [Int32] = []
    for _ in 0..<3 {
      var pair: [Int32] = [-1, -1]
      guard replay_child_pipe(&pair) == 0 else {
        let cause = errno
        for end in made { closeDescriptor(end) }
        throw ReplayError(
          .unavailable, "no pipe to a function's process", details: [systemReason(cause)],
          next: "raise the limit on open files, or run fewer workers")
      }
      made += pair
    }
    (input, output, errors) = ((made[0], made[1]), (made[2], made[3]), (made[4], made[5]))
    for end in [input.write, output.read, errors.read] { _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK) }
  }

  func closeTheirs() { for end in [input.read, output.write, errors.write] { closeDescriptor(end) } }
  func closeOurs() { for end in [input.write, output.read, errors.read] { closeDescriptor(end) } }
}
