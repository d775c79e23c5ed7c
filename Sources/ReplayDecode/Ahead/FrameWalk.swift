/// Finds where the frames of a zstd file end, from the lengths that its headers and blocks begin with; nothing is
/// decompressed. Takes the file's bytes in pieces, cut anywhere. It trusts nothing: a length only says how many bytes to
/// pass over, and whoever reads the frames finds out what they are.
struct FrameWalk {
  struct End: Equatable {
    /// Just behind the frame, counted from the first byte of the piece.
    let offset: Int
    /// False for a frame that readers pass over.
    let isData: Bool
  }

  private enum Part { case start, header, block, body, checksum, skippable }

  private var part = Part.start
  /// Bytes of the part gathered so far, where they lie in more than one piece.
  private var gathered: UInt64 = 0
  private var gatheredCount = 0
  private var wantedCount = 5
  private var bytesToSkip: UInt64 = 0
  private var hasChecksum = false
  private var isLastBlock = false
  /// True once the bytes are no zstd frames: no more ends are found.
  private(set) var isLost = false

  /// Walks over the next bytes of the file; answers the frames that end in them.
  mutating func walk(_ bytes: UnsafeRawBufferPointer) -> [End] {
    var ends: [End] = []
    var at = 0
    while !isLost {
      if bytesToSkip > 0 {
        let step = Int(min(bytesToSkip, UInt64(bytes.count - at)))
        at += step
        bytesToSkip -= UInt64(step)
        if bytesToSkip > 0 { return ends }
      }
      while gatheredCount < wantedCount {
        guard at < bytes.count else { return ends }
        gathered |= UInt64(bytes[at]) << UInt64(8 * gatheredCount)
        gatheredCount += 1
        at += 1
      }
      let isData = part != .skippable
      if advance() { ends.append(End(offset: at, isData: isData)) }
    }
    return ends
  }

  /// Leaves the current part, whose bytes are all there, for the next one; true where that begins another frame.
  private mutating func advance() -> Bool {
    switch part {
    case .start: begin()
    case .header: enter(.block, gather: 3)
    case .block:
      isLastBlock = gathered & 1 != 0
      // 0: as many raw bytes; 1: one byte, repeated; 2: as many compressed bytes; 3 is not defined.
      switch gathered >> 1 & 3 {
      case 1: enter(.body, skip: 1)
      case 3: isLost = true
      default: enter(.body, skip: gathered >> 3)
      }
    case .body where !isLastBlock: enter(.block, gather: 3)
    case .body where hasChecksum: enter(.checksum, skip: 4)
    case .body, .checksum, .skippable:
      enter(.start, gather: 5)
      return true
    }
    return false
  }

  private mutating func begin() {
    let magic = UInt32(truncatingIfNeeded: gathered)
    if magic & 0xffff_fff0 == 0x184d_2a50 {
      // The fifth byte is the first one of four that hold the length.
      guard gatheredCount == 8 else {
        wantedCount = 8
        return
      }
      enter(.skippable, skip: gathered >> 32)
      return
    }
    guard magic == 0xfd2f_b528 else {
      isLost = true
      return
    }
    let descriptor = gathered >> 32
    let isSingle = descriptor & 0x20 != 0
    hasChecksum = descriptor & 0x04 != 0
    let window: UInt64 = isSingle ? 0 : 1
    let dictionary: [UInt64] = [0, 1, 2, 4]
    let size: [UInt64] = [isSingle ? 1 : 0, 2, 4, 8]
    enter(.header, skip: window + dictionary[Int(descriptor & 3)] + size[Int(descriptor >> 6 & 3)])
  }

  private mutating func enter(_ next: Part, skip: UInt64 = 0, gather: Int = 0) {
    part = next
    bytesToSkip = skip
    gathered = 0
    gatheredCount = 0
    wantedCount = gather
  }
}
