import ReplayCore
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The two streams: data on standard output, words for people on standard error.
final class Console: Sendable {
  static let shared = Console()

  private struct Settings {
    var quiet = false
    var verbose = false
    var json = false
    var progress: ProgressStyle = .auto
    var colours = false
    var barIsShown = false
    /// What the system said when data could not be written.
    var outputFailure: Int32?
  }

  private let settings = Mutex(Settings())

  func configure(_ options: OutputOptions) {
    let isTerminal = isatty(2) == 1 && Console.variable("TERM") != "dumb"
    settings.withLock { settings in
      settings.quiet = options.quiet
      settings.verbose = options.verbose
      settings.json = options.json || options.progress == .json
      settings.colours = isTerminal && !options.noColor && (Console.variable("NO_COLOR") ?? "").isEmpty
      settings.progress = options.progress == .auto ? (isTerminal ? .bar : .log) : options.progress
      if options.quiet { settings.progress = .none }
    }
  }

  /// Before options are parsed: an error in them is told as JSON too where that is asked for.
  func expectJSON(_ isAsked: Bool) { settings.withLock { $0.json = isAsked } }

  static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

  var isJSON: Bool { settings.withLock { $0.json } }
  var isVerbose: Bool { settings.withLock { $0.verbose } }
  var progress: ProgressStyle { settings.withLock { $0.progress } }

  /// A line for people. What could steer a terminal or pass for another line is escaped.
  func say(_ line: String) {
    if settings.withLock({ $0.quiet }) { return }
    clearBar()
    put(ReplayError.line(line) + "\n", to: 2)
  }

  /// A line for people who asked for more.
  func detail(_ line: String) { if isVerbose { say(line) } }

  /// A line of data, escaped as `say` does it.
  func data(_ line: String) { raw(ReplayError.line(line)) }

  /// Data as it is, of any number of lines.
  func raw(_ text: String) { put(text + "\n", to: 1) }

  /// One JSON line on standard output, where JSON was asked for.
  func event(_ type: String, _ members: [(String, JSONText)]) {
    guard isJSON else { return }
    raw(JSONText.object([("message_type", .string(type))] + members).text)
  }

  /// Draws the bar anew on a terminal's last line.
  func bar(_ line: String) {
    settings.withLock { $0.barIsShown = true }
    var size = winsize()
    let columns = ioctl(2, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 1 ? Int(size.ws_col) - 1 : 79
    put("\r\u{1b}[K" + ReplayError.line(line).prefix(columns), to: 2)
  }

  func clearBar() {
    let shown = settings.withLock { settings in
      defer { settings.barIsShown = false }
      return settings.barIsShown
    }
    if shown { put("\r\u{1b}[K", to: 2) }
  }

  /// Throws where data was lost because standard output could not be written; a reader that went away is no failure.
  func checkOutput() throws {
    guard let failure = settings.withLock({ $0.outputFailure }) else { return }
    throw ReplayError(
      .cannotCreate, "cannot write to standard output: \(String(cString: strerror(failure)))",
      effect: "what was committed is committed; what would have been said is lost",
      next: "make space, or write elsewhere")
  }

  func fail(_ error: ReplayError) {
    clearBar()
    let lines = error.description.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let first = settings.withLock { $0.colours } ? "\u{1b}[31m\(lines[0])\u{1b}[0m" : lines[0]
    put(([first] + lines.dropFirst()).joined(separator: "\n") + "\n", to: 2)
    event("exit_error", error.json)
  }

  private func put(_ text: String, to descriptor: Int32) {
    var text = text
    text.withUTF8 { bytes in
      var written = 0
      while written < bytes.count, let base = bytes.baseAddress {
        let count = write(descriptor, base + written, bytes.count - written)
        if count < 0, errno == EINTR { continue }
        if count <= 0 {
          let failure = errno
          if descriptor == 1, failure != EPIPE { settings.withLock { $0.outputFailure = failure } }
          return
        }
        written += count
      }
    }
  }
}

extension ReplayError {
  var json: [(String, JSONText)] {
    [
      ("code", .number(code.rawValue)), ("message", .string(summary)),
      ("details", .array(details.map { .string($0) })), ("effect", .optional(effect)), ("next", .optional(next)),
    ]
  }
}
