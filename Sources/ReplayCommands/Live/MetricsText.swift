import ReplayCore

/// Prometheus' text format, version 0.0.4.
struct MetricsText {
  static let type = "text/plain; version=0.0.4; charset=utf-8"

  enum Kind: String { case counter, gauge }
  typealias Sample = (labels: [(String, String)], value: String)

  private(set) var text = ""

  /// A family of samples; none where there are none, since a metric without a value is not known.
  mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
    guard !samples.isEmpty else { return }
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    for sample in samples {
      let labels = sample.labels.map { "\($0.0)=\"\(MetricsText.escaped($0.1))\"" }.joined(separator: ",")
      text += "\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(sample.value)\n"
    }
  }

  mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: some BinaryInteger) {
    add(name, kind, help, [([], String(value))])
  }

  private static func escaped(_ value: String) -> String {
    var out = ""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\\": out += "\\\\"
      case "\"": out += "\\\""
      case "\n": out += "\\n"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  /// Milliseconds as seconds, exactly.
  static func seconds(_ milliseconds: Int64) -> String { Words.fixed(Double(milliseconds) / 1000, 3) }
}

extension StatusBoard {
  /// More partitions than this get no metric of their own: each is a time series.
  static let mostPartitionSeries = 256

  /// What `/metrics` says.
  func metrics(_ state: BoardState) -> String {
    var out = MetricsText()
    out.add(
      "replay_build_info", .gauge, "Always 1; the version is a label.",
      [([("version", String(Root.configuration.version.split(separator: " ").last ?? ""))], "1")])
    addCounts(state, to: &out)
    addStanding(state, to: &out)
    addPartitions(state, to: &out)
    TargetThrottle.current?.account.add(to: &out)
    addProcess(to: &out)
    return out.text
  }

  private func addCounts(_ state: BoardState, to out: inout MetricsText) {
    let books = state.functions.indices.map { ([("function", state.functions[$0])], state.books(of: $0)) }
    let late = "of the archive's events, a pass is counted when it is over"
    out.add(
      "replay_events_applied_total", .counter, "Events that were given to the function; \(late).",
      books.map { ($0.0, String($0.1.applied)) })
    out.add(
      "replay_events_ignored_total", .counter, "Events that the function's conditions left out; \(late).",
      books.map { ($0.0, String($0.1.ignored)) })
    out.add(
      "replay_events_filtered_total", .counter, "Events that the run's filter left out; \(late).",
      books.map { ($0.0, String($0.1.filtered)) })
    out.add(
      "replay_events_duplicate_total", .counter, "Events that were there twice and applied once; \(late).",
      books.map { ($0.0, String($0.1.duplicate)) })
    out.add(
      "replay_events_parked_total", .counter, "Events whose key is parked, kept in the store; \(late).",
      books.map { ($0.0, String($0.1.parked)) })
    out.add(
      "replay_events_dead_lettered_total", .counter, "Events that could not be applied, kept alone; \(late).",
      books.map { ($0.0, String($0.1.deadLettered)) })
    let kept = zip(state.functions, state.kept).map { ([("function", $0)], $1) }
    out.add(
      "replay_parked_keys", .gauge, "Keys that are parked in the store.",
      kept.map { ($0.0, String($0.1.parkedKeys.count)) })
    out.add(
      "replay_kept_events", .gauge, "Events that could not be applied and are in the store.",
      kept.map { ($0.0, String($0.1.parked + $0.1.dead)) })
    out.add("replay_rows_written_total", .counter, "Rows written and committed.", state.rows)
    out.add("replay_commits_total", .counter, "Commits.", state.commits)
  }

  private func addStanding(_ state: BoardState, to out: inout MetricsText) {
    out.add(
      "replay_commit_timestamp_seconds", .gauge, "When the last commit was made.",
      state.committedAt.map { [([], MetricsText.seconds($0))] } ?? [])
    out.add(
      "replay_archive_remaining_bytes", .gauge, "Compressed bytes of the archive that are not read yet.",
      state.archiveBytesLeft.map { [([], String($0))] } ?? [])
    out.add(
      "replay_handoff_state", .gauge, "0: not begun; 1: being proved; 2: proved, the stream is followed.",
      state.hasHandedOff ? 2 : state.phase == .handingOff ? 1 : 0)
    out.add(
      "replay_caught_up", .gauge, "1 where everything that the stream has is applied and committed.",
      state.isCaughtUp ? 1 : 0)
  }

  private func addPartitions(_ state: BoardState, to out: inout MetricsText) {
    let rows = state.rows(now: Clock.milliseconds()).filter { $0.live != nil }
    guard rows.count <= StatusBoard.mostPartitionSeries else { return }
    out.add(
      "replay_partition_gap", .gauge, "Positions of the stream that are not applied yet, about.",
      rows.map { ([("partition", $0.name)], String($0.live?.gap ?? 0)) })
    out.add(
      "replay_partition_lag_seconds", .gauge, "How long the partition has not been caught up; 0 where it is.",
      rows.map { ([("partition", $0.name)], MetricsText.seconds($0.lagMilliseconds ?? 0)) })
  }

  private func addProcess(to out: inout MetricsText) {
    let process = ProcessFigures()
    if let bytes = process.residentBytes {
      out.add("process_resident_memory_bytes", .gauge, "Resident memory.", bytes)
    }
    out.add(
      "process_cpu_seconds_total", .counter, "Processor time, of the program and of the system for it.",
      [([], MetricsText.seconds(process.cpuMilliseconds))])
    out.add(
      "process_start_time_seconds", .gauge, "When the run began.", [([], MetricsText.seconds(startedMilliseconds))])
  }
}
