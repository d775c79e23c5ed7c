/// The end of one frame.
struct FrameEnd: Equatable {
  /// Decompressed bytes up to here.
  var written: UInt64
  /// Compressed bytes up to here, and their CRC-64 where the stream is the file's outermost.
  let consumed: UInt64
  let digest: UInt64?
  let hasChecksum: Bool
}

/// What one read brought, for whoever passes it on: frames that ended in it, and where the stream stands behind it.
struct FrameProgress {
  /// Bytes that were read.
  var count = 0
  /// Their `written` counts from the first byte of the read.
  var ends: [FrameEnd] = []
  /// True where all bytes up to here are proven, whether a frame ends here or not.
  var isProven = false
  var compressedBytes: UInt64 = 0
}

/// Frame ends behind the last prefix that was asked for.
struct FrameEnds {
  private var ends: [FrameEnd] = []
  private var lastPrefix: (bytes: UInt64, digest: UInt64) = (0, 0)

  mutating func add(_ end: FrameEnd) { ends.append(end) }

  /// As `ByteStream.prefix`.
  mutating func prefix(of bytes: UInt64) -> (bytes: UInt64, digest: UInt64) {
    let count = ends.prefix { $0.written <= bytes }.count
    for end in ends[..<count] {
      if let digest = end.digest { lastPrefix = (end.consumed, digest) }
    }
    ends.removeFirst(count)
    return lastPrefix
  }

  mutating func takeAll() -> [FrameEnd] {
    if ends.isEmpty { return [] }
    defer { ends = [] }
    return ends
  }
}
