/// Work that idle threads can do for the segments that are open: inflating bytes before their reader asks for them.
/// Whoever reads segments side by side shares one, and lets threads that have no segment of their own call `help`.
///
/// A segment nobody helps with is read as if this did not exist. `@unchecked Sendable`: all state is behind the lock.
public final class ReadAhead: @unchecked Sendable {
  /// Bytes, compressed and inflated, that wait for their readers, over all segments.
  public let readAheadBytes: Int
  /// Inflated bytes of one piece of work.
  let chunkBytes: Int
  /// Compressed bytes from which on a frame's end ends a run of frames: less is not worth a run of its own.
  let minRunBytes: UInt64
  private let lock = WorkLock()
  private var open: [Inflation] = []
  private var turn = 0
  private var heldBytes = 0
  private var free: [UnsafeMutableRawBufferPointer] = []
  let inflaters = Inflaters()

  /// The sizes change nothing but the speed.
  public init(readAheadBytes: Int = 64 << 20, chunkBytes: Int = 128 << 10, minRunBytes: UInt64 = 64 << 10) {
    self.readAheadBytes = readAheadBytes
    self.chunkBytes = max(1, chunkBytes)
    self.minRunBytes = minRunBytes
  }

  deinit { for memory in free { memory.deallocate() } }

  /// Does one piece of work, a fraction of a millisecond of it, for some open segment; false where there is none to do
  /// now.
  public func help() -> Bool {
    let (open, turn) = lock.locked {
      self.turn &+= 1
      return (self.open, self.turn)
    }
    for place in open.indices where open[(place + turn) % open.count].help() { return true }
    return false
  }

  func add(_ inflation: Inflation) { lock.locked { open.append(inflation) } }

  func remove(_ inflation: Inflation) { lock.locked { open.removeAll { $0 === inflation } } }

  var hasRoom: Bool { lock.locked { heldBytes < readAheadBytes } }

  func hold(_ bytes: Int) { lock.locked { heldBytes += bytes } }

  func letGo(_ bytes: Int) { lock.locked { heldBytes -= bytes } }

  /// Memory for inflated bytes, used again and again: new pages would cost more than the copying.
  fileprivate func take() -> UnsafeMutableRawBufferPointer {
    lock.locked {
      heldBytes += chunkBytes
      return free.popLast() ?? .allocate(byteCount: chunkBytes, alignment: 64)
    }
  }

  fileprivate func give(_ memory: UnsafeMutableRawBufferPointer) {
    lock.locked {
      heldBytes -= memory.count
      free.append(memory)
    }
  }
}

/// Inflated bytes on their way to the segment's reader, with what is known at their end. Belongs to one thread at a time:
/// who fills it, then who reads it.
final class InflatedChunk {
  let memory: UnsafeMutableRawBufferPointer
  var progress = FrameProgress()
  private let ahead: ReadAhead

  init(_ ahead: ReadAhead) {
    self.ahead = ahead
    memory = ahead.take()
  }

  deinit { ahead.give(memory) }
}

/// Compressed bytes of a file, kept for whoever inflates them.
final class CompressedPiece {
  let memory: UnsafeMutableRawBufferPointer
  private let ahead: ReadAhead

  init(_ bytes: UnsafeRawBufferPointer, _ ahead: ReadAhead) {
    self.ahead = ahead
    memory = .allocate(byteCount: bytes.count, alignment: 16)
    memory.copyMemory(from: bytes)
    ahead.hold(bytes.count)
  }

  deinit {
    ahead.letGo(memory.count)
    memory.deallocate()
  }
}
