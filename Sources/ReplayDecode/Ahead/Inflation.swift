import ReplayCore

/// A compressed file that is inflated by its reader and by whoever helps. What lies ahead of the reader is cut into runs
/// of whole frames (zstd says where they end without being decompressed; of gzip there is one run); each is inflated by
/// one thread at a time, a chunk at a time, and read in order.
///
/// Any fault, in the file or of its source, only sets `failed`: the reader then reads anew by itself and tells the fault
/// as it finds it.
final class Inflation: @unchecked Sendable {
  // `@unchecked Sendable`: all state is behind the lock, but for what belongs to who has taken a run (its frames and
  // the chunk being filled) or to who pulls (the file's layer and the walk); both are handed on under the lock.

  /// Chunks that may lie ready in the run being read, whatever else is held.
  static let maxCurrentChunks = 16

  private let lock = WorkLock()
  private let ahead: ReadAhead
  private let make: (FrameRun) throws -> FrameStream
  private var runs: [FrameRun] = []
  /// True once somebody helps: until then bytes are inflated where the source lends them.
  private var isHelped = false
  private var isClosed = false
  private var failed = false

  // Pulling: reading on in the file.
  private let layer: Layer
  /// Where ends of frames can be found ahead. The walk itself belongs to who pulls.
  private let findsEnds: Bool
  private var walk = FrameWalk()
  private var isLost = false
  private var isPulling = false
  private var isAtEnd = false
  /// True once pieces are kept, so that reading on does not take the bytes away from who inflates.
  private var keeps = false
  private var pulledBytes: UInt64 = 0
  private var pulledFrames = 0
  private var queuedBytes = 0
  /// CRC-64 of the file up to the ends of frames that were pulled and not inflated yet.
  private var digests: [UInt64: UInt64] = [:]

  /// `make`: a stream of the frames of a run.
  init(_ layer: Layer, _ codec: Codec, _ ahead: ReadAhead, make: @escaping (FrameRun) throws -> FrameStream) {
    self.layer = layer
    self.ahead = ahead
    self.make = make
    findsEnds = codec == .zstd
    runs = [FrameRun(start: 0, firstFrame: 0, of: self)]
  }

  /// What the reader gets next.
  enum Taken {
    case chunk(InflatedChunk)
    /// Inflated into the reader's own memory.
    case inflated(FrameProgress)
    case end
    case failed
  }

  /// Gets the reader on: a chunk that lies ready, or else bytes inflated into `output`. While another thread is at the
  /// frames that come next, this one works ahead too.
  func take(into output: UnsafeMutableRawBufferPointer, enough: Int) throws -> Taken {
    try lock.locked {
      while true {
        if failed { return .failed }
        let run = runs[0]
        if !run.chunks.isEmpty { return .chunk(run.chunks.removeFirst()) }
        if run.isEnded {
          if runs.count == 1 { return .end }
          runs.removeFirst()
        } else if !run.isTaken {
          do { return .inflated(try advance(run) { try $0.advance(into: output, enough: enough) }) } catch {
            guard isHelped else { throw error }
          }
        } else if !workAhead() {
          lock.wait()
        }
      }
    }
  }

  /// One piece of work for the reader; false where there is none to do now.
  func help() -> Bool {
    lock.locked {
      if isClosed || failed { return false }
      isHelped = true
      let current = runs[0]
      if !current.isTaken, !current.isEnded, current.chunks.count < Inflation.maxCurrentChunks {
        fill(current)
        return true
      }
      return workAhead()
    }
  }

  /// The file's own checksum, once it was pulled to its end.
  func report(into summary: inout SegmentSummary) {
    lock.locked {
      while isPulling { lock.wait() }
      layer.report(into: &summary)
    }
  }

  /// Nobody begins another piece of work.
  func close() { lock.locked { isClosed = true } }
}

// MARK: Only where the lock is held

extension Inflation {
  /// Inflates a chunk of a later run, or reads on in the file.
  private func workAhead() -> Bool {
    guard isHelped, ahead.hasRoom else { return false }
    let idle = runs.dropFirst().first {
      !$0.isTaken && !$0.isEnded && ($0.input.isWhole || !$0.input.pieces.isEmpty)
    }
    if let idle {
      fill(idle)
      return true
    }
    let isPossible = keeps && !isPulling && !isAtEnd && !isLost
    guard isPossible, queuedBytes < ahead.readAheadBytes / 2 else { return false }
    do { _ = try pull() } catch { failed = true }
    return true
  }

