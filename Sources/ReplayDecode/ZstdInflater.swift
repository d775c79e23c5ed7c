import CZstd

/// One zstd frame at a time through libzstd, which verifies the content checksum where the frame has one.
final class ZstdInflater: Inflater {
  private let stream: OpaquePointer
  private let maxWindowLog: Int
  private(set) var frameHasChecksum = false

  init(maxWindowLog: Int) throws(FrameFault) {
    guard let stream = ZSTD_createDStream() else { throw FrameFault(what: "no memory for a zstd decompressor") }
    self.stream = stream
    self.maxWindowLog = maxWindowLog
    ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, Int32(maxWindowLog))
  }

  deinit { ZSTD_freeDStream(stream) }

  func begin(header: UnsafeRawBufferPointer) throws(FrameFault) {
    ZSTD_DCtx_reset(stream, ZSTD_reset_session_only)
    // The fifth byte is the frame header descriptor; its bit 2 says whether a content checksum ends the frame.
    frameHasChecksum = header.count > 4 && header[4] & 0x04 != 0
  }

  func step(_ input: inout UnsafeRawBufferPointer, _ output: inout UnsafeMutableRawBufferPointer)
    throws(FrameFault) -> InflateStep
  {
    var from = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
    var to = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
    let result = ZSTD_decompressStream(stream, &to, &from)
    input = UnsafeRawBufferPointer(rebasing: input[from.pos...])
    output = UnsafeMutableRawBufferPointer(rebasing: output[to.pos...])
    if ZSTD_isError(result) != 0 { throw fault(result) }
    if result == 0 { return .frameEnded }
    return output.isEmpty ? .outputFull : .needsInput
  }

  private func fault(_ result: Int) -> FrameFault {
    switch ZSTD_getErrorCode(result) {
    case ZSTD_error_frameParameter_windowTooLarge:
      return FrameFault(
        what: "it needs a window above the limit of 2^\(maxWindowLog) bytes",
        next: "run again with --max-window-log \(maxWindowLog + 1) or more, if the memory is there")
    case ZSTD_error_checksum_wrong:
      return FrameFault(what: "the checksum of what was decompressed is not what the frame says")
    default:
      return FrameFault(what: "its bytes are damaged (zstd: \(String(cString: ZSTD_getErrorName(result))))")
    }
  }
}
