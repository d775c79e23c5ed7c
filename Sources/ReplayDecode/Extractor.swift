import CDecode
import ReplayCore

/// The C++ extractor, set up for one read of the archive. One a thread.
final class Extractor {
  let handle: OpaquePointer
  let functionCount: Int
  private let fieldCount: Int
  private let maxRecordBytes: Int

  init(_ extraction: Extraction, limits: DecodeLimits, dropDuplicates: Bool) {
    maxRecordBytes = limits.maxRecordBytes
    functionCount = extraction.functions.count
    fieldCount = extraction.fields.count
    handle = replay_extractor_create(UInt32(functionCount))
    for field in extraction.fields {
      guard !field.members.isEmpty else {
        replay_extractor_add_field(handle, nil, 0)
        continue
      }
      Extractor.withTexts(field.members) { replay_extractor_add_field(handle, $0, $1) }
    }
    if let position = extraction.anatomy.position {
      Extractor.withTexts(position.members) { replay_extractor_set_position(handle, $0, $1) }
    }
    for (index, function) in extraction.functions.enumerated() {
      for condition in function.conditions {
        Extractor.withTexts(condition.values) {
          replay_extractor_add_condition(handle, UInt32(index), UInt32(condition.field), $0, $1)
        }
      }
    }
    replay_extractor_drop_duplicates(handle, dropDuplicates)
  }

  deinit { replay_extractor_destroy(handle) }

  /// Lends the strings as C texts for one call.
  private static func withTexts(_ strings: [String], _ body: (UnsafePointer<replay_text>, Int) -> Void) {
    var joined: [CChar] = []
    var ranges: [Range<Int>] = []
    for string in strings {
      let bytes = string.utf8.map { CChar(bitPattern: $0) }
      ranges.append(joined.count..<joined.count + bytes.count)
      joined += bytes
    }
    joined.append(0)
    joined.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      let texts = ranges.map { replay_text(start: base + $0.lowerBound, length: $0.count) }
      texts.withUnsafeBufferPointer { lent in
        if let first = lent.baseAddress { body(first, lent.count) }
      }
    }
  }

  /// Runs the C++ pass over the first `length` bytes of the storage and points `block` at the result. False on a fault,
  /// which `call` then describes; what is before it is in the block.
  func extract(
    _ storage: BlockStorage, length: Int, framing: Framing, firstOrdinal: UInt64, range: SegmentRange,
    into block: RecordBlock, _ call: inout replay_block
  ) -> Bool {
    call = replay_block()
    call.output = storage.output
    call.bytes = storage.bytes
    call.length = length
    call.scratch = storage.fill + REPLAY_PADDING
    call.capacity = storage.capacity
    call.framing = framing.code
    call.first_ordinal = firstOrdinal
    call.until_ordinal = range.untilOrdinal
    call.max_record_bytes = maxRecordBytes
    let good = range.from.withUnsafeBufferPointer { from in
      call.from = from.baseAddress
      return replay_extract(handle, &call)
    }
    storage.used = max(storage.fill, call.scratch_end) + REPLAY_PADDING
    block.bytes = UnsafePointer(storage.bytes)
    // `Slice` and `replay_slice` are both two 32-bit words.
    block.fields = UnsafeRawPointer(call.fields).assumingMemoryBound(to: Slice.self)
    block.records = UnsafeRawPointer(call.records).assumingMemoryBound(to: Slice.self)
    block.marks = call.marks
    block.masks = call.masks
    block.ordinals = call.ordinals
    block.fieldCount = fieldCount
    block.count = call.count
    block.scanned = call.scanned
    block.firstOrdinal = firstOrdinal
    block.duplicates = (0..<functionCount).map { replay_extractor_duplicates(handle, UInt32($0)) }
    block.nextMark = call.next_mark
    block.below = (0..<functionCount).map { replay_extractor_below(handle, UInt32($0)) }
    return good
  }
}

extension Framing {
  var code: replay_framing {
    switch self {
    case .lines: REPLAY_LINES
    case .concatenated: REPLAY_CONCATENATED
    case .array: REPLAY_ARRAY
    }
  }
}
