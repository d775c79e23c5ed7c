import ReplayCore

/// Whole frames of a file that lie one behind the other, inflated by one thread at a time. The first run of a file is
/// the one being read; its end may not be known.
final class FrameRun {
  let start: UInt64
  let firstFrame: Int
  let input: RunInput
  // Behind the inflation's lock.
  var isTaken = false
  var chunks: [InflatedChunk] = []
  /// True once nothing is left to inflate.
  var isEnded = false
  /// Belongs to whoever has taken the run.
  var frames: FrameStream?

  init(start: UInt64, firstFrame: Int, of inflation: Inflation) {
    self.start = start
    self.firstFrame = firstFrame
    input = RunInput(inflation)
  }
}

/// The compressed bytes of one run: those that were read ahead, and behind them, as long as the run's end is not known,
/// what the file gives.
final class RunInput: CompressedInput {
  // Unowned because the inflation owns the run; whoever inflates a run holds the inflation.
  private unowned let inflation: Inflation
  // Behind the inflation's lock.
  private(set) var pieces: [(piece: CompressedPiece, range: Range<Int>)] = []
  var isWhole = false
  /// Keeps the bytes of the last call alive; belongs to whoever has taken the run.
  private var lent: CompressedPiece?

  init(_ inflation: Inflation) { self.inflation = inflation }

  func nextChunk() throws -> UnsafeRawBufferPointer {
    lent = nil
    return try inflation.nextChunk(for: self)
  }

  var compressedBytes: UInt64 { 0 }
  func digest(upTo end: UInt64) -> UInt64? { inflation.digest(upTo: end) }
  func report(into summary: inout SegmentSummary) {}

  func append(_ piece: CompressedPiece, _ range: Range<Int>) {
    if !range.isEmpty { pieces.append((piece, range)) }
  }

  func take() -> UnsafeRawBufferPointer? {
    if pieces.isEmpty { return nil }
    let (piece, range) = pieces.removeFirst()
    lent = piece
    return UnsafeRawBufferPointer(rebasing: piece.memory[range])
  }
}
