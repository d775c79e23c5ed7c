/// Memory for the rows of very many keys: cut from large pieces, each part at the beginning of a line of the processor's
/// cache, so that a key's rows lie in as few lines as they can. What is given back is used again for rows as many.
///
/// Unsafe pointers: it hands out memory.
final class RowMemory {
  private var pieces: [UnsafeMutableRawPointer] = []
  private var next: UnsafeMutableRawPointer?
  private var left = 0
  /// By their number of cells, parts that were given back.
  private var free: [Int: [UnsafeMutablePointer<Cell>]] = [:]
  private(set) var byteCount = 0

  private static let pieceBytes = 1 << 20
  private static let lineBytes = 64

  deinit { for piece in pieces { piece.deallocate() } }

  /// Room for `cells` cells, not initialised.
  func take(_ cells: Int) -> UnsafeMutablePointer<Cell> {
    if let part = free[cells]?.popLast() { return part }
    let line = RowMemory.lineBytes
    let bytes = max(line, (cells * MemoryLayout<Cell>.stride + line - 1) / line * line)
    if left < bytes {
      // The first piece is small, for tables of few keys.
      let size = max(bytes, pieces.isEmpty ? 16 << 10 : RowMemory.pieceBytes)
      let piece = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: line)
      pieces.append(piece)
      byteCount += size
      next = piece
      left = size
    }
    let part = next.unsafelyUnwrapped
    next = part + bytes
    left -= bytes
    return part.bindMemory(to: Cell.self, capacity: cells)
  }

  /// `cells` is what the part was taken for.
  func giveBack(_ part: UnsafeMutablePointer<Cell>, _ cells: Int) { free[cells, default: []].append(part) }
}
