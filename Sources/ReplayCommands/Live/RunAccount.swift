import ReplayCore
import ReplayEngine

/// What `--report` holds of a run with a stream: the last pass over the archive that read something, the passes before
/// it, the handoff, and how far it went live. Written anew after each step, so that a run that is killed leaves what it
/// came to.
final class RunAccount {
  private let path: String?
  /// The filter in words; nil where nothing is left out.
  var only: String?
  private var passes: [Summary] = []
  private var handoff: JSONText?
  private var live: JSONText?

  /// Nil: nobody wants it.
  init(_ path: String?) { self.path = path }

  /// A pass that read nothing counts only where there is no other.
  func passed(_ summary: Summary) throws {
    if passes.isEmpty || summary.report.outcome != .alreadyDone { passes.append(summary) }
    try write()
  }

  func handedOff(_ account: HandoffAccount) throws {
    handoff = .object(account.json)
    try write()
  }

  func followed(_ state: LiveState, _ outcome: LiveOutcome, functions: [String]) throws {
    live = .object([
      ("outcome", .string(outcome == .caughtUp ? "caught_up" : "stopped")), ("commits", .number(state.commits)),
      ("rows_written", .number(state.rows)),
      (
        "functions",
        .array(
          functions.indices.map { index in
            .object(
              [("name", .string(functions[index]))] + Summary.books(state.books[index])
                + [("kept", KeptWords.json(state.kept[index]))])
          })
      ),
      (
        "positions",
        .array(
          state.parts.map { part in
            .object([
              ("log", .string(part.partition.log)), ("partition", .string(part.partition.name)),
              ("next", .string(part.committed.description)), ("end", .string(part.end.description)),
            ])
          })
      ),
    ])
    try write()
  }

  /// In place of all that, where the run failed: why, and a handoff that was written down before stays true.
  func failed(_ error: ReplayError) throws {
    guard let path else { return }
    let members: [(String, JSONText)] = [("outcome", .string("failed")), ("error", .object(error.json))]
    let kept = handoff.map { [("handoff", $0)] } ?? []
    try OutputFile.write(JSONText.object(members + kept).text + "\n", to: path)
  }

  private func write() throws {
    guard let path else { return }
    // Without a pass every function was live before this run.
    let last = passes.last?.json ?? [("outcome", .string("live")), ("only", .optional(only))]
    let earlier = passes.dropLast().map { JSONText.object($0.json) }
    let members = last + [("earlier_passes", .array(earlier)), ("handoff", handoff ?? .null), ("live", live ?? .null)]
    try OutputFile.write(JSONText.object(members).text + "\n", to: path)
  }
}
