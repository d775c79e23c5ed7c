import ReplayCore

/// Opens a segment's bytes through as many layers of compression as its content shows.
enum OpenStream {
  static func open(_ segment: SegmentEntry, in source: any SegmentSource, limits: DecodeLimits) throws
    -> (stream: any ByteStream, codecs: [Codec])
  {
    var layer = Layer(FileStream(try source.open(segment)))
    var codecs: [Codec] = []
    while true {
      let codec = Codec(magic: try layer.peek())
      if codec == .none { return (layer, codecs) }
      guard codecs.count < limits.maxLayers else {
        throw ReplayError(
          .data, "archive file is compressed in more than \(limits.maxLayers) layers: \(segment.name)",
          next: "leave this file out, or unpack it")
      }
      let frames = try FrameStream(codec, upstream: layer, segment: segment.name, limits: limits)
      if codecs.isEmpty {
        frames.prove = { frame in try prove(frame, of: segment, in: source, limits: limits) }
      }
      codecs.append(codec)
      layer = Layer(frames)
    }
  }

  /// Decompresses the segment again up to the end of a frame, keeping nothing, so that its checksum is verified.
  private static func prove(
    _ frame: Int, of segment: SegmentEntry, in source: any SegmentSource, limits: DecodeLimits
  ) throws {
    let layer = Layer(FileStream(try source.open(segment)))
    let codec = Codec(magic: try layer.peek())
    let frames = try FrameStream(codec, upstream: layer, segment: segment.name, limits: limits)
    let scrap = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { scrap.deallocate() }
    while frames.framesEnded <= frame, try frames.read(into: scrap) > 0 {}
  }
}

/// Decompression and nothing else: the ceiling that a replay is measured against.
public enum DecompressOnly {
  /// Reads the whole segment through every layer, verifies its checksums and returns its decompressed bytes.
  public static func run(
    _ segment: SegmentEntry, in source: any SegmentSource, limits: DecodeLimits = DecodeLimits()
  ) throws -> UInt64 {
    let stream = try OpenStream.open(segment, in: source, limits: limits).stream
    let scrap = UnsafeMutableRawBufferPointer.allocate(byteCount: limits.blockBytes, alignment: 16)
    defer { scrap.deallocate() }
    var bytes: UInt64 = 0
    while true {
      let count = try stream.read(into: scrap)
      if count == 0 { return bytes }
      bytes += UInt64(count)
    }
  }
}
