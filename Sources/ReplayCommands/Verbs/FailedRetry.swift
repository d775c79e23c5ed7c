import ArgumentParser
import ReplayCore
import ReplayDecode
import ReplayEngine
import ReplaySQL

/// `replay failed retry`: kept events again, with the function as it is now.
struct FailedRetry {
  private let command: Failed
  private let inspector: any StoreInspector
  private let projection: any Projection
  private var name: String { projection.name }

  init(_ command: Failed, _ inspector: any StoreInspector) throws {
    self.command = command
    self.inspector = inspector
    projection = try FunctionShelf.several([command.function ?? ""], command.foreign)[0]
    guard projection.windowSeconds == nil else {
      throw ReplayError(
        .usage, "an event that was kept cannot be tried again in a window that is over: \(projection.name)",
        effect: "nothing was tried", next: "mend the function and replay with --full-refresh, or drop what is kept")
    }
  }

  func run() throws {
    guard try !inspector.failed(function: name, command.filter).isEmpty else {
      return Console.shared.say("replay: nothing of \(name) is kept that could be tried again")
    }
    let layout = try layout()
    let store = try command.store.open()
    let number = try store.open([layout.identity(projection)], range: .all, refresh: false).first?.run ?? 0
    Console.shared.say(
      "replay: \(name) is this command's now; a run that goes on ends with 76 at its next commit: start it again afterwards"
    )
    let report = try retry(projection, layout, store, number)
    try store.close()
    try end(report)
  }

  /// Where the parts of an event are: kept with the function, so that neither archive nor stream is needed.
  private func layout() throws -> EventLayout {
    let kept = try inspector.layouts().first { $0.function == name }
    guard let kept, let layout = EventLayout(text: kept.layout) else {
      throw ReplayError(
        .config, "the store does not say where the parts of \(name)'s events are: \(inspector.place)",
        effect: "nothing was tried", next: "run the function over its archive once more, which writes that down")
    }
    return layout
  }

  private func retry(
    _ projection: any Projection, _ layout: EventLayout, _ store: any Store, _ number: Int64
  ) throws -> RetryRun.Report {
    let extraction = Extraction([projection.reads], anatomy: layout.anatomy, needsKey: true)
    let decoder = KeptDecoder(extraction, usesKeysFiles: layout.usesKeysFiles)
    let policy = FailurePolicy(
      retries: command.retries, backoffMilliseconds: Int64(command.retryBackoff * 1000))
    return try RetryRun(
      projection, extraction, store: store, number: number, policy: policy, stop: Signals.stop, decode: decoder.block
    ).run(command.filter)
  }

  private func end(_ report: RetryRun.Report) throws {
    let kept = try inspector.inspect().first { $0.name == name }?.checkpoint.kept ?? KeptEvents()
    Console.shared.say(
      "replay: \(name): \(Words.plural(report.applied, "event")) applied, \(Words.count(report.failedAgain)) failed again, "
        + "\(Words.count(report.behind)) not tried behind those; \(Words.plural(report.rows, "row")) written")
    Console.shared.event(
      "retried",
      [
        ("function", .string(name)), ("applied", .number(report.applied)),
        ("failed_again", .number(report.failedAgain)),
        ("not_tried", .number(report.behind)), ("rows_written", .number(report.rows)),
        ("commits", .number(report.commits)), ("kept", KeptWords.json(kept)),
      ])
    let isLeft = KeptWords.say([(name, kept)], store: inspector.place)
    if report.isStopped, Signals.signal != 0 { throw ExitCode(128 + Signals.signal) }
    if isLeft { throw ExitCode(ReplayError.Code.incomplete.rawValue) }
  }
}
