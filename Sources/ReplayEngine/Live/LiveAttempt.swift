import ReplayCore

/// One stretch of a live run: from the committed positions until it is told to stop, has caught up, meets an event that
/// cannot be applied, or the stream's partitions change.
///
/// One thread reads and commits. A function in this process is applied by it too; others have lanes with threads.
final class LiveAttempt {
  enum End {
    case caughtUp
    case stopped
    /// At an event that is not to be applied; everything before it is committed.
    case bounded(LiveRun.Fault)
    /// The stream has another set of partitions: begin anew from what is committed.
    case changed
  }

  let setup: LiveSetup
  var frontiers: [[Partition: Position]]
  private let ahead: ArchivedAhead
  var state: LiveState
  /// In each partition, the event to stop before.
  private let bounds: [Partition: LiveRun.Fault]
  let partitions: [Partition]
  private let places: [Partition: Int]
  let lanes: [Lane]
  /// The lanes' threads, where they wait for workers; nil: there is one lane, and it is this thread's.
  let threads: LiveLanes?
  let committer: Committer
  private let block: RecordBlock
  private let filter: BlockFilter?
  var commits: LiveCommits
  var ledger: Ledger
  /// Places of partitions that moved since the last cut.
  var moved: Set<Int> = []
  /// Of partitions that moved, the last event and its payload.
  var lastEvents: [Partition: (position: Position, payload: [UInt8]?)] = [:]
  /// Cuts that not every lane has come to, the oldest first.
  var openCuts: [OpenCut] = []
  var rowsBefore: UInt64 = 0
  /// When the stream's ends were asked for: while events keep coming, nobody says how far they go.
  private var endsAsked: Int64
  private static let endsMilliseconds: Int64 = 2_000
  /// When the store was asked whether the functions are still this run's: a commit asks it, and who has none.
  var ownerAsked: Int64
  private static let ownerMilliseconds: Int64 = 2_000

  init(
    _ setup: LiveSetup, frontiers: [[Partition: Position]], ahead: ArchivedAhead, deliveries: [DeliveryLog],
    state: LiveState, before bounds: [Partition: LiveRun.Fault], badEvents: [BadEvents]
  ) throws {
    self.setup = setup
    self.ahead = ahead
    self.bounds = bounds
    filter = BlockFilter(setup.filter, setup.extraction)
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
    let waits = setup.projections.contains(where: \.hasSessions)
    // A window has all keys of its partition.
    let isWhole = setup.projections.contains { $0.windowSeconds != nil }
    let count = waits && !isWhole ? max(1, setup.options.workers) : 1
    lanes = try (0..<count).map { number in
      try Lane(
        setup.projections, setup.extraction, number: number, of: count, store: setup.store, partitions: partitions,
        isFresh: setup.projections.map { _ in false }, deliveries: deliveries, holdAbove: .max,
        onError: setup.options.onError, parkedKeys: state.kept.map(\.parkedKeys), badEvents: badEvents,
        windows: state.windows)
    }
    threads =
      waits
      ? LiveLanes(
        lanes, keyColumn: setup.extraction.keyColumn, maxAheadBytes: setup.options.maxAheadBytes,
        maxChangedBytes: 2 * setup.options.commitBytes, gate: setup.options.gate, now: setup.options.now) : nil
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
    threads?.close()
    committer.close()
    for lane in lanes { lane.abandon() }
  }

  func run() throws -> End {
    guard let threads else { return try follow() }
    let watch = SessionWatch()
    let (stop, now) = (setup.stop, setup.options.now)
    let thread = try NamedThread("replay-stop") {
      watch.run(stop, after: LiveAttempt.stopMilliseconds, now: now) { threads.cancel() }
    }
    defer {
      // Calls that are under way are waited for, and given up where a stop is asked for meanwhile.
      threads.close()
      watch.end()
      thread.join()
    }
    do {
      try threads.start()
      return try follow()
    } catch {
      // What a stop cut short is dropped, and read again by the next run.
      if watch.hasGivenUp { return .stopped }
      throw error
    }
  }

