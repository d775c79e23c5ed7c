/// The events of one lane and one epoch that a store's program is to run over: a row of cells for each, in the order
/// that they came in, and where each event is.
///
/// Unsafe pointers and unchecked exclusivity, for the reasons given at `MergedRows`. `@unchecked Sendable`: filled by one
/// lane, then handed over and only read.
public final class GatheredRows: @unchecked Sendable {
  /// Consecutive rows whose events are of one segment.
  private struct Span {
    let start: Int
    let segment: Segment
    let phase: Phase
  }

  public let program: StoreProgram
  /// Cells a row: its columns, then its event's mark and ordinal.
  private let width: Int
  /// Of `pieceRows` rows each: what is there is never moved.
  @exclusivity(unchecked) private var pieces: [UnsafeMutablePointer<Cell>] = []
  @exclusivity(unchecked) private var spans: [Span] = []
  @exclusivity(unchecked) public private(set) var count = 0
  public let arena = Arena()

  private static let shift = 12
  private static let pieceRows = 1 << shift

  init(_ program: StoreProgram) {
    self.program = program
    width = program.columns.count + 1
  }

  deinit { for piece in pieces { piece.deallocate() } }

  /// Memory that holds something, in bytes.
  public var byteCount: Int { count * width * MemoryLayout<Cell>.stride + arena.byteCount }

  /// The cells of a row, which stay where they are as long as this lives.
  public func row(_ index: Int) -> UnsafePointer<Cell> { UnsafePointer(cells(index)) }

  @inline(__always) private func cells(_ index: Int) -> UnsafeMutablePointer<Cell> {
    pieces[index >> GatheredRows.shift] + (index & (GatheredRows.pieceRows - 1)) * width
  }

  /// Where the event of a row is.
  public func place(_ index: Int) -> EventPlace {
    let (span, cell) = (span(index), cells(index)[width - 1])
    return EventPlace(segment: span.segment, ordinal: cell.high, position: span.segment.position(mark: cell.low))
  }

  public func phase(_ index: Int) -> Phase { span(index).phase }

  private func span(_ index: Int) -> Span {
    var (low, high) = (0, spans.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if spans[middle].start <= index { low = middle } else { high = middle }
    }
    return spans[low]
  }

  /// The rows to come are events of this segment.
  func begin(_ segment: Segment, _ phase: Phase) {
    if let last = spans.last, last.start == count { spans.removeLast() }
    spans.append(Span(start: count, segment: segment, phase: phase))
  }

  /// Room for a row, which counts once `add` was called.
  func room() -> UnsafeMutablePointer<Cell> {
    if count >> GatheredRows.shift == pieces.count {
      pieces.append(.allocate(capacity: GatheredRows.pieceRows * width))
    }
    return cells(count)
  }

  /// Forgets all rows but the first `rows`.
  func truncate(to rows: Int) {
    count = rows
    while let last = spans.last, last.start > rows { spans.removeLast() }
  }

  func add(mark: UInt64, ordinal: UInt64) {
    cells(count)[width - 1] = Cell(low: mark, high: ordinal)
    count += 1
  }
}

extension Changes {
  /// Gathers one row for each event of the batch; `fill` is given the event, its cells in the order of the program's
  /// columns, and what owns their long texts. Throws what `fill` throws, and where a key's events have no one order.
  public func gather(
    _ batch: Batch, _ fill: (Event, UnsafeMutablePointer<Cell>, Arena) throws -> Void
  ) throws {
    guard let rows = gathered else { preconditionFailure("the projection has no program") }
    let block = batch.block.takeUnretainedValue()
    let isMixed = block.gathered != nil
    if !isMixed { rows.begin(block.segment, batch.phase) }
    for event in batch {
      if isMixed { rows.begin(block.segment(of: event.record), batch.phase) }
      if let keys { try keys.see(event.key.keyHash, from: block.partitionIndex(of: event.record)) }
      try fill(event, rows.room(), rows.arena)
      rows.add(mark: block.marks[event.record], ordinal: block.ordinal(of: event.record))
    }
  }
}

/// Which partition each key of a lane was first seen in. Above `maxKeys` only a sample is remembered, by the keys'
/// hashes.
final class KeyWatch {
  private var owners: [UInt64: UInt32] = [:]
  private var new: [UInt64] = []
  /// Keys whose hash is above this are not remembered.
  private var greatest = UInt64.max
  private static let maxKeys = 1 << 20

  func see(_ hash: UInt64, from partition: UInt32) throws {
    guard hash <= greatest else { return }
    if let owner = owners[hash] {
      guard owner == partition else {
        throw KeyedRows.KeyInTwoPartitions(first: Int(owner), second: Int(partition))
      }
      return
    }
    owners[hash] = partition
    new.append(hash)
    while owners.count > KeyWatch.maxKeys {
      greatest /= 2
      owners = owners.filter { $0.key <= greatest }
    }
  }

  func takeNew() -> [UInt64] {
    defer { new = [] }
    return new
  }
}
