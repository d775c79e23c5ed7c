import ReplayCore

/// Decompressed bytes of one segment, in order, with what is proven of them so far.
protocol ByteStream: AnyObject {
  /// Fills `output` as far as there are bytes; 0 at the end. May stop early behind a frame's end.
  func read(into output: UnsafeMutableRawBufferPointer) throws -> Int
  /// How many of the bytes read so far lie in frames whose checksum was verified.
  var provenBytes: UInt64 { get }
  /// Compressed bytes taken from the source so far.
  var compressedBytes: UInt64 { get }
  func report(into summary: inout SegmentSummary)
  /// Where the stream stands, for an error about its content.
  var place: String { get }
  /// The longest piece of the file, from its start to a frame's end, that holds only the first `bytes` decompressed ones:
  /// its length and CRC-64. `bytes` may only grow from call to call.
  func prefix(of bytes: UInt64) -> (bytes: UInt64, digest: UInt64)
}

/// Where a stream of frames takes its compressed bytes from.
protocol CompressedInput: AnyObject {
  /// The next bytes where they lie; empty at the end. Valid until the next call.
  func nextChunk() throws -> UnsafeRawBufferPointer
  var compressedBytes: UInt64 { get }
  /// CRC-64 of the file's first `end` bytes; nil where the input is not the file's own bytes.
  func digest(upTo end: UInt64) -> UInt64?
  func report(into summary: inout SegmentSummary)
}

/// Limits of reading, each with its unit in its name. A limit that is reached is an error, never a truncation.
public struct DecodeLimits: Sendable {
  /// Decompressed bytes a block; a longer record makes its block longer.
  public var blockBytes = 512 << 10
  public var maxRecordBytes = 16 << 20
  /// The largest zstd window, as a power of two: 27 is 128 MiB.
  public var maxWindowLog = 27
  /// Decompressed bytes of one frame before it is proved by a pass of its own.
  public var maxUnprovenBytes: UInt64 = 1 << 30
  /// Layers of compression in one another.
  public var maxLayers = 4

  public init() {}
}

/// A file's own bytes, and a checksum over them.
final class FileStream: ByteStream {
  private let reader: any SegmentReader
  private var chunk = UnsafeRawBufferPointer(start: nil, count: 0)
  private var taken = 0
  /// Over the first `digested` bytes of the file; lags behind the chunk until somebody asks.
  private var digest = Digest()
  private var digested: UInt64 = 0
  private var chunkEnd: UInt64 = 0
  private(set) var compressedBytes: UInt64 = 0

  init(_ reader: any SegmentReader) { self.reader = reader }

  var provenBytes: UInt64 { compressedBytes }
  var place: String { "byte \(compressedBytes)" }
  func report(into summary: inout SegmentSummary) {
    digest(upTo: chunkEnd)
    summary.digest = digest.value
  }

  /// CRC-64 of the file's first `end` bytes; nil where that place is in an earlier chunk than the current one.
  @discardableResult func digest(upTo end: UInt64) -> UInt64? {
    let start = chunkEnd - UInt64(chunk.count)
    guard end >= digested, digested >= start, end <= chunkEnd else { return end == digested ? digest.value : nil }
    digest.add(UnsafeRawBufferPointer(rebasing: chunk[Int(digested - start)..<Int(end - start)]))
    digested = end
    return digest.value
  }

  private func nextFromReader() throws {
    digest(upTo: chunkEnd)
    chunk = try reader.next()
    chunkEnd += UInt64(chunk.count)
  }

  /// The next bytes where they lie; empty at the end. Valid until the next call.
  func nextChunk() throws -> UnsafeRawBufferPointer {
    if taken < chunk.count {
      defer { taken = chunk.count }
      let rest = UnsafeRawBufferPointer(rebasing: chunk[taken...])
      compressedBytes += UInt64(rest.count)
      return rest
    }
    try nextFromReader()
    taken = chunk.count
    compressedBytes += UInt64(chunk.count)
    return chunk
  }

  func prefix(of bytes: UInt64) -> (bytes: UInt64, digest: UInt64) { digest(upTo: bytes).map { (bytes, $0) } ?? (0, 0) }

  func read(into output: UnsafeMutableRawBufferPointer) throws -> Int {
    if taken == chunk.count {
      try nextFromReader()
      taken = 0
    }
    let count = min(output.count, chunk.count - taken)
    guard count > 0, let base = output.baseAddress, let from = chunk.baseAddress else { return 0 }
    base.copyMemory(from: from + taken, byteCount: count)
    taken += count
    compressedBytes += UInt64(count)
    return count
  }
}

/// A stream whose first bytes can be looked at before it is read; then either its content, or the compressed input of
/// the layer above it.
final class Layer: ByteStream, CompressedInput {
  private let inner: any ByteStream
  private let file: FileStream?
  private var head = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 16)
  private var headCount = 0
  private var headTaken = 0
  private var buffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)

  init(_ inner: any ByteStream) {
    self.inner = inner
    file = inner as? FileStream
  }

  deinit {
    head.deallocate()
    buffer.deallocate()
  }

  /// The stream's first bytes, at least four where there are as many.
  func peek() throws -> UnsafeRawBufferPointer {
    while headCount < 4 {
      let count = try inner.read(into: UnsafeMutableRawBufferPointer(rebasing: head[headCount...]))
      if count == 0 { break }
      headCount += count
    }
    return UnsafeRawBufferPointer(rebasing: head[..<headCount])
  }

  func read(into output: UnsafeMutableRawBufferPointer) throws -> Int {
    guard headTaken < headCount else { return try inner.read(into: output) }
    let count = min(output.count, headCount - headTaken)
    output.copyMemory(from: UnsafeRawBufferPointer(rebasing: head[headTaken..<headTaken + count]))
    headTaken += count
    return count
  }

  /// The next bytes where they lie; empty at the end. Valid until the next call.
  func nextChunk() throws -> UnsafeRawBufferPointer {
    if headTaken < headCount {
      defer { headTaken = headCount }
      return UnsafeRawBufferPointer(rebasing: head[headTaken..<headCount])
    }
    if let file { return try file.nextChunk() }
    if buffer.isEmpty { buffer = .allocate(byteCount: 256 << 10, alignment: 16) }
    let count = try inner.read(into: buffer)
    return UnsafeRawBufferPointer(rebasing: buffer[..<count])
  }

  var provenBytes: UInt64 { inner.provenBytes }
  var compressedBytes: UInt64 { inner.compressedBytes }
  var place: String { inner.place }
  func prefix(of bytes: UInt64) -> (bytes: UInt64, digest: UInt64) { inner.prefix(of: bytes) }
  /// CRC-64 of the file's first `end` bytes, where this layer is the file's own.
  func digest(upTo end: UInt64) -> UInt64? { file?.digest(upTo: end) }
  func report(into summary: inout SegmentSummary) { inner.report(into: &summary) }
}
