import ReplayCore

/// One stretch of a live run: from the committed positions until it is told to stop, has caught up, meets an event that
/// cannot be applied, or the stream's partitions change.
final class LiveAttempt {
  enum End {
    case caughtUp
    case stopped
    /// The stream has another set of partitions: begin anew from what is committed.
    case changed
  }

  private let setup: LiveSetup
  private(set) var frontiers: [[Partition: Position]]
  private let ahead: ArchivedAhead
  private(set) var state: LiveState
  /// The event to stop before.
  private let bound: LiveRun.Fault?
  private let partitions: [Partition]
  private let places: [Partition: Int]
  private let lane: Lane
  private let committer: Committer
  private let block: RecordBlock
  private var commits: LiveCommits
  private var ledger: Ledger
  /// Places of partitions that moved since the last commit.
  private var moved: Set<Int> = []
  /// Of partitions that moved, the last event and its payload.
  private var lastEvents: [Partition: (position: Position, payload: [UInt8]?)] = [:]
  /// When the stream's ends were asked for: while events keep coming, nobody says how far they go.
  private var endsAsked: Int64
  private static let endsMilliseconds: Int64 = 2_000
  /// When the store was asked whether the functions are still this run's: a commit asks it, and who has none.
  private var ownerAsked: Int64
  private static let ownerMilliseconds: Int64 = 2_000

  init(
    _ setup: LiveSetup, frontiers: [[Partition: Position]], ahead: ArchivedAhead, deliveries: [DeliveryLog],
    state: LiveState, before bound: LiveRun.Fault?, badEvents: [BadEvents]
  ) throws {
    self.setup = setup
    self.ahead = ahead
    self.bound = bound
    let found = try setup.source.partitions().sorted { $0.partition < $1.partition }
    partitions = found.map(\.partition)
    places = Dictionary(uniqueKeysWithValues: partitions.enumerated().map { ($1, $0) })
    let partitions = partitions
    // A partition that is new begins at its first event.
    let frontiers = frontiers.map { own in
      own.merging(partitions.map { ($0, Position.zero) }) { known, _ in known }
    }
    self.frontiers = frontiers
    self.state = state
    let now = setup.options.now()
    self.state.parts = found.map { part in
      let next = frontiers.compactMap { $0[part.partition] }.min() ?? .zero
      let known = state.parts.first { $0.partition == part.partition }
      return LiveState.Part(
        partition: part.partition, committed: next, next: next, end: max(part.end, next), caughtUpAt: known?.caughtUpAt)
    }
    lane = try Lane(
      setup.projections, setup.extraction, store: setup.store, partitions: partitions,
      isFresh: setup.projections.map { _ in false }, deliveries: deliveries, holdAbove: .max,
      onError: setup.options.onError, parkedKeys: state.kept.map(\.parkedKeys), badEvents: badEvents,
      windows: state.windows)
    ledger = Ledger(functions: setup.projections.count, partitions: partitions.count)
    block = RecordBlock(segment: Segment(live: partitions.first ?? Partition(log: "", id: []), of: setup.source.name))
    commits = LiveCommits(
      intervalMilliseconds: setup.options.commitMilliseconds, maxChangedBytes: setup.options.commitBytes, now: now)
    (endsAsked, ownerAsked) = (now, now)
    try setup.source.seek(Dictionary(uniqueKeysWithValues: self.state.parts.map { ($0.partition, $0.next) }))
    // Last: its thread ends with `close()`, which nobody calls where this throws.
    committer = try Committer(
      setup.store, books: ledger, frontiers: frontiers, kept: state.kept, maxKeptBytes: setup.options.maxKeptBytes,
      windows: state.windows, keyOwners: nil, now: setup.options.now, observe: { _ in })
  }

  func close() {
    committer.close()
    lane.abandon()
  }

  func run() throws -> End {
    guard lane.hasSessions else { return try follow() }
    let watch = SessionWatch()
    let (stop, now, lane) = (setup.stop, setup.options.now, UncheckedLane(lane))
    let thread = try NamedThread("replay-stop") {
      watch.run(stop, after: LiveAttempt.stopMilliseconds, now: now) { lane.lane.cancel() }
    }
    defer {
      watch.end()
      thread.join()
    }
    do { return try follow() } catch {
      // What a stop cut short is dropped, and read again by the next run.
      if watch.hasGivenUp { return .stopped }
      throw error
    }
  }

