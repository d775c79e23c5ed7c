import ReplayArchive
import ReplayCore
import ReplayDecode

/// What was seen in one segment.
struct SegmentFacts {
  /// A kind of record that may be wrong: how many, and the place of the first.
  struct Odd {
    var count: UInt64 = 0
    var first: ReplayError?
  }

  /// Nil where the segment could not be read to its end.
  var summary: SegmentSummary?
  /// Why it could not.
  var damage: ReplayError?
  var events: UInt64 = 0
  var keyed: UInt64 = 0
  var withoutKey = Odd()
  var timed: UInt64 = 0
  var withoutTime: UInt64 = 0
  var badTime = Odd()
  var malformed = Odd()
  /// Records that name a member twice; the first one counts.
  var twins: UInt64 = 0
  /// Events whose time lies before that of the event before them.
  var timeInversions: UInt64 = 0
  var firstTime: Timestamp?
  var lastTime: Timestamp?
}

/// Reads segments one after another and looks at every record. One a thread.
struct SegmentExaminer {
  private let decoder: ArchiveDecoder
  private let source: DirectorySource
  private let validator = RecordValidator()
  private let progress: (_ compressedBytes: UInt64, _ events: UInt64) -> Void
  private(set) var keys = HotKeys()

  init(
    _ decoder: ArchiveDecoder, _ source: DirectorySource,
    progress: @escaping (_ compressedBytes: UInt64, _ events: UInt64) -> Void
  ) {
    self.decoder = decoder
    self.source = source
    self.progress = progress
  }

  mutating func examine(_ segment: Segment) -> SegmentFacts {
    var facts = SegmentFacts()
    var bytes: UInt64 = 0
    do {
      let reader = try RecordReader(segment, in: source, decoder: decoder, range: SegmentRange(from: [0]))
      while try reader.next() {
        for record in 0..<reader.block.count { look(record, reader, segment, &facts) }
        facts.events += UInt64(reader.block.scanned)
        progress(reader.block.compressedBytes - bytes, UInt64(reader.block.scanned))
        bytes = reader.block.compressedBytes
      }
      facts.summary = reader.summary
    } catch {
      facts.damage = error as? ReplayError ?? ReplayError(.unexpected, "\(error)")
      facts.damage?.next = nil
    }
    progress(segment.entry.size - min(bytes, segment.entry.size), 0)
    return facts
  }

  private mutating func look(_ record: Int, _ reader: RecordReader, _ segment: Segment, _ facts: inout SegmentFacts) {
    let block = reader.block
    let fields = block.fields + record * block.fieldCount
    let key = fields[decoder.extraction.keyColumn]
    if (key.kind == .string || key.kind == .number) && key.count > 0 {
      facts.keyed += 1
      keys.add(block.text(key))
    } else {
      let path = decoder.extraction.anatomy.key
      note(&facts.withoutKey, "an event has no partition key", record, reader, segment) {
        "expected at \(path): text or a number, found: \(key.kind)"
      }
    }
    lookAtTime(fields[decoder.extraction.functions[0].columns[0]], record, reader, segment, &facts)
    var hasTwins = false
    if let fault = validator.fault(in: block.text(block.records[record]), hasTwins: &hasTwins) {
      note(&facts.malformed, "a record is not valid JSON", record, reader, segment) {
        "at byte \(fault.byteOffset) of the record: expected \(fault.expected)"
      }
    }
    if hasTwins { facts.twins += 1 }
  }

  private func lookAtTime(
    _ slice: Slice, _ record: Int, _ reader: RecordReader, _ segment: Segment, _ facts: inout SegmentFacts
  ) {
    if slice.kind == .missing || slice.kind == .null {
      facts.withoutTime += 1
      return
    }
    let text = reader.block.text(slice)
    guard slice.kind == .string, let time = ValueParsing.timestamp(text) else {
      let path = decoder.extraction.anatomy.time
      return note(&facts.badTime, "an event's time cannot be read", record, reader, segment) {
        "expected at \(path): an RFC 3339 time, found: \(slice.kind) \(ReplayError.excerpt(text))"
      }
    }
    facts.timed += 1
    if facts.firstTime == nil { facts.firstTime = time }
    if let last = facts.lastTime, time < last { facts.timeInversions += 1 }
    facts.lastTime = time
  }

  /// Counts the record, and keeps the place of the first of its kind.
  private func note(
    _ odd: inout SegmentFacts.Odd, _ summary: String, _ record: Int, _ reader: RecordReader, _ segment: Segment,
    _ detail: () -> String
  ) {
    odd.count += 1
    guard odd.first == nil else { return }
    let block = reader.block
    let byte = reader.byteOffset(of: record).map { ", decompressed byte \($0)" } ?? ""
    let place = "record \(reader.ordinal(of: record) + 1), position \(block.position(at: record))\(byte)"
    odd.first = ReplayError(
      .data, "\(summary): \(segment.name)",
      details: [place, detail(), "near: \(ReplayError.excerpt(block.text(block.records[record]), limit: 200))"])
  }
}
