import ReplayCore

/// The reader's end of an inflation: the same bytes in the same reads, proven at the same places, as a `FrameStream`
/// alone would give, whoever inflated them.
///
/// A fault that is met while others help is not told from where it was met: the file is read again from its start by a
/// plain stream, in reads of the same sizes, and what that finds is told. So errors are the same to the byte, and
/// speed is lost only where a file is damaged.
final class AheadStream: ByteStream {
  private let inflation: Inflation
  private let ahead: ReadAhead
  private let reopen: () throws -> FrameStream
  private var plain: FrameStream?
  /// Sizes of all reads so far.
  private var asked: [Int] = []
  private var chunk: InflatedChunk?
  private var takenOfChunk = 0
  private var endsOfChunk = 0

  private var written: UInt64 = 0
  private var proven: UInt64 = 0
  private var consumed: UInt64 = 0
  private var ends = FrameEnds()
  private var framesEnded = 0
  private var framesWithoutChecksum = 0
  private var isInFrame = false

  init(_ inflation: Inflation, _ ahead: ReadAhead, reopen: @escaping () throws -> FrameStream) {
    self.inflation = inflation
    self.ahead = ahead
    self.reopen = reopen
    ahead.add(inflation)
  }

  deinit { leave() }

  private func leave() {
    inflation.close()
    ahead.remove(inflation)
  }

  var provenBytes: UInt64 { plain?.provenBytes ?? proven }
  var compressedBytes: UInt64 { plain?.compressedBytes ?? consumed }
  var place: String { plain?.place ?? "frame \(framesEnded + 1)" }

  func prefix(of bytes: UInt64) -> (bytes: UInt64, digest: UInt64) {
    plain?.prefix(of: bytes) ?? ends.prefix(of: bytes)
  }

  func report(into summary: inout SegmentSummary) {
    if let plain { return plain.report(into: &summary) }
    inflation.report(into: &summary)
    summary.frames += framesEnded + (isInFrame ? 1 : 0)
    summary.framesWithoutChecksum += framesWithoutChecksum
  }

  func read(into output: UnsafeMutableRawBufferPointer) throws -> Int {
    if let plain { return try plain.read(into: output) }
    guard let count = try inflate(into: output) else { return try startOver(output) }
    asked.append(output.count)
    return count
  }

  /// Fills the output as `FrameStream.read` would; nil where the inflation failed.
  private func inflate(into output: UnsafeMutableRawBufferPointer) throws -> Int? {
    let enough = FrameStream.enough(of: output.count)
    var count = 0
    while count < output.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: output[count...])
      if let chunk {
        let stops = serve(chunk, into: output, &count, enough)
        if takenOfChunk == chunk.progress.count, endsOfChunk == chunk.progress.ends.count { leave(chunk) }
        if stops { break }
        continue
      }
      switch try inflation.take(into: rest, enough: enough - count) {
      case .chunk(let next):
        chunk = next
        (takenOfChunk, endsOfChunk) = (0, 0)
      case .inflated(let progress):
        for end in progress.ends { note(end, at: written + end.written) }
        let isBehindFrame = progress.ends.last.map { $0.written == progress.count } ?? false
        count += progress.count
        pass(progress.count, isBehindFrame: isBehindFrame)
        settle(progress)
        if isBehindFrame, count >= enough { return count }
      case .end: return count
      case .failed: return nil
      }
    }
    return count
  }

  /// Copies from the chunk until it or the room ends; true where the read ends behind a frame.
  private func serve(
    _ chunk: InflatedChunk, into output: UnsafeMutableRawBufferPointer, _ count: inout Int, _ enough: Int
  ) -> Bool {
    let progress = chunk.progress
    while true {
      let end = endsOfChunk < progress.ends.count ? progress.ends[endsOfChunk] : nil
      let limit = end.map { Int($0.written) } ?? progress.count
      let step = min(output.count - count, limit - takenOfChunk)
      let from = UnsafeRawBufferPointer(rebasing: chunk.memory[takenOfChunk..<takenOfChunk + step])
      UnsafeMutableRawBufferPointer(rebasing: output[count..<count + step]).copyMemory(from: from)
      count += step
      takenOfChunk += step
      pass(step, isBehindFrame: false)
      guard takenOfChunk == limit, let end else { return false }
      note(end, at: written)
      isInFrame = false
      endsOfChunk += 1
      if count >= enough { return true }
    }
  }

  private func pass(_ count: Int, isBehindFrame: Bool) {
    written += UInt64(count)
    isInFrame = !isBehindFrame && (isInFrame || count > 0)
  }

  private func note(_ end: FrameEnd, at place: UInt64) {
    var end = end
    end.written = place
    ends.add(end)
    proven = place
    framesEnded += 1
    if !end.hasChecksum { framesWithoutChecksum += 1 }
  }

  private func leave(_ chunk: InflatedChunk) {
    settle(chunk.progress)
    self.chunk = nil
  }

  private func settle(_ progress: FrameProgress) {
    if progress.isProven { proven = written }
    consumed = progress.compressedBytes
  }

  /// Reads everything again, alone, up to where this read begins, and then this read.
  private func startOver(_ output: UnsafeMutableRawBufferPointer) throws -> Int {
    leave()
    chunk = nil
    let plain = try reopen()
    self.plain = plain
    let scrap = UnsafeMutableRawBufferPointer.allocate(byteCount: asked.max() ?? 1, alignment: 16)
    defer { scrap.deallocate() }
    for size in asked { _ = try plain.read(into: UnsafeMutableRawBufferPointer(rebasing: scrap[..<size])) }
    return try plain.read(into: output)
  }
}