  /// `@unchecked Sendable`: only its `cancel` is called, which any thread may.
  private struct UncheckedLane: @unchecked Sendable {
    let lane: Lane
    init(_ lane: Lane) { self.lane = lane }
  }

  /// After a request to stop: how long a call that is under way may take.
  private static let stopMilliseconds: Int64 = 1_500

  private func follow() throws -> End {
    setup.observe(state)
    while true {
      let patience = commits.patience(
        now: setup.options.now(), hasWork: !moved.isEmpty, idle: setup.options.idleMilliseconds, waiting: waiting)
      let event = try polled(patience)
      var hasChanged = false
      switch event {
      case .messages(let messages):
        try take(messages)
        askEnds()
      case .caughtUp(let partition, let next): caughtUp(partition, next)
      case .opened: hasChanged = true
      case .closed(let partition): if let place = places[partition] { state.parts[place].isClosed = true }
      case nil: try verifyOwner()
      }
      hearOutage()
      let rests = if case .messages? = event { false } else { true }
      let isBounded = bound.map { reached($0) } ?? false
      let mustEnd = setup.stop.isStopped || hasChanged || isBounded
      if mustEnd || isDue(rests) {
        // The call that a commit waits for may take long: nobody is to think meanwhile that all is done.
        if lane.hasSessions, !moved.isEmpty { setup.observe(state) }
        try commit()
      }
      if setup.stop.isStopped || isBounded { return .stopped }
      if hasChanged { return .changed }
      if setup.options.untilCaughtUp, moved.isEmpty, state.isCaughtUp { return .caughtUp }
    }
  }

  /// The source's trouble comes after what was applied is committed.
  private func polled(_ patience: Int) throws -> LiveEvent? {
    do { return try setup.source.poll(milliseconds: patience) } catch {
      try commit()
      throw error
    }
  }

  /// Who is to end once it has caught up waits for no more events.
  private var waiting: SessionWait? { setup.options.untilCaughtUp ? nil : lane.waiting }

  /// A run that has nothing to commit soon would not notice that another one follows in its place.
  private func verifyOwner() throws {
    let now = setup.options.now()
    guard moved.isEmpty || waiting?.hasDelivered == false, now - ownerAsked >= LiveAttempt.ownerMilliseconds else {
      return
    }
    ownerAsked = now
    // A store that cannot be asked now will be asked again; its trouble is the next commit's to say.
    guard let takeover = try? setup.store.takenOver() else { return }
    throw ReplayError.takenOver(takeover, setup.store, effect: "everything that this run applied is committed")
  }

  private func hearOutage() {
    let outage = setup.source.outage
    guard outage != state.outage else { return }
    state.outage = outage
    setup.observe(state)
  }

  private func isDue(_ rests: Bool) -> Bool {
    commits.isDue(
      now: setup.options.now(), hasWork: !moved.isEmpty, rests: rests, changedBytes: lane.load.changedBytes,
      waiting: waiting)
  }

  private func askEnds() {
    let now = setup.options.now()
    guard now - endsAsked > LiveAttempt.endsMilliseconds else { return }
    endsAsked = now
    for (partition, end) in setup.source.ends() {
      guard let place = places[partition] else { continue }
      state.parts[place].end = max(state.parts[place].end, end)
    }
  }

  private func reached(_ fault: LiveRun.Fault) -> Bool {
    places[fault.partition].map { state.parts[$0].next >= fault.position } ?? true
  }

  private func caughtUp(_ partition: Partition, _ next: Position) {
    guard let place = places[partition] else { return }
    // The position moves past what nobody fills, and is kept: the next run begins behind it.
    if next > state.parts[place].next { move(place, to: next) }
    state.parts[place].end = max(next, state.parts[place].next)
    state.parts[place].caughtUpAt = setup.options.now()
    if moved.isEmpty { setup.observe(state) }
  }

  private func move(_ place: Int, to next: Position) {
    state.parts[place].next = next
    state.parts[place].end = max(state.parts[place].end, next)
    moved.insert(place)
  }

