import ArgumentParser
import ReplayCore
import ReplayHTTP

/// Whether, and where, a run answers questions about itself.
struct ListenOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Answer /status, /wait, /metrics, /livez, /readyz and a page: at 127.0.0.1:PORT, [::1]:PORT or unix:PATH.",
      valueName: "address"))
  var listen: String?
  @Flag(
    help: "Let --listen be an address that other machines reach; nothing there is encrypted or asks for a password.")
  var listenAnywhere = false

  func validate() throws {
    if listenAnywhere, listen == nil { throw ValidationError("--listen-anywhere needs --listen.") }
  }
}

/// The server of one run.
enum StatusServer {
  /// Runs `body` with a board that is served while it runs; nil where nobody asked for it. Throws where it cannot listen,
  /// before `body` runs.
  static func serving(_ command: Run, _ body: (StatusBoard?) throws -> Void) throws {
    guard let text = command.listen.listen else { return try body(nil) }
    let address = try ListenAddress(text, allowsOthers: command.listen.listenAnywhere)
    let board = StatusBoard(
      functions: try command.projections.map(\.name), store: try command.store.inspector())
    let listener = try HTTPListener(address) { board.answer($0) }
    // Who waits is told that the run is over before the listener waits for him.
    defer { listener.close() }
    Console.shared.say("replay: listening on \(shown(listener.address))")
    Console.shared.event("listening", [("address", .string(listener.address))])
    do {
      try body(board)
      board.change { $0.ended(exitCode: nil) }
    } catch {
      board.change { $0.ended(exitCode: failure(error)) }
      throw error
    }
  }

  /// Nil where the run was stopped, or has done its work and left something out.
  private static func failure(_ error: any Error) -> Int32? {
    if error is ExitCode { return nil }
    return (error as? ReplayError)?.code.rawValue ?? ReplayError.Code.unexpected.rawValue
  }

  private static func shown(_ address: String) -> String {
    address.hasPrefix("unix:") ? address : "http://\(address)/"
  }
}