  /// After a request to stop: how long a call that is under way may take.
  private static let stopMilliseconds: Int64 = 1_500
  /// How long the stream is waited for while a cut is open, which may be whole at any time.
  static let openMilliseconds = 5

  private func follow() throws -> End {
    setup.observe(state)
    while true {
      let event = try next()
      var hasChanged = false
      switch event {
      case .messages(let messages):
        try take(messages)
        askEnds()
        // Until it is committed, which may take as long as a call does, nobody is to think that all is done.
        if threads != nil { setup.observe(state) }
      case .caughtUp(let partition, let next): caughtUp(partition, next)
      case .opened: hasChanged = true
      case .closed(let partition): if let place = places[partition] { state.parts[place].isClosed = true }
      case nil: break
      }
      try verifyOwner()
      hearOutage()
      let rests = if case .messages? = event { false } else { true }
      let bound = bounds.values.first(where: reached)
      if setup.stop.isStopped || hasChanged || bound != nil {
        try commitAll()
      } else {
        try commitDue(rests)
      }
      if let bound { return .bounded(bound) }
      if setup.stop.isStopped { return .stopped }
      if hasChanged { return .changed }
      if setup.options.untilCaughtUp, !isOpen, state.isCaughtUp { return .caughtUp }
    }
  }

  /// True where something was read that is not committed.
  var isOpen: Bool { !moved.isEmpty || !openCuts.isEmpty }

  /// What the stream says next, where there is room for it.
  private func next() throws -> LiveEvent? {
    if let threads {
      let hasRoom = threads.hasRoom
      if !hasRoom || isOpen && isOverBudget {
        threads.wait(milliseconds: LiveAttempt.openMilliseconds, orRoom: !hasRoom)
        return nil
      }
    }
    let patience =
      openCuts.isEmpty
      ? commits.patience(
        now: setup.options.now(), hasWork: !moved.isEmpty, idle: setup.options.idleMilliseconds, waiting: waiting)
      : min(LiveAttempt.openMilliseconds, setup.options.idleMilliseconds)
    // The source's trouble comes after what was applied is committed.
    do { return try setup.source.poll(milliseconds: patience) } catch {
      try commitAll()
      throw error
    }
  }

  /// Who is to end once it has caught up waits for no more events.
  var waiting: SessionWait? { setup.options.untilCaughtUp ? nil : threads?.waiting }

  /// A run that has nothing to commit soon, or waits for calls, would not notice that another one follows in its place.
  private func verifyOwner() throws {
    let now = setup.options.now()
    guard now - ownerAsked >= LiveAttempt.ownerMilliseconds else { return }
    ownerAsked = now
    // A store that cannot be asked now will be asked again; its trouble is the next commit's to say.
    guard let takeover = try? setup.store.takenOver() else { return }
    // No call begins any more: the keys are the other run's.
    threads?.cancel()
    let effect =
      isOpen ? "what is not committed is the other run's to do" : "everything that this run applied is committed"
    throw ReplayError.takenOver(takeover, setup.store, effect: effect)
  }

  private func hearOutage() {
    let outage = setup.source.outage
    guard outage != state.outage else { return }
    state.outage = outage
    setup.observe(state)
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
    if !isOpen { setup.observe(state) }
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
    let bound = bounds[messages.partition]
    if let bound {
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
        try commitAll()
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
      let block = threads?.block { RecordBlock(segment: self.block.segment) } ?? self.block
      let count = try setup.decoder.decode(messages, range, settled: settled, into: block)
      block.partitionIndex = UInt32(place)
      let facts = try BlockFacts(
        block, own: settled.map { _ in 1 }, functions: setup.projections.count, acceptsGaps: true, filter: filter)
      if let threads {
        threads.send(block, bytes: messages.byteCount(of: range.prefix(count)))
      } else {
        try setup.options.gate.working { try lanes[0].apply(block) }
      }
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
}

extension LiveMessages {
  /// Of these events, with their keys and headers.
  fileprivate func byteCount(of places: Range<Int>) -> Int {
    messages[places].reduce(0) { $0 + ($1.payload?.count ?? 4) + ($1.key?.count ?? 0) + ($1.headers?.count ?? 0) }
  }
}
