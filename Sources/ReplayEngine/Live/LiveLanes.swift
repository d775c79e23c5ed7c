import ReplayCore

/// Lanes that wait for workers of their own, each on its own thread: what the stream delivers goes to the lane that its
/// key hashes to, and one that takes long holds up no other.
///
/// A lane does what was sent to it in that order, and cuts are among it: at a cut it hands over what it has changed, and
/// goes on behind it at once. So every cut is consistent though the lanes come to it at different times; it is whole when
/// the slowest one was there.
final class LiveLanes: @unchecked Sendable {
  // `@unchecked Sendable`: all state is in the monitor; a block is written by the sender before it is sent and only read
  // afterwards; a lane is touched by its own thread, or by the sender once every cut is taken and nothing was sent since.

  private final class SharedBlock {
    let block: RecordBlock
    let bytes: Int
    var lanesLeft: Int

    init(_ block: RecordBlock, bytes: Int, lanes: Int) { (self.block, self.bytes, lanesLeft) = (block, bytes, lanes) }
  }

  private enum Work {
    case apply(SharedBlock, [UInt32])
    case cut
    /// Nothing is there for now: what the sessions hold goes out, since nobody knows when something comes.
    case flush
  }

  private struct Desk {
    var lines: [WorkLine<Work>]
    var free: [RecordBlock] = []
    /// Of blocks that some lane has not done with.
    var aheadBytes = 0
    /// The cuts that were asked for and not taken, the oldest first.
    var cuts: [Cut] = []
    /// How many cuts each lane has come to, and how many were taken.
    var passed: [Int]
    var taken = 0
    var loads: [LaneLoad]
    /// Until when each lane's sessions wait for more; nil where they do not.
    var waits: [Int64?]
    /// Lanes that delivered something since their last cut.
    var delivered: Set<Int> = []
    /// Blocks that each lane has not done with.
    var blocksAhead: [Int]
    var failure: (any Error)?
    var isClosed = false
    /// The sender waits for the lanes.
    var isAwaited = false

    var isCutWhole: Bool { cuts.first?.parts.count == lines.count }
    var changedBytes: Int { cuts.reduce(loads.reduce(0) { $0 + $1.changedBytes }) { $0 + $1.bytes } }
  }

  /// What each lane has handed over.
  private struct Cut {
    var parts: [Int: [LaneCut]] = [:]
    var bytes = 0
  }

  let lanes: [Lane]
  private let desk: Monitor<Desk>
  private let keyColumn: Int
  private let maxAheadBytes: Int
  private let maxChangedBytes: Int
  private let gate: WorkGate?
  private let now: @Sendable () -> Int64
  /// Batches that are not full may wait for more events.
  private let mayWait: Bool
  private var threads: [NamedThread] = []
  /// What a block costs beside its events, about.
  private static let blockBytes = 4 << 10
  private static let maxFreeBlocks = 64
  private static let soonMilliseconds: Int64 = 5

  /// There is room for more while less than `maxAheadBytes` of events wait for lanes, and less than `maxChangedBytes` of
  /// changes for a commit.
  init(
    _ lanes: [Lane], keyColumn: Int, maxAheadBytes: Int, maxChangedBytes: Int, gate: WorkGate? = nil,
    now: @escaping @Sendable () -> Int64
  ) {
    self.lanes = lanes
    self.keyColumn = keyColumn
    self.maxAheadBytes = maxAheadBytes
    self.maxChangedBytes = maxChangedBytes
    self.gate = gate
    self.now = now
    mayWait = lanes.contains(where: \.mayWait)
    desk = Monitor(
      Desk(
        lines: lanes.map { _ in WorkLine() }, passed: lanes.map { _ in 0 }, loads: lanes.map { _ in LaneLoad() },
        waits: lanes.map { _ in nil }, blocksAhead: lanes.map { _ in 0 }))
  }

  /// Ends with `close`, also where it throws.
  func start() throws {
    for lane in lanes.indices {
      threads.append(try NamedThread("replay-lane-\(lane)") { [self] in work(lane) })
    }
  }

  /// Ends the lanes' threads, each after the work that it is at; the rest is dropped.
  func close() {
    desk.change { $0.isClosed = true }
    for thread in threads { thread.join() }
    threads = []
  }

  /// From any thread: calls that are waited for are given up.
  func cancel() { for lane in lanes { lane.cancel() } }

  // MARK: The sender

  /// A block to decode into.
  func block(_ make: () -> RecordBlock) -> RecordBlock { desk.quietly { $0.free.popLast() } ?? make() }

  /// Sends the block's records to their lanes. `bytes`: of its events.
  func send(_ block: RecordBlock, bytes: Int) {
    var selections = Array(repeating: [UInt32](), count: lanes.count)
    for record in 0..<block.count {
      selections[block.lane(of: record, by: keyColumn, among: lanes.count)].append(UInt32(record))
    }
    let named = selections.indices.filter { !selections[$0].isEmpty }
    let shared = SharedBlock(block, bytes: bytes + LiveLanes.blockBytes, lanes: named.count)
    let sent = selections
    desk.change { desk in
      guard !named.isEmpty else { return desk.free.append(block) }
      desk.aheadBytes += shared.bytes
      for lane in named {
        desk.lines[lane].add(.apply(shared, sent[lane]))
        desk.blocksAhead[lane] += 1
      }
    }
  }

