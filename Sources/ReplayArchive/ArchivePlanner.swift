import ReplayCore

/// Puts every segment of an archive into its partition and its order, by names alone.
public enum ArchivePlanner {
  /// Pure; the same plan for the same entries in any order. Throws `.data` where two segments of a partition claim
  /// the same number, or keys files and segments do not belong together.
  public static func plan(_ entries: [SegmentEntry], layout: DetectedLayout) throws -> ArchivePlan {
    let names = LayoutNames(layout.layout, pattern: layout.pattern, names: entries.map(\.name))
    var drafts: [Partition: [SegmentDraft]] = [:]
    var beside = FilesBeside()
    for entry in entries {
      switch names.read(entry.name) {
      case .segment(let name):
        let partition = Partition(log: name.topic, id: name.partition)
        drafts[partition, default: []].append(SegmentDraft(entry: entry, name: name))
      case .keys(let stem):
        if layout.usesKeysFiles { beside.keys[stem] = entry }
      case .headers(let stem):
        if NameText(entry.name).extensions.contains("json") { beside.headers[stem] = entry }
      case .manifest: break
      case .refused, .foreign:
        throw ReplayError(
          .data, "the name does not fit the layout \(layout.layout.rawValue): \(shown(entry.name))",
          details: ["expected: \(layout.pattern.map { shown($0.text) } ?? layout.layout.expected)"],
          next: "run the command again: the archive changed while it was looked at")
      }
    }
    var partitions: [PartitionPlan] = []
    for (partition, drafts) in drafts.sorted(by: { $0.key < $1.key }) {
      partitions.append(try ordered(drafts, partition, layout, &beside))
    }
    for (word, left) in [("keys", beside.keys), ("headers", beside.headers)] {
      if let orphan = left.values.min(by: { NaturalOrder.precedes($0.name, $1.name) }) {
        throw noValues(orphan, word, left.count)
      }
    }
    let logs = Set(partitions.map(\.partition.log)).count
    let separate = partitions.count == 1 || (layout.partitionsSeparateKeys && logs == 1)
    return ArchivePlan(partitions: partitions, anatomy: layout.anatomy, partitionsSeparateKeys: separate)
  }

  private static func ordered(
    _ drafts: [SegmentDraft], _ partition: Partition, _ layout: DetectedLayout, _ beside: inout FilesBeside
  ) throws -> PartitionPlan {
    let drafts = drafts.sorted()
    for (before, after) in zip(drafts, drafts.dropFirst()) where before.number != nil && before.number == after.number {
      throw ambiguous(before, after, partition)
    }
    var segments: [Segment] = []
    for (index, draft) in drafts.enumerated() {
      let before = index > 0 ? drafts[index - 1].name.last : nil
      let stem = NameText(draft.entry.name).path
      var keysEntry: SegmentEntry?
      if layout.usesKeysFiles {
        guard let found = beside.keys.removeValue(forKey: stem) else { throw noKeys(draft.entry) }
        keysEntry = found
      }
      segments.append(
        Segment(
          entry: draft.entry, partition: partition,
          numbering: draft.numbering(layout.numberingKind, index: index, lastBefore: before),
          firstNumber: draft.name.first, lastNumber: draft.name.last, keysEntry: keysEntry,
          headersEntry: beside.headers.removeValue(forKey: stem)))
    }
    return PartitionPlan(partition: partition, segments: segments)
  }

  private static func ambiguous(_ a: SegmentDraft, _ b: SegmentDraft, _ partition: Partition) -> ReplayError {
    let word = a.name.first == nil && a.name.last != nil ? "end" : "begin"
    return ReplayError(
      .data, "two segments of \(partition) \(word) at the same number \(a.number.map(\.description) ?? "")",
      details: [shown(a.entry.name), shown(b.entry.name)],
      next: "take the copy out of the archive: which one counts cannot be known from the names")
  }

  private static func noKeys(_ entry: SegmentEntry) -> ReplayError {
    ReplayError(
      .data, "a segment has no keys file beside it, others have: \(shown(entry.name))",
      details: ["expected: \(shown(NameText(entry.name).path)).keys.<extension>"],
      next: "fetch it, or say with --key which member of the payload is the partition key")
  }

  private static func noValues(_ entry: SegmentEntry, _ word: String, _ count: Int) -> ReplayError {
    ReplayError(
      .data, "\(counted(count, "\(word) file")) without the segment that the \(word) belong to: \(shown(entry.name))",
      next: "fetch the files with the values, they are missing in the archive")
  }
}

/// The files that stand beside segments, by the segments' stems.
struct FilesBeside {
  var keys: [String: SegmentEntry] = [:]
  var headers: [String: SegmentEntry] = [:]
}

/// A segment before its place among the others is known.
struct SegmentDraft: Comparable {
  let entry: SegmentEntry
  let name: ParsedName

  /// What its name orders it by.
  var number: WideNumber? { name.first ?? name.last ?? name.place }

  static func < (a: SegmentDraft, b: SegmentDraft) -> Bool {
    if let left = a.number, let right = b.number, left != right { return left < right }
    if let left = a.name.time, let right = b.name.time, left != right { return NaturalOrder.precedes(left, right) }
    return NaturalOrder.precedes(a.entry.name, b.entry.name)
  }

  static func == (a: SegmentDraft, b: SegmentDraft) -> Bool { a.entry == b.entry }

  /// Where only last numbers are known, a segment begins after the one before it, and the first at 0.
  func numbering(_ kind: NumberingKind, index: Int, lastBefore: WideNumber?) -> Numbering {
    switch kind {
    case .explicit: return .explicit
    case .counted: return .counted(from: name.first ?? lastBefore?.advanced(by: 1) ?? WideNumber(low: 0))
    case .place: return .place(name.place ?? WideNumber(low: UInt64(index)))
    }
  }
}

extension ArchivePlan {
  /// Throws `.data` where the headers are read, stand in files beside the segments, and one segment has none: its events
  /// would have no headers, and nobody would know.
  public func checkHeaders(for extraction: Extraction) throws {
    let segments = partitions.flatMap(\.segments)
    guard extraction.headersColumn >= 0, segments.contains(where: { $0.headersEntry != nil }),
      let bare = segments.first(where: { $0.headersEntry == nil })
    else { return }
    throw ReplayError(
      .data, "a segment has no headers file beside it, others have: \(shown(bare.name))",
      details: ["expected: \(shown(NameText(bare.name).path)).headers.<extension>"],
      next: "fetch it; or, where the sink wrote no headers then, leave the others' out with a glob or --files-from")
  }

  /// Kafka partitions that no file of a topic belongs to, though files of higher ones are there: perhaps empty,
  /// perhaps not copied. Names cannot tell, so this is for a person.
  public var absentPartitions: [Partition] {
    var absent: [Partition] = []
    for (log, plans) in Dictionary(grouping: partitions, by: \.partition.log).sorted(by: { $0.key < $1.key }) {
      let numbers = plans.compactMap { UInt32($0.partition.name) }
      guard numbers.count == plans.count, let last = numbers.max(), last < 100_000 else { continue }
      let present = Set(numbers)
      absent += (0..<last).filter { !present.contains($0) }.map { Partition(log: log, id: String($0)) }
    }
    return absent
  }
}
