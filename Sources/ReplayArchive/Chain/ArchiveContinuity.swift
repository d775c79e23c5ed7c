import ReplayCore

/// Compares an archive with what an earlier run settled of it. Pure but for `digest`.
public enum ArchiveContinuity {
  /// What a resumed run reads.
  public struct Outcome: Sendable {
    /// The plan without the late segments.
    public var plan: ArchivePlan
    /// Segments that lie before what was settled, left out because `allowLate` says so; to be counted.
    public var late: [Segment]
    /// Settled segments whose version differed and whose bytes were read again and found the same.
    public var proved: Int
    /// Half-read segments that changed and whose settled part lies in no whole frame: nothing proves that it is the same.
    public var unproved: [Segment]
  }

  /// Every settled segment must still be there: same size, and same version or else the same digest. A segment that
  /// was not settled and begins before the settled ones end, or lies wholly before the frontier, is late: an error
  /// unless `allowLate`; where `allowOverlaps` is true, one that may reach beyond that is an overlap and no late one. A segment that was half read must be there, in its place, and begin as it did. Segments after
  /// the end are new and fine. `digest` reads so many of a segment's first bytes, or all (CRC-64); its errors pass.
  ///
  /// `frontier` is that of a function whose phase is the archive. For one that is live pass none: its positions lie
  /// beyond the archive's end, and segments written since hold what it has already seen.
  @discardableResult
  public static func verify(
    plan: ArchivePlan, settled: [SettledSegment], halfRead: [HalfReadSegment] = [], frontier: [Partition: Position],
    digest: (Segment, _ bytes: UInt64) throws -> UInt64, allowLate: Bool, allowOverlaps: Bool = false
  ) throws -> Outcome {
    var segments: [String: Segment] = [:]
    for segment in plan.partitions.flatMap(\.segments) { segments[segment.name] = segment }
    var proved = 0
    for known in settled {
      guard let segment = segments[known.entry.name] else { throw vanished(known) }
      proved += try same(known, segment, digest) ? 0 : 1
    }
    let byPartition = Dictionary(grouping: settled, by: \.partition)
    var outcome = Outcome(plan: plan, late: [], proved: proved, unproved: [])
    let names = Set(settled.map(\.entry.name))
    let open = halfRead.filter { !names.contains($0.entry.name) }
    for known in open {
      let segment = try same(known, segments[known.entry.name], frontier[known.partition], digest)
      outcome.unproved += segment.map { [$0] } ?? []
    }
    for (index, partition) in plan.partitions.enumerated() {
      let past = PartitionPast(
        plan: partition, settled: byPartition[partition.partition] ?? [], frontier: frontier[partition.partition],
        halfRead: open.first { $0.partition == partition.partition }?.entry.name, allowsOverlaps: allowOverlaps)
      let late = past.late
      if !allowLate, !late.isEmpty { throw behind(late, past) }
      outcome.late += late
      outcome.plan.partitions[index] = try past.rest(without: Set(late.map(\.name)))
    }
    for partition in frontier.keys.sorted() where !plan.partitions.contains(where: { $0.partition == partition }) {
      if partition.side == .archive, let next = frontier[partition], next > .zero { throw lost(partition, next) }
    }
    return outcome
  }

  /// True where size and version are the same, false where the digest had to prove it.
  private static func same(
    _ known: SettledSegment, _ segment: Segment, _ digest: (Segment, UInt64) throws -> UInt64
  ) throws -> Bool {
    if known.partition != segment.partition {
      throw changed(known, "partition", "\(known.partition)", "\(segment.partition)")
    }
    if known.entry.size != segment.entry.size {
      throw changed(known, "size", "\(known.entry.size) bytes", "\(segment.entry.size) bytes")
    }
    try sameBeside(known, segment)
    if known.entry.version == segment.kept.version { return true }
    let found = try digest(segment, segment.entry.size)
    guard found == known.digest else {
      throw changed(known, "digest", String(known.digest, radix: 16), String(found, radix: 16))
    }
    return false
  }

  /// Throws where a half-read segment is not what it was, as far as it was read. The segment where nothing can tell.
  private static func same(
    _ known: HalfReadSegment, _ segment: Segment?, _ frontier: Position?, _ digest: (Segment, UInt64) throws -> UInt64
  ) throws -> Segment? {
    let past = SettledSegment(
      partition: known.partition, entry: known.entry, digest: known.prefixDigest, records: 0, end: frontier ?? .zero)
    guard let segment else { throw vanished(past) }
    if segment.partition != known.partition {
      throw changed(past, "partition", "\(known.partition)", "\(segment.partition)")
    }
    try sameBeside(past, segment)
    if segment.entry.size == known.entry.size, segment.kept.version == known.entry.version { return nil }
    if known.prefixBytes == 0 { return segment }
    guard segment.entry.size >= known.prefixBytes else {
      throw changed(past, "size", "at least \(known.prefixBytes) bytes", "\(segment.entry.size) bytes")
    }
    let found = try digest(segment, known.prefixBytes)
    guard found == known.prefixDigest else {
      let what = "digest of the first \(known.prefixBytes) bytes"
      throw changed(past, what, String(known.prefixDigest, radix: 16), String(found, radix: 16))
    }
    return nil
  }

  /// Keys and headers files must be there as they were, and as long.
  private static func sameBeside(_ known: SettledSegment, _ segment: Segment) throws {
    let beside = { (version: String) in version.split(separator: " ", maxSplits: 1).dropFirst().first ?? "none" }
    let (before, now) = (beside(known.entry.version), beside(segment.kept.version))
    if before != now { throw changed(known, "files beside it", "\(before)", "\(now)") }
  }

  private static func vanished(_ known: SettledSegment) -> ReplayError {
    ReplayError(
      .data, "a segment that was already replayed is no longer in the archive: \(shown(known.entry.name))",
      details: [
        "partition \(shown(known.partition.description)), up to position \(known.end)",
        "it had:  \(known.entry.size) bytes, version \(known.entry.version)", "found:   nothing",
      ],
      effect: "nothing was read", next: "put it back, or start anew with --full-refresh")
  }

  private static func changed(_ known: SettledSegment, _ what: String, _ before: String, _ now: String) -> ReplayError {
    ReplayError(
      .data, "a segment that was already replayed has changed: \(shown(known.entry.name))",
      details: [
        "partition \(shown(known.partition.description)), up to position \(known.end)",
        "\(what) when replayed: \(before)", "\(what) now:           \(now)",
      ],
      effect: "nothing was read", next: "put the old file back, or start anew with --full-refresh")
  }

  private static func behind(_ late: [Segment], _ past: PartitionPast) -> ReplayError {
    let next = past.frontier ?? .zero
    return ReplayError(
      .data, "\(counted(late.count, "late file")) behind what was already replayed",
      details: ["partition \(shown(past.plan.partition.description)), replayed up to position \(next)"]
        + firstFive(late.map(\.name)),
      effect: "nothing was read",
      next:
        "start anew with --full-refresh to replay them in order, or leave them out whole with --allow-late; a file that "
        + "begins below that position and goes on beyond it is an overlap: --allow-overlaps")
  }

  private static func lost(_ partition: Partition, _ next: Position) -> ReplayError {
    ReplayError(
      .data, "the archive no longer has the partition \(shown(partition.description))",
      details: ["replayed up to position \(next)"],
      effect: "nothing was read", next: "put its segments back, or name the same --layout as before")
  }
}
