import ReplayCore
import Synchronization

/// The coordinator's cuts.
extension Attempt {
  /// Takes every lane's changes at one frontier, while all stand, and hands them to the committer. True where it was the
  /// last cut.
  func cut() throws -> Bool {
    try router?.drain()
    let (facts, closing) = floor.quietly { ($0.take(Array($0.schedule.partitions.indices)), $0.closing) }
    if facts.open.hasWork {
      try handOver(facts, lanes: Array(lanes.indices), partitions: Array(setup.plan.partitions.indices))
      try trim()
    }
    if closing { return true }
    // A routed run's readers hold nothing, and its lanes' load is the router's.
    let loads = router == nil ? lanes.map(\.load) : nil
    floor.change { floor in
      floor.loads = loads ?? floor.loads.map { _ in LaneLoad() }
      floor.begin()
    }
    return false
  }

  /// True where lane `n` holds what partition `n` changed and nothing else, and the committer has nothing to do.
  var mayCutEarly: Bool { setup.mode == .byPartition && committer.isIdle }

  /// The partitions to cut early now.
  func early(_ floor: Floor) -> [Int] {
    floor.early(worth: min(setup.options.earlyCommitBytes, setup.options.commitBytes / 12))
  }

  /// Hands over what partitions that were read to their ends have changed, while the others are read. Nobody touches
  /// the lane of such a partition any more.
  func cutEarly() throws {
    guard mayCutEarly else { return }
    let (partitions, facts) = floor.quietly { floor in
      let partitions = early(floor)
      return (partitions, partitions.isEmpty ? nil : floor.take(partitions))
    }
    guard let facts else { return }
    try handOver(facts, lanes: partitions, partitions: partitions)
    // No event of these keys comes any more.
    for partition in partitions { lanes[partition].trim(to: 0) }
    let loads = partitions.map { lanes[$0].load }
    floor.quietly { floor in
      for (partition, load) in zip(partitions, loads) { floor.loads[partition] = load }
    }
  }

  /// Hands the changes of these lanes to the committer, with the positions of these partitions, which hold nothing else.
  private func handOver(_ facts: Floor.CutFacts, lanes places: [Int], partitions: [Int]) throws {
    let moves = frontiers.map { own in
      var moves = Committer.Moves()
      for index in partitions {
        let partition = setup.plan.partitions[index].partition
        guard let position = facts.frontier[index] else { continue }
        // A segment may be settled at the position where an earlier run stood in it: it is not half read any more.
        if let before = own[partition], before > position || (before == position && !facts.open.hasSettled(index)) {
          continue
        }
        moves.frontier[partition] = position
        moves.gapEnds[partition] = facts.gapEnds[index]
        if let half = facts.halfRead[index] { moves.halfRead.append(half) }
      }
      return moves
    }
    let changes = try changes(of: places)
    var ledger = facts.open.ledger
    ledger.enter(changes, partitions: setup.plan.partitions.map(\.partition))
    try committer.commit(
      Committer.Cut(
        lanes: changes, places: places, names: setup.projections.map(\.name), moves: moves,
        settled: setup.projections.map { _ in facts.open.settled }, findings: facts.open.findings,
        ledger: ledger))
  }

  /// The changes of these lanes. Where there are many, several threads sort and copy them: at a cut through all lanes
  /// nobody else has anything to do.
  private func changes(of places: [Int]) throws -> [[LaneCut]] {
    let gate = setup.options.gate
    let threads = gate == nil ? min(workers, places.count) : 1
    let bytes = places.reduce(0) { $0 + lanes[$1].load.changedBytes }
    // Each lane waits for its own worker.
    let waits = lanes.contains { $0.hasSessions }
    guard waits || threads > 1 && bytes > Attempt.sideBySideBytes else {
      return try places.map { place in try gate.working { try lanes[place].cut() } }
    }
    let next = Atomic<Int>(0)
    let found = Mutex<[Int: Result<[LaneCut], any Error>]>([:])
    try SideBySide.run(waits ? places.count : threads, named: "replay-cut") { [self] _ in
      while true {
        let turn = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard turn < places.count else { return }
        let changes = Result { try lanes[places[turn]].cut() }
        found.withLock { $0[turn] = changes }
      }
    }
    return try found.withLock { found in try places.indices.compactMap { try found[$0]?.get() } }
  }

  /// Changes above which a thread is worth its start.
  private static let sideBySideBytes = 1 << 20

  /// Keeps the rows of keyed tables within their budget. Rows may be forgotten only once they are in the store.
  private func trim() throws {
    let budget = setup.options.maxStateBytes / lanes.count
    guard lanes.contains(where: { $0.load.stateBytes > budget }) else { return }
    try committer.settle()
    for lane in lanes { lane.trim(to: budget) }
  }
}
