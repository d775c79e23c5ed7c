import ReplayCore

/// Proves that each segment follows the one before it, as far as the layout's numbers can: rule 6 of the design.
public struct ArchiveChain: ChainRule {
  /// Which world the numbers are from: asked for at the first difference, never guessed.
  public enum Positions: String, Sendable, Hashable, CaseIterable {
    /// Every number was filled: a missing one is a hole.
    case dense
    /// Compaction and transactions leave numbers out: a missing one is a skip, and a hole cannot be proved.
    case sparse
    case unstated
  }

  public var positions: Positions
  public var allow: Set<ChainFinding.Kind>
  /// For a segment's name, the number that must begin it: where the name before promises its last one, or places
  /// count without skips (GH Archive's hours).
  private let promisedStarts: [String: WideNumber]

  public init(
    plan: ArchivePlan, layout: LayoutKind, positions: Positions = .unstated, allow: Set<ChainFinding.Kind> = []
  ) {
    self.positions = positions
    self.allow = allow
    var starts: [String: WideNumber] = [:]
    for partition in plan.partitions {
      for (before, after) in zip(partition.segments, partition.segments.dropFirst()) {
        if let last = before.lastNumber { starts[after.name] = last.advanced(by: 1) }
        if layout == .gharchive, case .place(let hour) = before.numbering { starts[after.name] = hour.advanced(by: 1) }
      }
    }
    promisedStarts = starts
  }

  /// Doubled events are told apart by what was settled before, so segments must then be read in sequence.
  public var needsSequence: Bool { !allow.isDisjoint(with: [.overlap, .duplicate, .inversion]) }

  public var acceptsGaps: Bool { positions == .sparse && !needsSequence }

  public func examine(
    _ segment: Segment, _ summary: SegmentSummary, previousEnd: Position?
  ) throws -> [ChainFinding] {
    let judge = ChainJudge(chain: self, segment: segment, summary: summary)
    var findings: [ChainFinding] = []
    if summary.records == 0 { findings.append(judge.empty) }
    switch segment.numbering {
    case .counted(let start):
      findings += try judge.follows(expected(segment, previousEnd), start: start)
      findings += try judge.countedEnd(start: start)
    case .explicit:
      findings += try judge.explicitNumbers(expected: expected(segment, previousEnd))
    case .place(let place):
      findings += try judge.followsPlace(promisedStarts[segment.name], place: place)
    }
    return findings
  }

  public func begin(_ segment: Segment, firstNumber: UInt64?, previousEnd: Position?) throws {
    let judge = ChainJudge(chain: self, segment: segment, summary: SegmentSummary())
    switch segment.numbering {
    case .counted(let start): _ = try judge.follows(expected(segment, previousEnd), start: start)
    case .explicit:
      guard let first = firstNumber.map({ WideNumber(low: $0) }) else { return }
      _ = try judge.follows(expected(segment, previousEnd), start: min(segment.firstNumber ?? first, first))
      try judge.beginsAsPromised(first)
    case .place(let place): _ = try judge.followsPlace(promisedStarts[segment.name], place: place)
    }
  }

  /// The number that should come next; nil at the archive's start. A sub-index means that its number was read.
  private func expected(_ segment: Segment, _ previousEnd: Position?) -> WideNumber? {
    if let promised = promisedStarts[segment.name] { return promised }
    return previousEnd.map { $0.index == 0 ? $0.number : $0.number.advanced(by: 1) }
  }

  /// What names alone can prove before anything is read: missing hours, and a start that is not the promised one.
  /// `examine` finds the same again with the content, so do not count these twice.
  public func examineNames(_ plan: ArchivePlan) throws -> [ChainFinding] {
    var findings: [ChainFinding] = []
    for segment in plan.partitions.flatMap(\.segments) {
      guard let promised = promisedStarts[segment.name] else { continue }
      let judge = ChainJudge(chain: self, segment: segment, summary: SegmentSummary())
      if case .place(let place) = segment.numbering {
        findings += try judge.followsPlace(promised, place: place)
      } else if let first = segment.firstNumber {
        findings += try judge.follows(promised, start: first)
      }
    }
    return findings
  }
}
