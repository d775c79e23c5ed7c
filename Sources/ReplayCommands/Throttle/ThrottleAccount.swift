import ReplayEngine

/// How a run's pace was set by its target database: for people, as JSON and as metrics. Times in microseconds.
struct ThrottleAccount: Sendable {
  let target: Int64
  /// Of the last seconds; nil: no probe was answered in them.
  let p99: Int64?
  let highestP99: Int64
  /// Of the full pace; 1: not slowed.
  let share: Double
  let slowed: Int64
  let rested: Int64
  /// Since it was watched.
  let lasted: Int64
  let probes: UInt64
  let failures: UInt64
  let isFailing: Bool

  private static func words(_ microseconds: Int64) -> String {
    microseconds < 1_000_000
      ? Words.fixed(Double(microseconds) / 1000, 1) + " ms" : Words.seconds(microseconds / 1000)
  }

  private var percent: String { share < 0.1 ? Words.fixed(share * 100, 1) : Words.fixed(share * 100, 0) }

  /// For the progress line.
  var short: String {
    let seen = isFailing ? "not probed" : p99.map { "p99 \(ThrottleAccount.words($0))" } ?? "p99 …"
    return share < 1 ? "\(seen), slowed to \(percent)%" : seen
  }

  var line: String {
    let failed = failures == 0 ? "" : ", \(Words.count(failures)) failed"
    return "throttle  slowed for \(Words.seconds(slowed / 1000)) of \(Words.seconds(lasted / 1000)), "
      + "\(Words.seconds(rested / 1000)) of it at rest; p99 in the target \(p99.map(ThrottleAccount.words) ?? "not known"), "
      + "at most \(ThrottleAccount.words(highestP99)), asked for \(ThrottleAccount.words(target)) "
      + "(\(Words.plural(probes, "probe"))\(failed))"
  }

  var json: [(String, JSONText)] {
    func milliseconds(_ microseconds: Int64) -> JSONText { .real(Double(microseconds) / 1000) }
    return [
      ("max_target_p99_milliseconds", milliseconds(target)),
      ("target_p99_milliseconds", p99.map(milliseconds) ?? .null),
      ("highest_target_p99_milliseconds", milliseconds(highestP99)), ("share", .real(share)),
      ("slowed_milliseconds", milliseconds(slowed)), ("rest_milliseconds", milliseconds(rested)),
      ("watched_milliseconds", milliseconds(lasted)), ("probes", .number(probes)),
      ("failed_probes", .number(failures)),
    ]
  }

  func add(to out: inout MetricsText) {
    func seconds(_ microseconds: Int64) -> String { Words.fixed(Double(microseconds) / 1e6, 6) }
    out.add(
      "replay_target_p99_seconds", .gauge, "What 99 of 100 probes of the target took at most, in the last 5 seconds.",
      p99.map { [([], seconds($0))] } ?? [])
    out.add(
      "replay_target_max_p99_seconds", .gauge, "What --max-target-p99 asks for.", [([], seconds(target))])
    out.add("replay_target_probes_total", .counter, "Probes that were answered.", probes)
    out.add("replay_target_probe_failures_total", .counter, "Probes that were not.", failures)
    out.add(
      "replay_throttle_share", .gauge, "How much of its full pace the run may take; 1: it is not slowed.",
      [([], Words.fixed(share, 4))])
    out.add(
      "replay_throttle_slowed_seconds_total", .counter, "How long the run was slowed.", [([], seconds(slowed))])
    out.add(
      "replay_throttle_rest_seconds_total", .counter, "How long of that all of it rested.", [([], seconds(rested))])
  }
}
