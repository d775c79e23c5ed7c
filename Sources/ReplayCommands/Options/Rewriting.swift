import ReplayCore

// The options as a command line would say them, with paths from the root: what a plan keeps of them.

extension JSONPath {
  /// The text that `init(_:)` reads back as the same path.
  var argument: String {
    members.map { member in
      member.map { $0 == "." || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined()
    }.joined(separator: ".")
  }
}

extension ArchiveOptions {
  var arguments: [String] {
    let values: [(String, String?)] = [
      ("archive", archive.map(InputFile.absolute)), ("files-from", filesFrom.map(InputFile.absolute)),
      ("layout", layout?.rawValue), ("segment-pattern", segmentPattern), ("format", format?.rawValue),
      ("key", key?.argument), ("type", type?.argument), ("time", time?.argument), ("position", position?.argument),
      ("id", id?.argument), ("max-record-bytes", "\(maxRecordBytes)"), ("max-window-log", "\(maxWindowLog)"),
      ("block-bytes", "\(blockBytes)"),
    ]
    return rewritten(values) + (followSymlinks ? ["--follow-symlinks"] : [])
  }
}

extension ChainOptions {
  var arguments: [String] {
    let flags = [
      ("--allow-holes", allowHoles), ("--allow-overlaps", allowOverlaps), ("--allow-duplicates", allowDuplicates),
      ("--allow-inversions", allowInversions), ("--allow-late", allowLate),
    ]
    return rewritten([("positions", positions == .unstated ? nil : positions.rawValue)])
      + flags.filter(\.1).map(\.0)
  }
}

extension FailureOptions {
  var arguments: [String] {
    rewritten([
      ("on-error", onError.rawValue), ("on-error-live", onErrorLive?.rawValue), ("retries", retries.map { "\($0)" }),
      ("retry-backoff", "\(retryBackoff)"), ("max-record-age", maxRecordAge.map { "\($0)" }),
      ("max-parked-bytes", "\(maxParkedBytes)"),
    ])
  }
}

extension FilterOptions {
  var arguments: [String] {
    let file = { (key: String) in key.hasPrefix("@") ? "@" + InputFile.absolute(String(key.dropFirst())) : key }
    return rewritten(
      from.map { ("from", $0) } + to.map { ("to", $0) } + types.map { ("types", $0) } + keys.map { ("keys", file($0)) }
        + excludeKeys.map { ("exclude-keys", file($0)) } + [("sample", sample)])
  }
}

extension WorkOptions {
  var arguments: [String] {
    rewritten([
      ("lanes", lanes.map { "\($0)" }), ("commit-interval", "\(commitInterval)"), ("commit-bytes", "\(commitBytes)"),
      ("commit-events", commitEvents.map { "\($0)" }), ("max-state-bytes", "\(maxStateBytes)"),
    ])
  }
}

extension ThrottleOptions {
  var arguments: [String] { rewritten([("max-target-p99", maxTargetP99?.description)]) }
}

extension StreamOptions {
  /// Throws `.usage` where a secret is among them.
  var arguments: [String] {
    get throws {
      guard let live else { return [] }
      let scheme = "dir:"
      let address = live.hasPrefix(scheme) ? scheme + InputFile.absolute(String(live.dropFirst(scheme.count))) : live
      let values: [(String, String?)] = [
        ("live", address), ("live-key", liveKey), ("overlap-events", "\(overlapEvents)"),
        ("overlap-time", overlapTime.description), ("compare", compare.rawValue),
        ("handoff-report", handoffReport.map { $0 == "-" ? $0 : InputFile.absolute($0) }),
        ("live-commit-interval", "\(liveCommitInterval)"),
      ]
      return rewritten(values) + (untilCaughtUp ? ["--until-caught-up"] : [])
        + (unprovedHandoff ? ["--unproved-handoff"] : [])
        + (try streamOptions.flatMap { ["-X", try SecretOption.kept($0)] })
    }
  }
}

extension TargetOptions {
  var arguments: [String] {
    get throws {
      let path = try store.map { try StoreAddress($0).absolute }
      try PlanFile.check(function)
      return rewritten(function.map { ("function", $0) } + [("store", path)])
    }
  }
}

/// `--name=value`, so that a value may begin with a hyphen.
private func rewritten(_ values: [(String, String?)]) -> [String] {
  values.compactMap { name, value in value.map { "--\(name)=\($0)" } }
}
