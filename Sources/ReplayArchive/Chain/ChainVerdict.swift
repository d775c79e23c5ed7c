import ReplayCore

/// From a difference to its name: allowed and counted, or the one error.
extension ChainJudge {
  /// Numbers between two segments, or before a promised end, that no record has.
  func unfilled(_ count: UInt64, _ verb: String, expected: WideNumber, found: WideNumber) throws -> ChainFinding {
    let numbers = ["expected: \(expected)", "found:    \(found)"]
    return try absent(count, "the segment \(verb) another number than the chain needs", numbers)
  }

  /// A hole or a skip, by the world the numbers are from.
  func absent(_ count: UInt64, _ summary: String, _ numbers: [String]) throws -> ChainFinding {
    let about = numbers + ["\(counted(count, "position")) without an event"]
    let doubt = "unprovable: nobody filled them, or data is missing"
    switch chain.positions {
    case .dense: return try judge(.hole, count, summary, about)
    case .sparse: return finding(.skip, count, "\(summary): \((about + [doubt]).joined(separator: "; "))")
    case .unstated:
      throw error(
        summary,
        about + ["either nobody filled them (compaction, transactions), or data is missing, or a file was cut short"],
        next: "say --positions sparse for a compacted or transactional topic, else --positions dense")
    }
  }

  /// Counted where a flag allows it, else the error that names the flag.
  func judge(
    _ kind: ChainFinding.Kind, _ count: UInt64, _ summary: String, _ details: [String]
  ) throws -> ChainFinding {
    guard chain.allow.contains(kind) else {
      throw error(summary, details, next: "fetch the segments again, or go on with \(kind.flag) to count and accept it")
    }
    return finding(kind, count, "\(summary): \(details.joined(separator: "; "))")
  }

  func finding(_ kind: ChainFinding.Kind, _ count: UInt64, _ detail: String) -> ChainFinding {
    ChainFinding(kind: kind, partition: segment.partition, segment: segment.name, count: count, detail: detail)
  }

  func error(_ summary: String, _ details: [String], next: String, _ code: ReplayError.Code = .data) -> ReplayError {
    let place = "partition: \(shown(segment.partition.description))"
    return ReplayError(code, "\(summary): \(shown(segment.name))", details: [place] + details, next: next)
  }

  /// Why value-only files of a time-based partitioner overlap.
  var interleaved: [String] {
    guard case .counted = segment.numbering else { return [] }
    let dated = NameText(segment.name).directories.contains { $0.contains("=") && !$0.hasPrefix("partition=") }
    let why = "the sink split one partition by time or field: its files interleave, and values alone have no order"
    return dated ? [why] : []
  }
}

extension ChainFinding.Kind {
  /// The option that allows it; `skip` and `empty` need none.
  public var flag: String {
    switch self {
    case .hole: "--allow-holes"
    case .overlap: "--allow-overlaps"
    case .duplicate: "--allow-duplicates"
    case .inversion: "--allow-inversions"
    case .skip: "--positions sparse"
    case .empty: ""
    }
  }
}

extension Segment {
  /// The position that its name says it begins at; nil where only the content knows.
  var start: Position? {
    switch numbering {
    case .counted(let start): Position(number: start)
    case .explicit: firstNumber.map { Position(number: $0) }
    case .place(let place): Position(number: place)
    }
  }
}
