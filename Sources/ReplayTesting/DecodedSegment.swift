import ReplayCore

/// One segment read to its end or to its error, copied out of its blocks: for tests of decoders.
public struct DecodedSegment: Sendable {
  public struct Record: Sendable, Hashable {
    public var ordinal: UInt64
    public var mark: UInt64
    public var mask: UInt32
    public var raw: String
    public var fields: [Field]
  }

  public struct Field: Sendable, Hashable {
    public var kind: Slice.Kind
    public var text: String

    public init(_ kind: Slice.Kind, _ text: String = "") {
      self.kind = kind
      self.text = text
    }
  }

  public private(set) var records: [Record] = []
  /// Records at the front that lay in proven bytes when their block, or a later one, was handed out.
  public private(set) var proven = 0
  public private(set) var blocks = 0
  public private(set) var scanned: UInt64 = 0
  public private(set) var below: [UInt64] = []
  public private(set) var duplicates: UInt64 = 0
  /// Blocks whose records do not rise by one each, so far.
  public private(set) var irregularBlocks = 0
  /// Complete where `error` is nil.
  public private(set) var summary = SegmentSummary()
  public private(set) var error: (any Error)?

  public var raws: [String] { records.map(\.raw) }
  /// The error's place, where it has one.
  public var failedOrdinal: UInt64? { (error as? ReplayError)?.place?.ordinal }

  public init(
    _ segment: Segment, in source: any SegmentSource, by decoder: any Decoder, range: SegmentRange
  ) {
    below = range.from.map { _ in 0 }
    do {
      let opened = try decoder.open(segment, in: source, range: range)
      var block = decoder.makeBlock(for: segment)
      while true {
        // A fresh block every other time: reused and new ones must not differ.
        if blocks % 2 == 1 { block = decoder.makeBlock(for: segment) }
        let goesOn: Bool
        do { goesOn = try opened.next(block) } catch {
          self.error = error
          return
        }
        if !goesOn { break }
        take(block)
      }
      if block.isProven { proven = records.count }
      summary = opened.summary
    } catch {
      self.error = error
    }
  }

  private mutating func take(_ block: RecordBlock) {
    blocks += 1
    scanned += UInt64(block.scanned)
    duplicates += block.duplicates.first ?? 0
    for function in below.indices { below[function] += block.below[function] }
    if !block.isRising || block.hasGaps { irregularBlocks += 1 }
    for place in 0..<block.count {
      let fields = (0..<block.fieldCount).map { field -> Field in
        let slice = block.fields[place * block.fieldCount + field]
        return slice.kind == .missing ? Field(.missing) : Field(slice.kind, String(block.text(slice)))
      }
      records.append(
        Record(
          ordinal: block.firstOrdinal + UInt64(block.ordinals[place]), mark: block.marks[place],
          mask: block.masks[place], raw: String(block.text(block.records[place])), fields: fields))
    }
    if block.isProven { proven = records.count }
  }
}

extension Segment {
  /// A counted segment from 0, in partition 0 of no log.
  public static func counted(_ entry: SegmentEntry, from first: UInt64 = 0, partition: String = "0") -> Segment {
    Segment(
      entry: entry, partition: Partition(log: "", id: partition), numbering: .counted(from: WideNumber(low: first)))
  }
}
