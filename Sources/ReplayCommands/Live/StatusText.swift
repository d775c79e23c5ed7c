import ReplayCore

extension StatusBoard {
  /// What `/status` says.
  func status(_ state: BoardState) -> JSONText {
    .object([
      ("version", .string(Root.configuration.version)), ("phase", .string(state.phase.rawValue)),
      ("started_at", .string(startedAt)), ("functions", .array(state.functions.map { .string($0) })),
      ("caught_up", .bool(state.isCaughtUp)), ("not_ready", .optional(state.notReady)),
      ("gap", state.live.map { .number($0.gap) } ?? .null), ("events", .number(state.events)),
      ("commits", .number(state.commits)), ("rows", .number(state.rows)),
      (
        "kept",
        .array(
          zip(state.functions, state.kept).map { name, kept in
            .object([("function", .string(name)), ("events", KeptWords.json(kept))])
          })
      ),
      ("archive_bytes_left", state.archiveBytesLeft.map { .number($0) } ?? .null),
      ("partitions", .array(state.rows(now: Clock.milliseconds()).map(StatusBoard.partition))),
      ("handoff", state.handoff ?? .null),
      ("throttle", TargetThrottle.current.map { .object($0.account.json) } ?? .null),
    ])
  }

  private static func partition(_ row: BoardState.Row) -> JSONText {
    .object([
      ("partition", .string(row.name)), ("archive_next", .optional(row.archiveNext?.description)),
      ("next", .optional(row.live?.next.description)), ("committed", .optional(row.live?.committed.description)),
      ("end", .optional(row.live?.end.description)), ("gap", row.live.map { .number($0.gap) } ?? .null),
      ("lag_seconds", row.lagMilliseconds.map { .real(Double($0) / 1000) } ?? .null),
      ("caught_up", .bool(row.live?.isCaughtUp ?? false)),
    ])
  }
}
