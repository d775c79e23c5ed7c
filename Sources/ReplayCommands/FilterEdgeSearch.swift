import ReplayArchive
import ReplayCore
import ReplayDecode

/// Looks into an archive for what a filter depends on: where the last events of a partition begin, and whether events
/// have what the filter asks for.
struct FilterEdgeSearch {
  let archive: OpenedArchive
  let options: ArchiveOptions

  /// For each partition, the position of its `count`-th event from behind, or of its first one; where `count` is 0, the
  /// position behind all. Reads as many segments from the end as that takes.
  func edges(last count: UInt64) throws -> [PartitionEdge] {
    try archive.plan.partitions.map {
      PartitionEdge($0.partition.description, try position(ofLast: count, in: $0))
    }
  }

  private func position(ofLast count: UInt64, in partition: PartitionPlan) throws -> Position {
    var left = count
    for segment in partition.segments.reversed() {
      let marks = try marks(of: segment)
      guard let last = marks.last else { continue }
      if count == 0 { return segment.position(mark: last).successor }
      if UInt64(marks.count) >= left { return segment.position(mark: marks[marks.count - Int(left)]) }
      left -= UInt64(marks.count)
    }
    return .zero
  }

  /// Of all records of a segment, ascending.
  private func marks(of segment: Segment) throws -> [UInt64] {
    var marks: [UInt64] = []
    try each(of: segment, [Reads()]) { block, _ in
      for record in 0..<block.count { marks.append(block.marks[record]) }
      return true
    }
    return marks.sorted()
  }

  private func each(
    of segment: Segment, _ reads: [Reads], needsKey: Bool = false,
    _ body: (RecordBlock, Extraction) throws -> Bool
  ) throws {
    let extraction = Extraction(reads, anatomy: archive.plan.anatomy, needsKey: needsKey)
    let decoder = ArchiveDecoder(extraction, framing: options.format, limits: options.limits)
    let reading = try decoder.open(segment, in: archive.source, range: SegmentRange(from: [0]))
    let block = decoder.makeBlock(for: segment)
    while try reading.next(block) { if try !body(block, extraction) { return } }
  }

  private static let sampledSegments = 8

  /// Throws `.usage` where no event of the first blocks of some segments has what the filter asks for: most likely it is
  /// somewhere else, and every event would be left out, or none.
  func checkFields(of filter: EventFilter) throws {
    if !filter.readsKey, !filter.readsType, !filter.readsTime { return }
    let parts: [FieldSource] = [.key, .type, .time]
    var reads = Reads()
    for part in parts { _ = reads.text(part) }
    var seen = Set<FieldSource>()
    var events = 0
    let segments = archive.plan.partitions.flatMap(\.segments)
    let count = min(FilterEdgeSearch.sampledSegments, segments.count)
    for turn in 0..<count {
      // What is damaged is the run's to tell, which commits what comes before.
      try? each(of: segments[turn * segments.count / count], [reads], needsKey: true) { block, extraction in
        events += block.count
        for (part, column) in zip(parts, extraction.functions[0].columns) {
          let has = (0..<block.count).contains { record in
            let slice = block.fields[record * block.fieldCount + column]
            return part == .time
              ? EventTime.read(slice.kind, block.text(slice)) != nil
              : slice.count > 0 && (slice.kind == .string || (slice.kind == .number && part == .key))
          }
          if has { seen.insert(part) }
        }
        return false
      }
    }
    guard events > 0 else { return }
    for (part, isAsked) in [(FieldSource.key, filter.readsKey), (.type, filter.readsType), (.time, filter.readsTime)]
    where isAsked && !seen.contains(part) { throw missing(part, events) }
  }

  private func missing(_ part: FieldSource, _ events: Int) -> ReplayError {
    let flags =
      switch part {
      case .key: "--keys, --exclude-keys and --sample"
      case .type: "--types"
      default: "--from and --to"
      }
    return ReplayError(
      .usage, "the archive's events have no \(part.name), which \(flags) ask for",
      details: [
        "looked for at \(archive.plan.anatomy.absolute(part)) in \(Words.plural(events, "event")): none has one"
      ], effect: "nothing was read or written", next: "say with --\(part.name) where it is")
  }

  /// Throws `.usage` where an edge names a partition that the archive does not have.
  func checkPartitions(of filter: EventFilter) throws {
    let known = archive.plan.partitions.map(\.partition)
    for name in (filter.fromPositions + filter.toPositions).compactMap(\.partition)
    where !known.contains(where: { $0.name == name || $0.description == name }) {
      let names = known.map { $0.description.isEmpty ? "(no name)" : $0.description }
      throw ReplayError(
        .usage, "the archive has no partition \(name)",
        details: ["its partitions: \(names.prefix(10).joined(separator: ", "))\(names.count > 10 ? "…" : "")"],
        effect: "nothing was read or written")
    }
  }
}