  private func fill(_ run: FrameRun) {
    let chunk = InflatedChunk(ahead)
    do {
      chunk.progress = try advance(run) { try $0.advance(into: chunk.memory, enough: .max) }
      if chunk.progress.count > 0 || !chunk.progress.ends.isEmpty { run.chunks.append(chunk) }
    } catch {}
  }

  /// Takes the run for one step of inflating, outside the lock.
  private func advance(_ run: FrameRun, _ step: (FrameStream) throws -> FrameProgress) throws -> FrameProgress {
    run.isTaken = true
    defer {
      run.isTaken = false
      lock.wakeAll()
    }
    do {
      let (progress, isEnded) = try lock.unlocked {
        let frames = try run.frames ?? make(run)
        run.frames = frames
        return (try step(frames), frames.atEnd)
      }
      run.isEnded = isEnded
      return progress
    } catch {
      failed = true
      throw error
    }
  }
}

extension Inflation {
  private struct Pulled {
    var lent: UnsafeRawBufferPointer
    var kept: CompressedPiece?
    var ends: [(end: FrameWalk.End, digest: UInt64?)] = []
    var isLost = false
  }

  /// The run's next compressed bytes; empty at its end. Called by who has taken the run.
  func nextChunk(for input: RunInput) throws -> UnsafeRawBufferPointer {
    try lock.locked {
      while true {
        if let bytes = input.take() {
          queuedBytes -= bytes.count
          return bytes
        }
        if input.isWhole { return UnsafeRawBufferPointer(start: nil, count: 0) }
        if isPulling { lock.wait() } else if let lent = try pull() { return lent }
      }
    }
  }

  /// CRC-64 of the file up to a frame's end; each is asked for once.
  func digest(upTo end: UInt64) -> UInt64? {
    lock.locked { findsEnds ? digests.removeValue(forKey: end) : layer.digest(upTo: end) }
  }

  /// Reads on in the file; answers the bytes where they lie if they are only lent, to the run being read. Only where
  /// the lock is held and nobody else pulls.
  private func pull() throws -> UnsafeRawBufferPointer? {
    isPulling = true
    // Bytes are kept from a pull on that the run being read asks for: what was lent before is used up then.
    keeps = keeps || (isHelped && findsEnds)
    defer {
      isPulling = false
      lock.wakeAll()
    }
    let keeps = keeps
    let pulled = try lock.unlocked { try readOn(keeps: keeps) }
    distribute(pulled)
    return pulled.kept == nil ? pulled.lent : nil
  }

  /// Outside the lock.
  private func readOn(keeps: Bool) throws -> Pulled {
    let bytes = try layer.nextChunk()
    var pulled = Pulled(lent: bytes)
    for end in findsEnds ? walk.walk(bytes) : [] {
      // The digests are taken while the bytes are at hand.
      pulled.ends.append((end, end.isData ? layer.digest(upTo: pulledBytes + UInt64(end.offset)) : nil))
    }
    if keeps { pulled.kept = CompressedPiece(bytes, ahead) }
    pulled.isLost = walk.isLost
    return pulled
  }

  /// Gives the pulled bytes to the last run, and begins another one behind a frame's end.
  private func distribute(_ pulled: Pulled) {
    isLost = pulled.isLost
    var from = 0
    for (end, digest) in pulled.ends {
      let place = pulledBytes + UInt64(end.offset)
      if end.isData { pulledFrames += 1 }
      if let digest { digests[place] = digest }
      guard let kept = pulled.kept, place - runs[runs.count - 1].start >= ahead.minRunBytes else { continue }
      runs[runs.count - 1].input.append(kept, from..<end.offset)
      runs[runs.count - 1].input.isWhole = true
      runs.append(FrameRun(start: place, firstFrame: pulledFrames, of: self))
      from = end.offset
    }
    let tail = runs[runs.count - 1].input
    if let kept = pulled.kept {
      tail.append(kept, from..<pulled.lent.count)
      queuedBytes += pulled.lent.count
    }
    pulledBytes += UInt64(pulled.lent.count)
    if pulled.lent.isEmpty {
      isAtEnd = true
      tail.isWhole = true
    }
  }
}