  private func take(_ messages: LiveMessages) throws {
    guard let place = places[messages.partition] else {
      throw ReplayError(.unexpected, "the stream delivered a partition that was not asked for: \(messages.partition)")
    }
    try verifyOrder(messages, place)
    var range = 0..<messages.count
    if let bound, bound.partition == messages.partition {
      range = 0..<(messages.messages.firstIndex { $0.position >= bound.position } ?? messages.count)
    }
    let isWhole = range.count == messages.count
    while !range.isEmpty {
      let (part, settled) = part(of: messages, range)
      let count = try apply(messages, part, place, settled)
      range = range.dropFirst(count)
    }
    if let last = messages.messages[..<range.upperBound].last {
      lastEvents[messages.partition] = (last.position, last.payload.map { Array(messages.bytes[$0]) })
    }
    move(place, to: isWhole ? messages.next : bound?.position ?? messages.next)
  }

  /// A stream that goes back, or repeats itself, would be applied twice.
  private func verifyOrder(_ messages: LiveMessages, _ place: Int) throws {
    var next = state.parts[place].next
    for message in messages.messages {
      guard message.position >= next else {
        try commit()
        throw ReplayError(
          .unexpected, "the stream goes back: \(setup.source.name)",
          details: [
            "partition \(messages.partition): expected position \(next) or a later one", "found: \(message.position)",
          ], effect: "everything before it is committed", next: "please report this")
      }
      next = message.position.successor
    }
  }

  /// As many as there are before the next event that came from the archive, or that one; and for each function, the
  /// first position of them that it has not settled.
  private func part(of messages: LiveMessages, _ range: Range<Int>) -> (Range<Int>, [Position]) {
    let partition = messages.partition
    var settled = frontiers.map { $0[partition] ?? .zero }
    let first = messages.messages[range.lowerBound].position
    guard let next = ahead.next(in: partition, from: first) else { return (range, settled) }
    guard next.position == first else {
      let end = range.first { messages.messages[$0].position >= next.position } ?? range.upperBound
      return (range.lowerBound..<end, settled)
    }
    for function in settled.indices where next.functions >> UInt32(function) & 1 == 1 {
      settled[function] = max(settled[function], first.successor)
    }
    return (range.lowerBound..<range.lowerBound + 1, settled)
  }

  private func apply(
    _ messages: LiveMessages, _ range: Range<Int>, _ place: Int, _ settled: [Position]
  ) throws -> Int {
    do {
      let count = try setup.decoder.decode(messages, range, settled: settled, into: block)
      block.partitionIndex = UInt32(place)
      let facts = BlockFacts(
        block, own: settled.map { _ in 1 }, functions: setup.projections.count, acceptsGaps: true)
      try lane.apply(block)
      ledger.enter(facts, partition: place)
      return count
    } catch let error as ReplayError {
      // Of a function it may be an event that came long before.
      if let fault = LiveRun.Fault(error) { throw fault }
      guard let ordinal = error.place?.ordinal, range.lowerBound + Int(ordinal) < messages.count else { throw error }
      let position = messages.messages[range.lowerBound + Int(ordinal)].position
      throw LiveRun.Fault(error: error, partition: messages.partition, position: position)
    }
  }

  private func commit() throws {
    guard !moved.isEmpty else { return }
    let moves = frontiers.map { own in
      var moves = Committer.Moves()
      for part in moved.map({ state.parts[$0] }) where part.next > own[part.partition] ?? .zero {
        moves.frontier[part.partition] = part.next
      }
      return moves
    }
    let changes = [try cutLane()]
    var taken = ledger.take(Array(partitions.indices))
    taken.enter(changes, partitions: partitions)
    var cut = Committer.Cut(
      lanes: changes, places: [0], names: setup.projections.map(\.name), moves: moves,
      settled: setup.projections.map { _ in [] }, findings: [], ledger: taken)
    cut.lastEvents = lastEvents.mapValues { last in
      PrintedEvent(
        position: last.position, print: last.payload?.withUnsafeBytes { setup.print($0) } ?? setup.print(nil))
    }
    lastEvents = [:]
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
    for place in moved { state.parts[place].committed = state.parts[place].next }
    moved = []
    let durable = committer.durable
    (state.commits, state.rows) = (state.commits + 1, state.rows + durable.rows - rowsBefore)
    rowsBefore = durable.rows
    ownerAsked = setup.options.now()
    commits.committed(now: ownerAsked)
    if lane.load.stateBytes > setup.options.maxStateBytes { lane.trim(to: setup.options.maxStateBytes) }
    setup.observe(state)
  }

  private func cutLane() throws -> [LaneCut] {
    do { return try lane.cut() } catch let error as ReplayError { throw LiveRun.Fault(error) ?? error }
  }

  private var rowsBefore: UInt64 = 0
}
