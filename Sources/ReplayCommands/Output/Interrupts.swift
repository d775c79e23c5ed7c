#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

extension Signals {
  /// For verbs that commit nothing: Ctrl-C ends them at once, as it ends any command.
  static func endAtOnce() {
    for number in [SIGINT, SIGTERM] { _ = Glibc.signal(number, SIG_DFL) }
  }
}
