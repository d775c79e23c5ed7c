import ReplayCore

/// Sends each record of a block to the lane that its key hashes to, by reference into the shared block.
///
/// Order is made by construction: every segment in turn opens a *ticket* in its partition, each lane works through a
/// partition's tickets one after another, and a ticket's blocks come in the order they were decoded. So blocks of later
/// segments may be decoded long before their turn, and no lane ever sees a key's events out of order.
final class Router: @unchecked Sendable {
  // `@unchecked Sendable`: all state is in the monitor; a block is written by its reader before it is queued and only
  // read afterwards; a lane is touched by its own thread, or by the coordinator after `drain`.

  private final class SharedBlock {
    let block: RecordBlock
    var selections: [[UInt32]]
    var lanesLeft: Int
    let ticket: Int
    init(_ block: RecordBlock, lanes: Int, ticket: Int) {
      self.block = block
      self.ticket = ticket
      selections = Array(repeating: [], count: lanes)
      lanesLeft = lanes
    }
  }

  private struct Ticket {
    var id: Int
    var blocks: [SharedBlock] = []
    var taken = 0
    var isClosed = false
  }

  private struct Desk {
    /// For each lane and partition, the tickets not worked through yet.
    var queues: [[[Ticket]]]
    /// Blocks of each ticket that some lane has not applied yet.
    var open: [Int: Int] = [:]
    var free: [RecordBlock] = []
    var nextTicket = 0
    var pending = 0
    var isClosed = false
    var failure: (any Error)?
    var loads: [LaneLoad]

    /// True where some lane has nothing left to take of the tickets before this one.
    func isAwaited(_ ticket: Int, _ partition: Int) -> Bool {
      queues.contains { $0[partition].first { !$0.isClosed || $0.taken < $0.blocks.count }?.id == ticket }
    }
  }

  let lanes: [Lane]
  private let desk: Monitor<Desk>
  private let keyColumn: Int
  private let maxBlocksPerTicket: Int
  private let gate: WorkGate?
  private var threads: [NamedThread] = []

  init(_ lanes: [Lane], partitions: Int, keyColumn: Int, maxBlocksPerTicket: Int = 8, gate: WorkGate? = nil) throws {
    self.lanes = lanes
    self.gate = gate
    self.keyColumn = keyColumn
    self.maxBlocksPerTicket = maxBlocksPerTicket
    desk = Monitor(
      Desk(
        queues: Array(repeating: Array(repeating: [], count: partitions), count: lanes.count),
        loads: Array(repeating: LaneLoad(), count: lanes.count)))
    do {
      for lane in lanes.indices {
        threads.append(try NamedThread("replay-lane-\(lane)") { [self] in work(lane) })
      }
    } catch {
      close()
      throw error
    }
  }

  /// Opens the next segment's place in its partition. Called in the order of the partition's segments.
  func openTicket(partition: Int) -> Int {
    desk.quietly { desk in
      let id = desk.nextTicket
      desk.nextTicket += 1
      for lane in desk.queues.indices { desk.queues[lane][partition].append(Ticket(id: id)) }
      return id
    }
  }

  func closeTicket(_ id: Int, partition: Int) {
    desk.change { desk in
      for lane in desk.queues.indices {
        guard let place = desk.queues[lane][partition].firstIndex(where: { $0.id == id }) else { continue }
        desk.queues[lane][partition][place].isClosed = true
      }
    }
  }

  /// A block to decode into.
  func block(_ make: () -> RecordBlock) -> RecordBlock { desk.quietly { $0.free.popLast() } ?? make() }

  /// Queues the block for all lanes; waits while the ticket has too many blocks open, or all of them together do: small
  /// segments would else be decoded without end before lanes that cannot follow. Not while lanes wait for this ticket.
  func send(_ block: RecordBlock, ticket: Int, partition: Int) throws {
    let shared = SharedBlock(block, lanes: lanes.count, ticket: ticket)
    for record in 0..<block.count {
      shared.selections[block.lane(of: record, by: keyColumn, among: lanes.count)].append(UInt32(record))
    }
    try desk.wait { desk -> Void? in
      if let failure = desk.failure { throw failure }
      guard desk.open[ticket, default: 0] < maxBlocksPerTicket,
        desk.pending < maxBlocksPerTicket * lanes.count || desk.isAwaited(ticket, partition)
      else { return nil }
      desk.open[ticket, default: 0] += 1
      desk.pending += 1
      for lane in desk.queues.indices {
        guard let place = desk.queues[lane][partition].firstIndex(where: { $0.id == ticket }) else { continue }
        desk.queues[lane][partition][place].blocks.append(shared)
      }
      return ()
    }
  }

  private func work(_ lane: Int) {
    while let shared = next(lane) {
      do {
        try shared.selections[lane].withUnsafeBufferPointer { selection in
          try gate.working(alone: !lanes[lane].hasSessions) {
            try lanes[lane].apply(shared.block, selection: selection)
          }
        }
        release(shared, by: lane)
      } catch {
        desk.change { $0.failure = $0.failure ?? error }
        return
      }
    }
  }

  private func next(_ lane: Int) -> SharedBlock? {
    desk.wait(quietly: true) { desk -> SharedBlock?? in
      if desk.failure != nil { return .some(nil) }
      for partition in desk.queues[lane].indices {
        while let first = desk.queues[lane][partition].first {
          if first.taken < first.blocks.count {
            desk.queues[lane][partition][0].taken += 1
            return .some(first.blocks[first.taken])
          }
          guard first.isClosed else { break }
          desk.queues[lane][partition].removeFirst()
        }
      }
      return desk.isClosed ? .some(nil) : nil
    }
  }

  private func release(_ shared: SharedBlock, by lane: Int) {
    let load = lanes[lane].load
    desk.tell { desk in
      desk.loads[lane] = load
      shared.lanesLeft -= 1
      guard shared.lanesLeft == 0 else { return ((), false) }
      desk.open[shared.ticket, default: 1] -= 1
      desk.pending -= 1
      desk.free.append(shared.block)
      return ((), true)
    }
  }

  /// Waits until every block sent so far is applied.
  func drain() throws {
    try desk.wait { desk -> Void? in
      if let failure = desk.failure { throw failure }
      return desk.pending == 0 ? () : nil
    }
  }

  /// What the lanes hold together, as of their last blocks.
  var load: LaneLoad { desk.quietly { $0.loads.reduce(LaneLoad(), +) } }

  var failure: (any Error)? { desk.quietly { $0.failure } }

  /// Ends the lanes' threads; what is still queued is dropped.
  func close() {
    desk.change { desk in
      desk.isClosed = true
      for lane in desk.queues.indices {
        for partition in desk.queues[lane].indices { desk.queues[lane][partition] = [] }
      }
      desk.failure = desk.failure ?? ReplayError(.unexpected, "the lanes are closed")
    }
    for thread in threads { thread.join() }
    threads = []
  }
}

extension RecordBlock {
  /// The lane whose `KeyRange` has the record's key; without a key, the first one.
  func lane(of record: Int, by keyColumn: Int, among count: Int) -> Int {
    let slice = fields[record * fieldCount + keyColumn]
    guard slice.kind == .string || slice.kind == .number else { return 0 }
    return Int(KeyHash.hash(text(slice)).multipliedFullWidth(by: UInt64(count)).high)
  }
}
