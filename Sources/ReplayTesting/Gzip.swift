import CZlib

/// Writes gzip with zlib: another library than the one that replay reads with.
public enum Gzip {
  /// One member. `level` 0 stores, 9 is smallest.
  public static func member(_ bytes: some Collection<UInt8>, level: Int32 = 6) -> [UInt8] {
    var stream = z_stream()
    // Window bits above 15 ask for a gzip wrapper.
    let begun = deflateInit2_(
      &stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(begun == Z_OK, "zlib has no memory")
    defer { deflateEnd(&stream) }
    var input = Array(bytes)
    let room = Int(deflateBound(&stream, UInt(input.count))) + 64
    return input.withUnsafeMutableBufferPointer { from in
      [UInt8](unsafeUninitializedCapacity: room) { to, count in
        stream.next_in = from.baseAddress
        stream.avail_in = UInt32(from.count)
        stream.next_out = to.baseAddress
        stream.avail_out = UInt32(room)
        let ended = deflate(&stream, Z_FINISH)
        precondition(ended == Z_STREAM_END, "zlib did not finish")
        count = room - Int(stream.avail_out)
      }
    }
  }

  public static func member(_ text: String, level: Int32 = 6) -> [UInt8] { member(Array(text.utf8), level: level) }
}
