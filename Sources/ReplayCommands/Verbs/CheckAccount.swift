import ReplayArchive
import ReplayCore
import ReplayEngine

/// The verdict on one segment.
struct SegmentVerdict {
  enum Kind: String { case pass, fail, unprovable }

  let segment: Segment
  let facts: SegmentFacts
  /// What is wrong.
  var problems: [ReplayError] = []
  /// What could be wrong without leaving a trace.
  var doubts: [String] = []
  /// What a flag allows.
  var allowed: [ChainFinding] = []
  /// What is odd and harmless.
  var notes: [String] = []

  var kind: Kind { !problems.isEmpty ? .fail : doubts.isEmpty && allowed.isEmpty ? .pass : .unprovable }
}

/// All segments judged, in the archive's order: each by itself, and by the chain.
struct CheckAccount {
  private(set) var verdicts: [SegmentVerdict] = []
  /// Lines about the archive as a whole.
  private(set) var notes: [String] = []
  let keys: HotKeys
  let milliseconds: Int64
  private let layout: DetectedLayout
  private let needsKey: Bool
  private let needsTime: Bool

  /// A key or a time that some events have must be readable in all; where none has it, only a question for it makes
  /// that wrong.
  init(
    _ archive: OpenedArchive, _ reading: CheckReading, rule: ArchiveChain, keyIsAsked: Bool, timeIsAsked: Bool
  ) {
    keys = reading.keys
    milliseconds = reading.milliseconds
    layout = archive.layout
    let all = reading.segments.values
    needsKey = keyIsAsked || all.contains { $0.keyed > 0 }
    needsTime = timeIsAsked || all.contains { $0.timed > 0 }
    for partition in archive.plan.partitions { judge(partition, reading, rule) }
    summarise(archive)
  }

  private mutating func judge(_ partition: PartitionPlan, _ reading: CheckReading, _ rule: ArchiveChain) {
    var end: Position?
    var lastTime: Timestamp?
    for segment in partition.segments {
      guard var facts = reading.segments[segment.name] else { continue }
      if let last = lastTime, let first = facts.firstTime, first < last { facts.timeInversions += 1 }
      lastTime = facts.lastTime ?? lastTime
      var verdict = SegmentVerdict(segment: segment, facts: facts)
      verdict.problems = problems(facts)
      verdict.doubts = doubts(segment, facts)
      if let summary = facts.summary {
        do { verdict.take(try rule.examine(segment, summary, previousEnd: end)) } catch {
          verdict.problems.append(error as? ReplayError ?? ReplayError(.unexpected, "\(error)"))
        }
        end = segment.next(after: summary, previous: end)
      } else {
        // How far a damaged segment goes is not known, so nothing can be said about the next one's start.
        end = nil
      }
      if facts.twins > 0 {
        verdict.notes.append("\(Words.plural(facts.twins, "record")) with a member named twice; the first one counts")
      }
      verdicts.append(verdict)
    }
  }

  private func problems(_ facts: SegmentFacts) -> [ReplayError] {
    var problems = facts.malformed.first.map { [counted($0, facts.malformed)] } ?? []
    if needsKey, let first = facts.withoutKey.first { problems.append(counted(first, facts.withoutKey)) }
    if needsTime, let first = facts.badTime.first { problems.append(counted(first, facts.badTime)) }
    return problems + (facts.damage.map { [$0] } ?? [])
  }

  private func counted(_ first: ReplayError, _ odd: SegmentFacts.Odd) -> ReplayError {
    var error = first
    if odd.count > 1 {
      error.details.append("\(Words.count(odd.count)) such records in this segment, this is the first")
    }
    return error
  }

  private func doubts(_ segment: Segment, _ facts: SegmentFacts) -> [String] {
    var doubts: [String] = []
    if let summary = facts.summary, summary.frames == 0 {
      doubts.append("not compressed: no checksum proves its bytes")
    } else if let summary = facts.summary, summary.framesWithoutChecksum > 0 {
      let bare = Words.count(summary.framesWithoutChecksum)
      doubts.append("\(bare) of \(Words.plural(summary.frames, "zstd frame")) without a checksum")
    }
    if case .place = segment.numbering, layout.layout != .gharchive {
      doubts.append("no positions: a missing file or event would not be seen")
    }
    return doubts
  }

  private mutating func summarise(_ archive: OpenedArchive) {
    let (key, time) = (archive.plan.anatomy.key, archive.plan.anatomy.time)
    let events = verdicts.reduce(0) { $0 + $1.facts.events }
    let timeless = verdicts.reduce(0) { $0 + $1.facts.withoutTime }
    let inversions = verdicts.reduce(0) { $0 + $1.facts.timeInversions }
    if !needsKey, events > 0 { notes.append("no event has a partition key at \(key): tables by key cannot be filled") }
    if !needsTime, events > 0 { notes.append("no event has an RFC 3339 time at \(time)") }
    if needsTime, timeless > 0 { notes.append("\(Words.plural(timeless, "event")) without a time at \(time)") }
    if inversions > 0 {
      notes.append("\(Words.plural(inversions, "event")) with a time before that of the event before; harmless")
    }
    let open = archive.plan.partitions.count { CheckAccount.endIsUnsaid($0.segments.last) }
    if open > 0 {
      notes.append(
        "nothing says where the last segment of \(Words.plural(open, "partition")) ends: one that was cut between two "
          + "events and, where it is compressed, two frames looks whole")
    }
    let absent = archive.plan.absentPartitions
    if !absent.isEmpty {
      let list = absent.prefix(5).map(\.description).joined(separator: ", ") + (absent.count > 5 ? "…" : "")
      notes.append("no files of \(Words.plural(absent.count, "partition")) that should be there by number: \(list)")
    }
  }

  /// Whether nothing says where a partition's last segment ends: no name, and no segment behind it. Where names have no
  /// positions that is a doubt of its own.
  private static func endIsUnsaid(_ last: Segment?) -> Bool {
    guard let last, last.lastNumber == nil else { return false }
    if case .place = last.numbering { return false }
    return true
  }

  func count(_ kind: SegmentVerdict.Kind) -> Int { verdicts.count { $0.kind == kind } }
}

extension SegmentVerdict {
  fileprivate mutating func take(_ findings: [ChainFinding]) {
    for finding in findings {
      switch finding.kind {
      case .skip: doubts.append(finding.detail)
      case .empty: notes.append(finding.detail)
      case .hole, .overlap, .duplicate, .inversion: allowed.append(finding)
      }
    }
  }
}
