import CISAL

/// One gzip member at a time through ISA-L, which picks its kernel for the processor at run time and verifies CRC-32
/// and length at the member's end.
final class GzipInflater: Inflater {
  /// ISA-L's state is a C struct of some 90 KiB that must not move: hence a pointer.
  private let state: UnsafeMutablePointer<inflate_state>
  private var header = GzipHeader()
  let frameHasChecksum = true

  init() {
    state = .allocate(capacity: 1)
    isal_inflate_init(state)
  }

  deinit { state.deallocate() }

  func begin(header: UnsafeRawBufferPointer) throws(FrameFault) {
    isal_inflate_reset(state)
    state.pointee.crc_flag = UInt32(ISAL_GZIP_NO_HDR_VER)
    self.header = GzipHeader()
  }

  func step(_ input: inout UnsafeRawBufferPointer, _ output: inout UnsafeMutableRawBufferPointer)
    throws(FrameFault) -> InflateStep
  {
    guard try header.take(&input) else { return .needsInput }
    // ISA-L only reads through `next_in`; its type lacks the `const`.
    state.pointee.next_in = UnsafeMutablePointer(
      mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
    state.pointee.avail_in = UInt32(input.count)
    state.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    state.pointee.avail_out = UInt32(output.count)
    let result = isal_inflate(state)
    input = UnsafeRawBufferPointer(rebasing: input.suffix(Int(state.pointee.avail_in)))
    output = UnsafeMutableRawBufferPointer(rebasing: output.suffix(Int(state.pointee.avail_out)))
    guard result >= 0 else { throw fault(result) }
    if state.pointee.block_state == ISAL_BLOCK_FINISH { return .frameEnded }
    return state.pointee.avail_out == 0 ? .outputFull : .needsInput
  }

  private func fault(_ result: Int32) -> FrameFault {
    switch result {
    case ISAL_INCORRECT_CHECKSUM:
      let crc = "0x" + String(state.pointee.crc, radix: 16)
      return FrameFault(what: "the CRC-32 or the length of what was decompressed (\(crc)) is not what its trailer says")
    case ISAL_INVALID_BLOCK: return FrameFault(what: "a deflate block has an impossible header")
    case ISAL_INVALID_SYMBOL: return FrameFault(what: "a deflate block has an impossible symbol")
    case ISAL_INVALID_LOOKBACK: return FrameFault(what: "a deflate block refers to bytes before the start")
    default: return FrameFault(what: "the bytes are not a gzip member (ISA-L code \(result))")
    }
  }
}
