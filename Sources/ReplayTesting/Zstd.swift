import CZstd

/// Writes zstd with libzstd.
public enum Zstd {
  /// One frame. `windowLog` makes its header ask for a window of that power of two, whatever the content's size.
  public static func frame(
    _ bytes: some Collection<UInt8>, checksum: Bool = true, windowLog: Int32? = nil, level: Int32 = 3
  ) -> [UInt8] {
    guard let context = ZSTD_createCCtx() else { preconditionFailure("zstd has no memory") }
    defer { ZSTD_freeCCtx(context) }
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checksum ? 1 : 0)
    if let windowLog {
      ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)
      ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, windowLog)
    }
    let input = Array(bytes)
    let room = ZSTD_compressBound(input.count) + 64
    return input.withUnsafeBytes { from in
      [UInt8](unsafeUninitializedCapacity: room) { to, count in
        var source = ZSTD_inBuffer(src: from.baseAddress, size: from.count, pos: 0)
        var target = ZSTD_outBuffer(dst: to.baseAddress, size: room, pos: 0)
        // In two steps, so that the size is not known when the header is written: else it shrinks the window.
        if windowLog != nil { run(context, &target, &source, ZSTD_e_flush) }
        run(context, &target, &source, ZSTD_e_end)
        count = target.pos
      }
    }
  }

  public static func frame(_ text: String, checksum: Bool = true) -> [UInt8] {
    frame(Array(text.utf8), checksum: checksum)
  }

  /// A frame that readers must pass over; `kind` is 0 to 15.
  public static func skippable(_ content: [UInt8], kind: UInt8 = 0) -> [UInt8] {
    precondition(kind < 16, "there are sixteen kinds of skippable frames")
    let size = UInt32(content.count)
    return [0x50 | kind, 0x2a, 0x4d, 0x18] + (0..<4).map { UInt8(truncatingIfNeeded: size >> ($0 * 8)) } + content
  }

  private static func run(
    _ context: OpaquePointer, _ target: inout ZSTD_outBuffer, _ source: inout ZSTD_inBuffer, _ end: ZSTD_EndDirective
  ) {
    let left = ZSTD_compressStream2(context, &target, &source, end)
    precondition(left == 0, "zstd did not finish: \(String(cString: ZSTD_getErrorName(left)))")
  }
}
