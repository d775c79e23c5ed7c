import ReplayCore

/// Events of one function, held back by parts of the key space, until a part has enough of them to be applied in one go.
///
/// The rows of very many keys do not fit the processor's cache, and events come to them in no order: each waits for
/// memory several times. The rows of one part do fit, and many of its events find them there. Events of one key are in
/// one part, in their order; that is all that a function is promised.
///
/// Unsafe pointers: events are copied here by the million a second, and read by `Batch`.
final class HeldEvents {
  /// Takes events of one part, as a block whose records hold the declared fields and nothing else.
  typealias Apply = (RecordBlock, _ columns: UnsafePointer<Int>, _ keyColumn: Int) throws -> Void

  /// One part of the key space; memory for `eventLimit` events, taken when the first one comes.
  private struct Part {
    var count = 0
    var byteCount = 0
    var capacity = 0
    var bytes: UnsafeMutablePointer<UInt8>?
    var slices: UnsafeMutablePointer<Slice>?
    var marks: UnsafeMutablePointer<UInt64>?
    var ordinals: UnsafeMutablePointer<UInt32>?
    var origins: UnsafeMutablePointer<UInt32>?
  }

  private static let partCount = 64
  private static let eventLimit = 2048
  /// Bytes of an event's fields that a part begins with room for.
  private static let eventBytes = 64
  /// Blocks that events come from, until all parts are applied: each is remembered.
  private static let originLimit = 1 << 14

  private var parts: UnsafeMutablePointer<Part>
  private let apply: Apply
  /// The places that are copied, in the blocks that come; and in the blocks that are handed on, where they are.
  private let copied: [Int]
  private let columns: [Int]
  private let keyColumn: Int
  private let masks: UnsafeMutablePointer<UInt32>
  private var block: RecordBlock?
  private(set) var byteCount = 0

  /// `columns` and `keyColumn`: places of the function's fields and of the partition key in the blocks that come.
  init(columns: [Int], keyColumn: Int, apply: @escaping Apply) {
    let isDeclared = columns.contains(keyColumn)
    copied = isDeclared ? columns : columns + [keyColumn]
    self.columns = Array(copied.indices)
    self.keyColumn = copied.firstIndex(of: keyColumn) ?? 0
    self.apply = apply
    parts = .allocate(capacity: HeldEvents.partCount)
    parts.initialize(repeating: Part(), count: HeldEvents.partCount)
    masks = .allocate(capacity: HeldEvents.eventLimit)
    masks.initialize(repeating: .max, count: HeldEvents.eventLimit)
  }

  deinit {
    drop()
    parts.deallocate()
    masks.deallocate()
  }

  /// Holds the block's records of `mask`, or those of the selection in it; applies the parts that are full.
  func take(_ block: RecordBlock, _ selection: UnsafeBufferPointer<UInt32>?, mask: UInt32) throws {
    let held = self.block ?? RecordBlock(segment: block.segment)
    self.block = held
    if held.origins.count >= HeldEvents.originLimit { try flush() }
    let origin = UInt32(held.origins.count)
    held.origins.append(RecordBlock.Origin(block))
    for place in 0..<(selection?.count ?? block.count) {
      let record = selection.map { Int($0[place]) } ?? place
      guard block.masks[record] & mask != 0 else { continue }
      let fields = block.fields + record * block.fieldCount
      let key = block.text(fields[copied[keyColumn]])
      // The lowest bits find a key's slot, the highest ones its lane.
      let part = parts + Int(truncatingIfNeeded: KeyHash.hash(key) >> 32) & (HeldEvents.partCount - 1)
      try hold(record, of: block, fields, origin, in: part)
    }
  }

  private func hold(
    _ record: Int, of block: RecordBlock, _ fields: UnsafePointer<Slice>, _ origin: UInt32,
    in part: UnsafeMutablePointer<Part>
  ) throws {
    var size = 0
    for column in copied { size += fields[column].count }
    let isFull = part.pointee.count == HeldEvents.eventLimit || part.pointee.byteCount + size > part.pointee.capacity
    // An event whose fields are all empty wants a place too.
    if isFull || part.pointee.bytes == nil {
      try flush(part)
      reserve(size, in: part)
    }
    let place = part.pointee.count
    var end = part.pointee.byteCount
    let (bytes, slices) = (part.pointee.bytes.unsafelyUnwrapped, part.pointee.slices.unsafelyUnwrapped)
    var slice = slices + place * copied.count
    for column in copied {
      let field = fields[column]
      slice.pointee = Slice(offset: UInt32(end), tail: field.tail)
      (bytes + end).update(from: block.bytes + Int(field.offset), count: field.count)
      end += field.count
      slice += 1
    }
    part.pointee.byteCount = end
    part.pointee.marks.unsafelyUnwrapped[place] = block.marks[record]
    part.pointee.ordinals.unsafelyUnwrapped[place] = block.ordinals[record]
    part.pointee.origins.unsafelyUnwrapped[place] = origin
    part.pointee.count = place + 1
  }

  /// Applies all that is held, and gives the memory back.
  func settle() throws {
    try flush()
    drop()
  }

  private func flush() throws {
    for part in 0..<HeldEvents.partCount { try flush(parts + part) }
    block?.origins.removeAll(keepingCapacity: true)
  }

  private func flush(_ part: UnsafeMutablePointer<Part>) throws {
    let held = part.pointee
    guard held.count > 0, let block else { return }
    block.bytes = UnsafePointer(held.bytes.unsafelyUnwrapped)
    block.fields = UnsafePointer(held.slices.unsafelyUnwrapped)
    block.fieldCount = copied.count
    block.marks = UnsafePointer(held.marks.unsafelyUnwrapped)
    block.ordinals = UnsafePointer(held.ordinals.unsafelyUnwrapped)
    block.gathered = UnsafePointer(held.origins.unsafelyUnwrapped)
    block.masks = UnsafePointer(masks)
    block.count = held.count
    part.pointee.count = 0
    part.pointee.byteCount = 0
    try columns.withUnsafeBufferPointer { try apply(block, $0.baseAddress.unsafelyUnwrapped, keyColumn) }
  }

  /// Makes room in an empty part for its first events, one of which has `size` bytes.
  private func reserve(_ size: Int, in part: UnsafeMutablePointer<Part>) {
    let limit = HeldEvents.eventLimit
    if part.pointee.bytes == nil {
      part.pointee.slices = .allocate(capacity: limit * copied.count)
      part.pointee.marks = .allocate(capacity: limit)
      part.pointee.ordinals = .allocate(capacity: limit)
      part.pointee.origins = .allocate(capacity: limit)
      byteCount += limit * (copied.count * MemoryLayout<Slice>.stride + 16)
    }
    let wanted = max(size, limit * HeldEvents.eventBytes)
    guard wanted > part.pointee.capacity else { return }
    part.pointee.bytes?.deallocate()
    part.pointee.bytes = .allocate(capacity: wanted)
    byteCount += wanted - part.pointee.capacity
    part.pointee.capacity = wanted
  }

  private func drop() {
    for place in 0..<HeldEvents.partCount {
      let part = parts[place]
      part.bytes?.deallocate()
      part.slices?.deallocate()
      part.marks?.deallocate()
      part.ordinals?.deallocate()
      part.origins?.deallocate()
      parts[place] = Part()
    }
    byteCount = 0
  }
}
