/// A value inside a block: where it is, how long, and what kind of JSON value it is (the top four bits of `tail`).
@frozen public struct Slice: Sendable {
  public enum Kind: UInt32, Sendable {
    case missing = 0
    case null, string, number, boolean, object, array
  }
  public var offset: UInt32
  public var tail: UInt32

  @inlinable public init(offset: UInt32, tail: UInt32) {
    self.offset = offset
    self.tail = tail
  }

  @inlinable public var count: Int { Int(tail & 0x0fff_ffff) }
  @inlinable public var kind: Kind { Kind(rawValue: tail >> 28) ?? .missing }
}

/// A block of decompressed bytes with the records found in it and the fields extracted from each. Reused; the bytes
/// are touched while they are in the processor's cache.
///
/// Unsafe pointers: the decoder fills these from C++, one call a block. Exclusivity is unchecked where functions look for
/// every event: a block is written by one thread, and then only read.
public final class RecordBlock {
  /// The segment's bytes, and unescaped texts; `Slice.offset` counts from here.
  @exclusivity(unchecked) public var bytes: UnsafePointer<UInt8>
  /// `fieldCount` slices a record, record after record.
  @exclusivity(unchecked) public var fields: UnsafePointer<Slice>
  /// The whole record, as archived.
  @exclusivity(unchecked) public var records: UnsafePointer<Slice>
  /// The record's mark: its number where numbers are explicit, else its ordinal in the segment.
  @exclusivity(unchecked) public var marks: UnsafePointer<UInt64>
  /// The record's ordinal in the segment, less `firstOrdinal`.
  @exclusivity(unchecked) public var ordinals: UnsafePointer<UInt32>
  /// One bit a function: set where the function's conditions and frontier let the record through.
  @exclusivity(unchecked) public var masks: UnsafePointer<UInt32>
  /// Records that at least one function wants.
  @exclusivity(unchecked) public var count = 0
  @exclusivity(unchecked) public var fieldCount = 0
  /// All records in the block, wanted or not; the first one's ordinal in the segment.
  public var scanned = 0
  public var firstOrdinal: UInt64 = 0
  /// For each function, the scanned records that it had settled before.
  public var below: [UInt64] = []
  /// For each function, the records dropped as duplicates, where that is allowed; none that it had settled before.
  public var duplicates: [UInt64] = []
  /// True where every byte of every record so far lies in a frame whose checksum was verified.
  public var isProven = false
  /// True where the segment's own numbers rise, so far: a place to stop at in the middle of a segment.
  public var isRising = true
  /// True where some of them are left out, so far.
  public var hasGaps = false
  /// The successor of the last record's mark; the segment's progress.
  public var nextMark: UInt64 = 0
  /// Compressed bytes taken from the segment so far.
  public var compressedBytes: UInt64 = 0
  /// Compressed bytes at the segment's front that hold only records up to this block, to a frame's end; their CRC-64.
  public var prefixBytes: UInt64 = 0
  public var prefixDigest: UInt64 = 0
  /// The least of the records' own numbers so far, where they carry them.
  public var firstNumber: UInt64?
  public var segment: Segment
  /// The place of the segment's partition in the plan.
  @exclusivity(unchecked) public var partitionIndex: UInt32 = 0
  /// Of records that were gathered from several blocks: for each, its place in `origins`. Nil: all are of `segment`.
  @exclusivity(unchecked) public var gathered: UnsafePointer<UInt32>?
  @exclusivity(unchecked) public var origins: [Origin] = []
  /// What keeps the memory alive; the decoder's own.
  public var owner: AnyObject?

  public init(segment: Segment) {
    self.segment = segment
    let nothing = UnsafeRawPointer(Text.nothing)
    bytes = nothing.assumingMemoryBound(to: UInt8.self)
    fields = nothing.assumingMemoryBound(to: Slice.self)
    records = nothing.assumingMemoryBound(to: Slice.self)
    marks = nothing.assumingMemoryBound(to: UInt64.self)
    ordinals = nothing.assumingMemoryBound(to: UInt32.self)
    masks = nothing.assumingMemoryBound(to: UInt32.self)
  }

  /// The block that a gathered record comes from.
  public struct Origin {
    public let segment: Segment
    public let partitionIndex: UInt32
    public let firstOrdinal: UInt64

    public init(_ block: RecordBlock) {
      segment = block.segment
      partitionIndex = block.partitionIndex
      firstOrdinal = block.firstOrdinal
    }
  }

  @inlinable public func segment(of record: Int) -> Segment {
    gathered.map { origins[Int($0[record])].segment } ?? segment
  }
  @inlinable public func partitionIndex(of record: Int) -> UInt32 {
    gathered.map { origins[Int($0[record])].partitionIndex } ?? partitionIndex
  }
  /// The record's ordinal in its segment.
  @inlinable public func ordinal(of record: Int) -> UInt64 {
    (gathered.map { origins[Int($0[record])].firstOrdinal } ?? firstOrdinal) + UInt64(ordinals[record])
  }
  @inlinable public func position(at record: Int) -> Position { segment(of: record).position(mark: marks[record]) }

  /// The bytes of a slice, without the quotes where it is a string.
  @inlinable public func text(_ slice: Slice) -> Text {
    Text(start: UnsafeRawPointer(bytes) + Int(slice.offset), count: slice.count)
  }
}

extension RecordBlock {
  /// Copies a record over one before it. Only between the decoder, whose own memory this is, and whoever reads the block.
  public func move(_ record: Int, to place: Int) {
    UnsafeMutablePointer(mutating: fields + place * fieldCount).update(
      from: fields + record * fieldCount, count: fieldCount)
    UnsafeMutablePointer(mutating: records)[place] = records[record]
    UnsafeMutablePointer(mutating: marks)[place] = marks[record]
    UnsafeMutablePointer(mutating: ordinals)[place] = ordinals[record]
    UnsafeMutablePointer(mutating: masks)[place] = masks[record]
  }

  /// For each function, how many of the block's records are for it.
  public func wanted(functions: Int) -> [UInt64] {
    if functions == 1 { return [UInt64(count)] }
    var wanted = Array(repeating: UInt64(0), count: functions)
    for record in 0..<count {
      var bits = masks[record]
      while bits != 0 {
        wanted[bits.trailingZeroBitCount] += 1
        bits &= bits - 1
      }
    }
    return wanted
  }
}
