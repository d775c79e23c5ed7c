import ReplayCore

/// What an earlier run left of one partition, against what the archive has of it now.
struct PartitionPast {
  let plan: PartitionPlan
  let frontier: Position?
  /// The name of the segment that the frontier is in the middle of, where that is known.
  let halfRead: String?
  /// True where a segment that begins before the settled end may go on beyond it.
  let allowsOverlaps: Bool
  private let settled: [String: SettledSegment]
  /// The end of the last settled segment.
  private let settledEnd: Position?

  init(plan: PartitionPlan, settled: [SettledSegment], frontier: Position?, halfRead: String?, allowsOverlaps: Bool) {
    self.plan = plan
    self.allowsOverlaps = allowsOverlaps
    self.halfRead = halfRead
    self.frontier = frontier
    self.settled = Dictionary(settled.map { ($0.entry.name, $0) }, uniquingKeysWith: { a, b in a.end < b.end ? b : a })
    settledEnd = settled.map(\.end).max()
  }

  /// Segments nobody settled that belong before what was settled.
  ///
  /// At most one segment may be half read: it ends at the frontier or above it and begins at the settled end or
  /// above.
  var late: [Segment] {
    guard frontier != nil || !settled.isEmpty else { return [] }
    let lastSettled = plan.segments.lastIndex { settled[$0.name] != nil } ?? -1
    return plan.segments.indices.filter { index in
      let segment = plan.segments[index]
      if settled[segment.name] != nil || segment.name == halfRead { return false }
      if index < lastSettled { return true }
      if allowsOverlaps, segment.start != nil, !hasPlaces {
        // Only a promised last number tells that nothing of it lies beyond.
        return segment.lastNumber.flatMap { last in settledEnd.map { last < next($0) } } ?? false
      }
      if let start = segment.start, let settledEnd, precedes(start, settledEnd) { return true }
      guard let frontier, let end = end(at: index) else { return false }
      return precedes(end, frontier)
    }.map { plan.segments[$0] }
  }

  private var hasPlaces: Bool { if case .place? = plan.segments.first?.numbering { true } else { false } }

  /// Where the segment must end at the latest, by names: its promised last number, or the next segment's start.
  private func end(at index: Int) -> Position? {
    let segment = plan.segments[index]
    if case .place(let place) = segment.numbering { return Position(number: place) }
    if let last = segment.lastNumber { return Position(number: last.advanced(by: 1)) }
    return index + 1 < plan.segments.count ? plan.segments[index + 1].start : nil
  }

  /// Compares the next unread places: for numbers, `(n, 1)` and `(n + 1, 0)` are the same place.
  private func precedes(_ a: Position, _ b: Position) -> Bool {
    if case .place = plan.segments.first?.numbering { return a.number < b.number }
    return next(a) < next(b)
  }

  private func next(_ position: Position) -> WideNumber {
    position.index == 0 ? position.number : position.number.advanced(by: 1)
  }

  /// The plan without these segments, ordinals counted anew. Throws where settled segments would get other places
  /// than they had, or the segment that was half read is gone.
  func rest(without late: Set<String>) throws -> PartitionPlan {
    var rest = PartitionPlan(partition: plan.partition, segments: plan.segments.filter { !late.contains($0.name) })
    if hasOrdinals, !late.isEmpty {
      rest.segments = rest.segments.enumerated().map { index, segment in
        segment.numbered(.place(WideNumber(low: UInt64(index))))
      }
    }
    for segment in rest.segments {
      guard case .place(let place) = segment.numbering, let known = settled[segment.name] else { continue }
      // An empty segment has no place of its own: the end before it stands.
      if known.records > 0, known.end.number != place { throw moved(segment, from: known.end.number, to: place) }
    }
    if halfRead == nil { try checkHalfRead(rest) } else { try checkPlace(rest) }
    return rest
  }

  /// True where places are ordinals of the listing, not made from names.
  private var hasOrdinals: Bool {
    plan.segments.indices.allSatisfy { plan.segments[$0].numbering == .place(WideNumber(low: UInt64($0))) }
  }

  /// Between the settled end and the frontier a segment was half read; it must be there to go on.
  private func checkHalfRead(_ rest: PartitionPlan) throws {
    guard let frontier, frontier > settledEnd ?? .zero else { return }
    let open = rest.segments.filter { settled[$0.name] == nil }
    if case .place? = rest.segments.first?.numbering {
      if frontier.index == 0 || rest.segments.contains(where: { $0.start?.number == frontier.number }) { return }
    } else {
      if let settledEnd, next(settledEnd) == next(frontier) { return }
      if open.contains(where: { segment in segment.start.map { next($0) <= next(frontier) } ?? true }) { return }
    }
    throw ReplayError(
      .data, "the segment that was being read is no longer in the archive",
      details: [
        "partition \(shown(plan.partition.description))",
        "replayed up to position \(frontier)", "no segment holds that position",
      ],
      next: "put it back, or start anew with --full-refresh")
  }

  /// The half-read segment must have the place that the frontier says, where places are the listing's.
  private func checkPlace(_ rest: PartitionPlan) throws {
    guard let frontier, let segment = rest.segments.first(where: { $0.name == halfRead }),
      case .place(let place) = segment.numbering, place != frontier.number
    else { return }
    throw moved(segment, from: frontier.number, to: place)
  }

  private func moved(_ segment: Segment, from: WideNumber, to: WideNumber) -> ReplayError {
    ReplayError(
      .data, "a segment that was already replayed has another place in the archive: \(shown(segment.name))",
      details: ["place when replayed: \(from)", "place now:           \(to)"],
      next: "take out the files that were added before it, or start anew with --full-refresh")
  }
}

extension Segment {
  func numbered(_ numbering: Numbering) -> Segment {
    Segment(
      entry: entry, partition: partition, numbering: numbering, firstNumber: firstNumber, lastNumber: lastNumber,
      keysEntry: keysEntry, headersEntry: headersEntry)
  }
}
