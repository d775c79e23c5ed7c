import ReplayCore

/// How a live run commits: at a cut through all lanes, with the positions up to which they were given events.
///
/// Lanes with threads come to a cut at different times, and go on behind it. Several cuts may be open; they are committed
/// in their order, so that what is durable follows the slowest lane while others are further.
extension LiveAttempt {
  /// Everything that one commit is made of, but for the lanes' changes.
  struct OpenCut {
    /// Where each partition that moved stands.
    let next: [Int: Position]
    let lastEvents: [Partition: PrintedEvent]
    let ledger: Ledger
  }

  /// More cuts are not open at once: then the next one holds more.
  private static let maxOpenCuts = 64

  /// Commits what is whole, and begins a cut where one is due. `rests`: the stream had nothing more to say just now.
  func commitDue(_ rests: Bool) throws {
    try commitWhole()
    // While one is open a stream that rests is no reason: lanes would have to hand over whatever they get at once.
    let isDue = commits.isDue(
      now: setup.options.now(), hasWork: !moved.isEmpty, rests: rests && openCuts.isEmpty,
      changedBytes: load.changedBytes, waiting: waiting)
    if isDue, openCuts.count < LiveAttempt.maxOpenCuts { try cut() }
    if rests, !openCuts.isEmpty {
      // A function that answers soon is committed soon.
      threads?.wait(milliseconds: LiveAttempt.openMilliseconds)
      try commitWhole()
    }
    if !isOpen, isOverBudget { trim() }
  }

  /// Commits everything that was read.
  func commitAll() throws {
    try cut()
    while !openCuts.isEmpty {
      threads?.wait(milliseconds: setup.options.idleMilliseconds)
      try commitWhole()
    }
  }

  var load: LaneLoad { threads?.load ?? lanes[0].load }

  /// Keyed rows are to be forgotten, which they may be once all are in the store.
  var isOverBudget: Bool { load.stateBytes > setup.options.maxStateBytes }

  /// Nothing is open: no lane has anything to do.
  private func trim() {
    let share = setup.options.maxStateBytes / (lanes.count * setup.projections.count)
    for lane in lanes { lane.trim(to: share) }
    threads?.lookAtLoads()
  }

  private func cut() throws {
    guard !moved.isEmpty else { return }
    let cut = OpenCut(
      next: Dictionary(uniqueKeysWithValues: moved.map { ($0, state.parts[$0].next) }),
      lastEvents: lastEvents.mapValues { last in
        PrintedEvent(
          position: last.position, print: last.payload?.withUnsafeBytes { setup.print($0) } ?? setup.print(nil))
      }, ledger: ledger.take(Array(partitions.indices)))
    (moved, lastEvents) = ([], [:])
    guard let threads else { return try commit(cut, [try cutLane()]) }
    openCuts.append(cut)
    threads.cut()
    commits.committed(now: setup.options.now())
    // The calls that a commit waits for may take long: nobody is to think meanwhile that all is done.
    setup.observe(state)
  }

  private func cutLane() throws -> [LaneCut] {
    do { return try lanes[0].cut() } catch let error as ReplayError { throw LiveRun.Fault(error) ?? error }
  }

  private func commitWhole() throws {
    guard let threads else { return }
    do {
      while let changes = try threads.takeCut() { try commit(openCuts.removeFirst(), changes) }
    } catch let error as ReplayError { throw LiveRun.Fault(error) ?? error }
  }

  private func commit(_ open: OpenCut, _ changes: [[LaneCut]]) throws {
    let moves = frontiers.map { own in
      var moves = Committer.Moves()
      for (place, next) in open.next where next > own[partitions[place]] ?? .zero {
        moves.frontier[partitions[place]] = next
      }
      return moves
    }
    var taken = open.ledger
    taken.enter(changes, partitions: partitions)
    var cut = Committer.Cut(
      lanes: changes, places: Array(lanes.indices), names: setup.projections.map(\.name), moves: moves,
      settled: setup.projections.map { _ in [] }, findings: [], ledger: taken)
    cut.lastEvents = open.lastEvents
    do {
      try committer.commit(cut)
      try committer.settle()
    } catch let refused as RefusedEvent {
      throw LiveRun.Fault(error: refused.error, partition: refused.place.partition, position: refused.place.position)
    } catch let error as ReplayError { throw LiveRun.Fault(error) ?? error }
    (state.kept, state.windows) = (committer.kept, committer.windows)
    for (index, moves) in moves.enumerated() {
      frontiers[index].merge(moves.frontier) { $1 }
      state.books[index] += taken.total(of: index)
    }
    for (place, next) in open.next { state.parts[place].committed = next }
    let durable = committer.durable
    (state.commits, state.rows) = (state.commits + 1, state.rows + durable.rows - rowsBefore)
    rowsBefore = durable.rows
    ownerAsked = setup.options.now()
    if openCuts.isEmpty { commits.committed(now: ownerAsked) }
    setup.observe(state)
  }
}