  /// Asks for a cut behind all that was sent.
  func cut() {
    desk.change { desk in
      desk.cuts.append(Cut())
      for lane in desk.lines.indices { desk.lines[lane].add(.cut) }
    }
  }

  /// Takes the oldest cut, one entry for each lane; nil while some lane has not come to it. Throws what stopped a lane.
  func takeCut() throws -> [[LaneCut]]? {
    try desk.quietly { desk in
      guard desk.isCutWhole else {
        if let failure = desk.failure { throw failure }
        return nil
      }
      desk.taken += 1
      let cut = desk.cuts.removeFirst()
      return desk.lines.indices.compactMap { cut.parts[$0] }
    }
  }

  /// Waits until a cut is whole, a lane has failed, or, if that is asked for, there is room; for so long at most.
  func wait(milliseconds: Int, orRoom: Bool = false) {
    _ = desk.wait(milliseconds: milliseconds) { desk -> Void? in
      desk.isAwaited = true
      return desk.isCutWhole || desk.failure != nil || orRoom && hasRoom(desk) ? () : nil
    }
    desk.quietly { $0.isAwaited = false }
  }

  var hasRoom: Bool { desk.quietly { hasRoom($0) } }

  private func hasRoom(_ desk: Desk) -> Bool {
    desk.aheadBytes < maxAheadBytes && desk.changedBytes < maxChangedBytes
  }

  /// What the lanes hold together, as of what they did last.
  var load: LaneLoad { desk.quietly { $0.loads.reduce(LaneLoad(), +) } }

  /// What the lanes' sessions wait for; nil where nothing waits.
  var waiting: SessionWait? {
    guard mayWait else { return nil }
    let now = now()
    return desk.quietly { desk in
      // What a lane has not come to yet may wait too: that is known soon.
      let soon = desk.blocksAhead.contains { $0 > 0 } ? now + LiveLanes.soonMilliseconds : nil
      guard let until = (desk.waits + [soon]).compactMap(\.self).min() else { return nil }
      return SessionWait(milliseconds: max(0, until - now), hasDelivered: !desk.delivered.isEmpty)
    }
  }

  /// After the sender has touched lanes.
  func lookAtLoads() {
    let loads = lanes.map(\.load)
    desk.quietly { $0.loads = loads }
  }

  // MARK: The lanes

  private func work(_ lane: Int) {
    var isHolding = false
    while let work = next(lane, isHolding) {
      do {
        isHolding = try perform(work, lane)
      } catch {
        desk.change { $0.failure = $0.failure ?? error }
        return
      }
    }
  }

  private func next(_ lane: Int, _ isHolding: Bool) -> Work? {
    desk.wait(quietly: true) { desk -> Work?? in
      if desk.isClosed || desk.failure != nil { return .some(nil) }
      return desk.lines[lane].next().map { .some($0) } ?? (isHolding ? .some(.flush) : nil)
    }
  }

  /// True where the lane's sessions may hold something after it.
  private func perform(_ work: Work, _ lane: Int) throws -> Bool {
    switch work {
    case .apply(let shared, let records):
      try gate.working(alone: false) {
        try records.withUnsafeBufferPointer { try lanes[lane].apply(shared.block, selection: $0) }
      }
      done(lane) { desk in
        desk.blocksAhead[lane] -= 1
        shared.lanesLeft -= 1
        guard shared.lanesLeft == 0 else { return }
        desk.aheadBytes -= shared.bytes
        if desk.free.count < LiveLanes.maxFreeBlocks { desk.free.append(shared.block) }
      }
      // What waits for more goes out with the cut that ends its waiting.
      return lanes[lane].waitMilliseconds == nil
    case .flush:
      try lanes[lane].flush()
      done(lane) { _ in }
    case .cut:
      let bytes = lanes[lane].load.changedBytes
      let cut = try lanes[lane].cut()
      done(lane) { desk in
        let place = desk.passed[lane] - desk.taken
        desk.passed[lane] += 1
        desk.cuts[place].parts[lane] = cut
        desk.cuts[place].bytes += bytes
      }
    }
    return false
  }

  private func done(_ lane: Int, _ enter: (inout Desk) -> Void) {
    let load = lanes[lane].load
    let until = mayWait ? lanes[lane].waitMilliseconds.map { now() + $0 } : nil
    let hasDelivered = mayWait && lanes[lane].hasDelivered
    desk.tell { desk in
      (desk.loads[lane], desk.waits[lane]) = (load, until)
      if hasDelivered { desk.delivered.insert(lane) } else { desk.delivered.remove(lane) }
      enter(&desk)
      return ((), desk.isAwaited)
    }
  }
}

/// First in, first out.
struct WorkLine<Work> {
  private var works: [Work?] = []
  private var first = 0

  mutating func add(_ work: Work) { works.append(work) }

  mutating func next() -> Work? {
    guard first < works.count else { return nil }
    let work = works[first]
    // What is done holds nothing any more, and leaves the line now and then.
    works[first] = nil
    first += 1
    if first == works.count || first >= 1024 {
      works.removeFirst(first)
      first = 0
    }
    return work
  }
}
