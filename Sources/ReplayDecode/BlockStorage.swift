import CDecode
import ReplayCore

/// The memory of one block: decompressed bytes, room behind them for unescaped texts, and the arrays of its records.
/// Filled by C++ through pointers; reused from block to block.
final class BlockStorage {
  private(set) var bytes: UnsafeMutablePointer<UInt8>
  private(set) var capacity: Int
  let output: OpaquePointer
  var fill = 0
  /// Just behind all texts that slices point to.
  var used = 0

  init(blockBytes: Int) {
    capacity = 2 * (blockBytes + REPLAY_PADDING)
    bytes = .allocate(capacity: capacity)
    output = replay_output_create()
  }

  deinit {
    bytes.deallocate()
    replay_output_destroy(output)
  }

  /// Bytes that may be filled, so that as many again and the padding fit behind them.
  var room: Int { capacity / 2 - REPLAY_PADDING }

  /// Puts `count` bytes behind everything that is in use and answers their offset. The memory may move.
  func append(_ count: Int, _ write: (UnsafeMutablePointer<UInt8>) -> Void) -> Int {
    if used + count + REPLAY_PADDING > capacity {
      let wider = max(2 * capacity, used + count + REPLAY_PADDING)
      let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: wider)
      moved.update(from: bytes, count: used)
      bytes.deallocate()
      bytes = moved
      capacity = wider
    }
    write(bytes + used)
    defer { used += count }
    return used
  }

  /// Makes room for at least `count` bytes, keeping what is there.
  func reserve(_ count: Int) {
    guard count > room else { return }
    let wider = 2 * (count + REPLAY_PADDING)
    let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: wider)
    moved.update(from: bytes, count: fill)
    bytes.deallocate()
    bytes = moved
    capacity = wider
  }
}
