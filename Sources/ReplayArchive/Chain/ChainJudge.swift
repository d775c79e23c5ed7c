import ReplayCore

/// Compares one segment's numbers with what was expected of them.
struct ChainJudge {
  let chain: ArchiveChain
  let segment: Segment
  let summary: SegmentSummary

  var empty: ChainFinding { finding(.empty, 0, "the segment has no records") }

  /// The difference between the end of the segment before and the start of this one.
  func follows(_ expected: WideNumber?, start: WideNumber) throws -> [ChainFinding] {
    guard let expected, expected != start else { return [] }
    if start > expected {
      let missing = start.distance(from: expected) ?? 0
      return [try unfilled(missing, "begins at", expected: expected, found: start)]
    }
    let doubled = expected.distance(from: start) ?? 0
    let numbers = [
      "expected start: \(expected)", "found start:    \(start)", "\(counted(doubled, "event")) would be doubled",
    ]
    let summary = "the segment begins before the end of the one before it"
    return [try judge(.overlap, doubled, summary, numbers + interleaved)]
  }

  /// A counted segment against the last number that its name promises.
  func countedEnd(start: WideNumber) throws -> [ChainFinding] {
    guard let last = segment.lastNumber else { return [] }
    let (promised, end) = (last.advanced(by: 1), start.advanced(by: summary.records))
    if end == promised { return [] }
    let numbers = ["records:  \(summary.records)", "expected: \(start) to \(last)"]
    if end < promised {
      return [try unfilled(promised.distance(from: end) ?? 0, "ends at", expected: promised, found: end)]
    }
    let more = end.distance(from: promised) ?? 0
    let summary = "the segment has \(counted(more, "record")) more than its name has numbers"
    return [try judge(.overlap, more, summary, numbers)]
  }

  func explicitNumbers(expected: WideNumber?) throws -> [ChainFinding] {
    guard summary.records > 0 else { return try promisedButEmpty(expected) }
    guard let low = summary.firstNumber, let high = summary.lastNumber else {
      let next = "report this: it is a fault of replay"
      throw error("the records' own numbers were not read", [], next: next, .unexpected)
    }
    let (first, last) = (WideNumber(low: low), WideNumber(low: high))
    var findings = try follows(expected, start: min(segment.firstNumber ?? first, first))
    findings += try promise("first", segment.firstNumber, first, short: segment.firstNumber.map { ($0, first) })
    findings += try within()
    findings += try promise("last", segment.lastNumber, last, short: segment.lastNumber.map { (last, $0) })
    return findings
  }

  /// The first record's number against the name, before anything of the segment is committed: where another file lies
  /// under this name, its events are not to be applied first and refused at its end.
  func beginsAsPromised(_ first: WideNumber) throws {
    _ = try promise("first", segment.firstNumber, first, short: segment.firstNumber.map { ($0, first) })
    if let last = segment.lastNumber, last < first { _ = try promise("last", last, first, short: nil) }
  }

  /// What the decoder counted inside the segment.
  private func within() throws -> [ChainFinding] {
    var findings: [ChainFinding] = []
    if summary.inversions > 0 {
      let why = "\(counted(summary.inversions, "record")) lower than the one before"
      findings.append(try judge(.inversion, summary.inversions, "the numbers in the segment go back", [why, range]))
    }
    if summary.duplicates > 0 {
      let why = counted(summary.duplicates, "number") + " twice"
      findings.append(try judge(.duplicate, summary.duplicates, "the segment has numbers twice", [why, range]))
    }
    if summary.missingNumbers > 0 {
      findings.append(try absent(summary.missingNumbers, "numbers are missing inside the segment", [range]))
    }
    return findings
  }

  private var range: String {
    "numbers \(summary.firstNumber ?? 0) to \(summary.lastNumber ?? 0), \(counted(summary.records, "record"))"
  }

  /// A number in the name against the content. Content beyond the name is another file's; content short of it is a
  /// hole in any world, because the writer saw that number.
  private func promise(
    _ which: String, _ name: WideNumber?, _ content: WideNumber,
    short: (from: WideNumber, to: WideNumber)?
  ) throws -> [ChainFinding] {
    guard let name, name != content else { return [] }
    let numbers = ["\(which) number in the name:    \(name)", "\(which) number in the content: \(content)"]
    guard let short, short.from < short.to else {
      throw error(
        "the segment's content is not what its name says", numbers,
        next: "fetch the file again under its own name, or name another --layout")
    }
    let missing = short.to.distance(from: short.from) ?? 0
    let summary = "the segment lacks \(counted(missing, "position")) that its name promises"
    return [try judge(.hole, missing, summary, numbers)]
  }

  private func promisedButEmpty(_ expected: WideNumber?) throws -> [ChainFinding] {
    guard let name = segment.firstNumber ?? segment.lastNumber else { return [] }
    let from = segment.firstNumber ?? expected
    let missing = segment.lastNumber.flatMap { last in from.flatMap { last.advanced(by: 1).distance(from: $0) } } ?? 1
    let why = ["its name promises the number \(name)", "at least \(counted(missing, "event")) missing"]
    return [try judge(.hole, missing, "the segment has no records, but its name promises some", why)]
  }

  /// Places that count without skips: hours.
  func followsPlace(_ expected: WideNumber?, place: WideNumber) throws -> [ChainFinding] {
    guard let expected, place > expected else { return [] }
    let missing = place.distance(from: expected) ?? 0
    let why = [
      "\(counted(missing, "hour")) missing just before it", "expected hour: \(expected)", "found hour:    \(place)",
    ]
    return [try judge(.hole, missing, "hours are missing in the archive", why)]
  }
}
