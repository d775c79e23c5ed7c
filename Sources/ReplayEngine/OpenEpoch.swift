import ReplayCore

/// What was read since the last cut, kept by partition, so that a partition can be handed over without the others.
struct OpenEpoch {
  private struct Part {
    var records: UInt64 = 0
    var settled: [SettledSegment] = []
    var findings: [ChainFinding] = []
  }

  private(set) var ledger: Ledger
  private var parts: [Part]

  init(functions: Int, partitions: Int) {
    ledger = Ledger(functions: functions, partitions: partitions)
    parts = Array(repeating: Part(), count: partitions)
  }

  /// Records decoded, those that were settled before included.
  var records: UInt64 { parts.reduce(0) { $0 + $1.records } }
  var settled: [SettledSegment] { parts.flatMap(\.settled) }
  /// Those that are kept.
  var findings: [ChainFinding] { parts.flatMap(\.findings) }
  var hasWork: Bool { parts.indices.contains(where: hasWork) }

  func hasWork(_ partition: Int) -> Bool { parts[partition].records > 0 || hasSettled(partition) }

  /// True where a segment of it was read to its end.
  func hasSettled(_ partition: Int) -> Bool { !parts[partition].settled.isEmpty }

  mutating func enter(_ block: BlockFacts, partition: Int) {
    ledger.enter(block, partition: partition)
    parts[partition].records += block.scanned
  }

  mutating func enter(_ settled: [SettledSegment], _ findings: [ChainFinding], partition: Int) {
    parts[partition].settled += settled
    parts[partition].findings += findings.filter(\.isSerious)
  }

  /// Moves out what is of these partitions; of the others nothing is in the answer.
  mutating func take(_ partitions: [Int]) -> OpenEpoch {
    var taken = OpenEpoch(functions: ledger.entries.count, partitions: parts.count)
    taken.ledger = ledger.take(partitions)
    for partition in partitions { swap(&taken.parts[partition], &parts[partition]) }
    return taken
  }
}
