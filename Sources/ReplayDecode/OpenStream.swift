import ReplayCore

/// Opens a segment's bytes through as many layers of compression as its content shows.
enum OpenStream {
  /// `ahead`: where idle threads find what they can do for this segment.
  static func open(
    _ segment: SegmentEntry, in source: any SegmentSource, limits: DecodeLimits, ahead: ReadAhead? = nil
  ) throws -> (stream: any ByteStream, codecs: [Codec]) {
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
      let stream: any ByteStream =
        if let ahead, codecs.isEmpty {
          inflated(layer, codec, segment, source, limits, ahead)
        } else {
          try frames(codec, layer, segment, codecs.isEmpty ? source : nil, limits)
        }
      codecs.append(codec)
      layer = Layer(stream)
    }
  }

  /// The frames of one layer. `source`: where a large frame can be proved by a pass of its own.
  private static func frames(
    _ codec: Codec, _ input: any CompressedInput, _ segment: SegmentEntry, _ source: (any SegmentSource)?,
    _ limits: DecodeLimits, start: UInt64 = 0, firstFrame: Int = 0, inflaters: Inflaters? = nil
  ) throws -> FrameStream {
    let frames = try FrameStream(
      codec, upstream: input, segment: segment.name, limits: limits, start: start, inflaters: inflaters)
    if let source {
      frames.prove = { frame in try prove(firstFrame + frame, of: segment, in: source, limits: limits) }
    }
    return frames
  }

  /// The frames of the file's own layer, which idle threads may inflate too.
  private static func inflated(
    _ layer: Layer, _ codec: Codec, _ segment: SegmentEntry, _ source: any SegmentSource, _ limits: DecodeLimits,
    _ ahead: ReadAhead
  ) -> AheadStream {
    let inflation = Inflation(layer, codec, ahead) { run in
      try frames(
        codec, run.input, segment, source, limits, start: run.start, firstFrame: run.firstFrame,
        inflaters: ahead.inflaters)
    }
    return AheadStream(inflation, ahead) {
      let layer = Layer(FileStream(try source.open(segment)))
      // As the first time: what is looked at comes in a read of its own.
      return try frames(Codec(magic: try layer.peek()), layer, segment, source, limits)
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
  /// Reads the whole segment through every layer, verifies its checksums and returns its decompressed bytes. Threads
  /// without a segment may help where they share its `ahead`.
  public static func run(
    _ segment: SegmentEntry, in source: any SegmentSource, limits: DecodeLimits = DecodeLimits(),
    ahead: ReadAhead? = nil
  ) throws -> UInt64 {
    let stream = try OpenStream.open(segment, in: source, limits: limits, ahead: ahead).stream
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
