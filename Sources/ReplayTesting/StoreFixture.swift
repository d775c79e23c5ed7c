import ReplayCore

/// A function that only has tables: what `open` needs of one.
struct StoreFunction: Projection {
  var name = "books"
  var version = 1
  var tables: [any Table]
  var reads: Reads { Reads() }

  func apply(_ batch: Batch, _ changes: Changes) throws {}
}

/// Numbers by chance that are the same for the same seed (SplitMix64).
struct StoreRandom: RandomNumberGenerator {
  var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word >> 31)
  }
}

/// Keeps the bytes of texts made from strings.
final class StoreTexts {
  private let arena = Arena()

  func text(_ string: String) -> Text {
    Array(string.utf8).withUnsafeBytes { Text(start: arena.copy(Text($0)), count: $0.count) }
  }
}

/// Lends the rows of each key in turn, asked for as a projection asks: with an event, here a hand-made one.
func eachKey(_ keys: [String], of rows: KeyedRows, _ body: (KeyRows) throws -> Void) throws {
  let bytes = keys.flatMap { Array($0.utf8) }
  var fields: [Slice] = []
  var offset = 0
  for key in keys {
    let count = key.utf8.count
    fields.append(Slice(offset: UInt32(offset), tail: UInt32(count) | Slice.Kind.string.rawValue << 28))
    offset += count
  }
  let segment = Segment(
    entry: SegmentEntry(name: "made", size: UInt64(bytes.count), version: ""),
    partition: Partition(log: "made", id: "0"), numbering: .counted(from: WideNumber(low: 0)))
  let block = RecordBlock(segment: segment)
  block.count = keys.count
  block.fieldCount = 1
  let masks = [UInt32](repeating: 1, count: keys.count)
  try bytes.withUnsafeBufferPointer { bytes in
    try fields.withUnsafeBufferPointer { fields in
      try masks.withUnsafeBufferPointer { masks in
        guard let start = bytes.baseAddress, let slices = fields.baseAddress, let bits = masks.baseAddress else {
          return
        }
        block.bytes = start
        block.fields = slices
        block.records = slices
        block.masks = bits
        var column = 0
        let batch = Batch(block: block, columns: &column, mask: 1, keyColumn: 0)
        try withExtendedLifetime(block) { for event in batch { try body(rows[event]) } }
      }
    }
  }
}
