import ReplayCore

/// All frames of a compressed stream, one after another: any number, empty ones, skippable ones; the result does not
/// depend on how the input is cut into reads.
final class FrameStream: ByteStream {
  private let codec: Codec
  private let upstream: any CompressedInput
  private let inflater: any Inflater
  private let inflaters: Inflaters?
  private let maxWindowLog: Int
  private let segment: String
  private var input = UnsafeRawBufferPointer(start: nil, count: 0)
  /// Keeps the bytes alive that `input` points to where they were joined from two reads.
  private var joined: UnsafeMutableRawBufferPointer?
  private var inFrame = false
  /// True once there is no further frame.
  private(set) var atEnd = false
  private var consumed: UInt64
  private var frameStart: UInt64 = 0
  private var frames = 0
  private var framesWithoutChecksum = 0
  private var written: UInt64 = 0
  private var frameWritten: UInt64 = 0
  private(set) var provenBytes: UInt64 = 0
  private var ends = FrameEnds()

  /// Proves a frame by a pass of its own: answers once frame number `n` (from 0) was verified. Nil: not needed.
  var prove: ((Int) throws -> Void)?
  private var provenFrames = 0
  private let maxUnprovenBytes: UInt64

  /// `start`: the compressed byte that the upstream begins at.
  init(
    _ codec: Codec, upstream: any CompressedInput, segment: String, limits: DecodeLimits, start: UInt64 = 0,
    inflaters: Inflaters? = nil
  ) throws {
    self.codec = codec
    self.upstream = upstream
    self.segment = segment
    consumed = start
    maxUnprovenBytes = limits.maxUnprovenBytes
    maxWindowLog = limits.maxWindowLog
    let kind = Inflaters.Kind(codec: codec, maxWindowLog: limits.maxWindowLog)
    self.inflaters = inflaters
    inflater = try inflaters?.take(kind) ?? Inflaters.make(kind)
  }

  deinit {
    joined?.deallocate()
    inflaters?.give(inflater, Inflaters.Kind(codec: codec, maxWindowLog: maxWindowLog))
  }

  var compressedBytes: UInt64 { upstream.compressedBytes }
  var framesEnded: Int { inFrame ? frames - 1 : frames }
  var place: String { "\(codec.frameName) \(max(frames, 1)), which begins at compressed byte \(frameStart)" }

  func report(into summary: inout SegmentSummary) {
    upstream.report(into: &summary)
    summary.frames += frames
    summary.framesWithoutChecksum += framesWithoutChecksum
  }

  func read(into output: UnsafeMutableRawBufferPointer) throws -> Int {
    try read(into: output, enough: FrameStream.enough(of: output.count))
  }

  /// Bytes with which a read may stop behind a frame's end: more than half of what is asked for.
  static func enough(of asked: Int) -> Int { asked - asked / 2 + 1 }

  /// As `read(into:)`; tells what ended in it, and forgets it.
  func advance(into output: UnsafeMutableRawBufferPointer, enough: Int) throws -> FrameProgress {
    let before = written
    var progress = FrameProgress(count: try read(into: output, enough: enough))
    progress.ends = ends.takeAll()
    for place in progress.ends.indices { progress.ends[place].written -= before }
    progress.isProven = provenBytes == written
    progress.compressedBytes = consumed
    return progress
  }

  private func read(into output: UnsafeMutableRawBufferPointer, enough: Int) throws -> Int {
    var rest = output
    while !rest.isEmpty {
      if !inFrame, try !beginFrame() { break }
      let before = (input.count, rest.count)
      let step = Result { () throws(FrameFault) in try inflater.step(&input, &rest) }
      consumed += UInt64(before.0 - input.count)
      written += UInt64(before.1 - rest.count)
      frameWritten += UInt64(before.1 - rest.count)
      if case .failure(let fault) = step { throw damage(fault) }
      switch try step.get() {
      case .frameEnded:
        endFrame()
        if output.count - rest.count >= enough { return output.count - rest.count }
      case .outputFull: break
      case .needsInput:
        // A decompressor that still holds output may ask again without having taken anything.
        if input.isEmpty, before.1 == rest.count || before.0 == 0, try !refill() { throw truncated() }
      }
    }
    if inFrame, frameWritten > maxUnprovenBytes, frames > provenFrames, let prove {
      try prove(frames - 1)
      provenFrames = frames
    }
    if provenFrames == frames { provenBytes = written }
    return output.count - rest.count
  }

  func prefix(of bytes: UInt64) -> (bytes: UInt64, digest: UInt64) { ends.prefix(of: bytes) }

  private func endFrame() {
    inFrame = false
    provenBytes = written
    ends.add(
      FrameEnd(
        written: written, consumed: consumed, digest: upstream.digest(upTo: consumed),
        hasChecksum: inflater.frameHasChecksum))
    if !inflater.frameHasChecksum { framesWithoutChecksum += 1 }
  }

  /// Moves to the next frame's first byte; false at the stream's end.
  private func beginFrame() throws -> Bool {
    while true {
      if atEnd { return false }
      try lookAhead(5)
      if input.isEmpty { return end() }
      if Codec.isSkippable(input), codec == .zstd {
        try skipFrame()
        continue
      }
      if Codec(magic: input) == codec { break }
      if frames == 0 { throw truncated() }
      if codec == .gzip, try onlyZerosFollow() { return end() }
      throw garbage()
    }
    frameStart = consumed
    frameWritten = 0
    frames += 1
    inFrame = true
    do { try inflater.begin(header: input) } catch { throw damage(error) }
    return true
  }

  private func end() -> Bool {
    atEnd = true
    return false
  }

  private func skipFrame() throws {
    frameStart = consumed
    try lookAhead(8)
    guard input.count >= 8 else { throw truncated() }
    var left = UInt64(input.loadUnaligned(fromByteOffset: 4, as: UInt32.self).littleEndian) + 8
    while left > 0 {
      if input.isEmpty, try !refill() { throw truncated() }
      let step = min(left, UInt64(input.count))
      input = UnsafeRawBufferPointer(rebasing: input[Int(step)...])
      consumed += step
      left -= step
    }
  }

  /// Zero bytes up to the end of the file are padding that tape and block tools leave.
  private func onlyZerosFollow() throws -> Bool {
    let start = consumed
    while true {
      for byte in input where byte != 0 {
        frameStart = start
        return false
      }
      consumed += UInt64(input.count)
      input = UnsafeRawBufferPointer(start: nil, count: 0)
      if try !refill() { return true }
    }
  }

  private func refill() throws -> Bool {
    input = try upstream.nextChunk()
    return !input.isEmpty
  }

  /// Makes at least `count` bytes visible where there are as many.
  private func lookAhead(_ count: Int) throws {
    while input.count < count {
      let kept = Array(input)
      let chunk = try upstream.nextChunk()
      if kept.isEmpty { input = chunk } else { join(kept, chunk) }
      if chunk.isEmpty { return }
    }
  }

  /// The kept bytes and the new ones in one piece.
  private func join(_ kept: [UInt8], _ chunk: UnsafeRawBufferPointer) {
    let wider = UnsafeMutableRawBufferPointer.allocate(byteCount: kept.count + chunk.count, alignment: 16)
    wider.copyBytes(from: kept)
    UnsafeMutableRawBufferPointer(rebasing: wider[kept.count...]).copyMemory(from: chunk)
    joined?.deallocate()
    joined = wider
    input = UnsafeRawBufferPointer(wider)
  }
}

extension FrameStream {
  private func damage(_ fault: FrameFault) -> ReplayError {
    ReplayError(
      .data, "archive file is corrupt: \(segment)",
      details: [
        "\(place): \(fault.what)",
        "found at compressed byte \(consumed), after \(frameWritten) decompressed bytes of this \(codec.frameName)",
      ], next: fault.next ?? "fetch this file again, then run the same command")
  }

  private func truncated() -> ReplayError {
    ReplayError(
      .data, "archive file is truncated: \(segment)",
      details: [
        "\(place), is not finished where the file ends, at compressed byte \(consumed + UInt64(input.count))"
      ], next: "fetch this file again, then run the same command")
  }

  private func garbage() -> ReplayError {
    let shown = input.prefix(4).map { String($0, radix: 16) }.joined(separator: " ")
    return ReplayError(
      .data, "archive file has bytes that belong to nothing: \(segment)",
      details: [
        "after \(codec.frameName) \(frames), at compressed byte \(consumed): "
          + "expected another \(codec.frameName) or the end, found bytes \(shown)"
      ], next: "fetch this file again, then run the same command")
  }
}
