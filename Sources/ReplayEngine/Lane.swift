import ReplayCore

/// One line of work: what it has changed for each function since the last cut. Touched by one thread at a time: the
/// one that holds its task, or the coordinator while all workers stand.
final class Lane {
  let changes: [Changes]
  let projections: [any Projection]
  let extraction: Extraction
  private let store: any Store
  /// Those of the plan, for messages.
  private let partitions: [Partition]
  /// For each function, whether keys that are not in memory may be in the store.
  private var loads: [Bool]
  /// For each function, the events that it will be given later; nil where it is given each block as it comes.
  private var held: [HeldEvents?] = []
  /// Bytes of keyed rows above which events are held back.
  private let holdAbove: Int
  /// For each function, what it works with in this lane; nil where it works without.
  let sessions: [(any FunctionSession)?]
  /// For each function, what it could not apply since the last cut.
  let left: [LeftEvents]
  /// For each function, events that are known to be bad: left without being tried.
  let badEvents: [BadEvents]
  /// For each function without a session, how its batches are taken back; nil where no event is ever left.
  let trials: [Trial]?
  /// The record that a function is looking at: where its error is to be reported.
  let cursor = UnsafeMutablePointer<Int>.allocate(capacity: 1)

  /// `number`: the lane's place among the run's `count` lanes. `parkedKeys`, `badEvents` and `windows`: one entry for each
  /// function.
  init(
    _ projections: [any Projection], _ extraction: Extraction, number: Int = 0, of count: Int = 1,
    store: any Store, partitions: [Partition], isFresh: [Bool], deliveries: [DeliveryLog] = [], holdAbove: Int,
    onError policy: FailurePolicy = FailurePolicy(), parkedKeys: [Set<[UInt8]>]? = nil, badEvents: [BadEvents]? = nil,
    windows: [[Partition: OpenWindow]] = []
  ) throws {
    sessions = try projections.map { try $0.session(lane: number) }
    for (index, session) in sessions.enumerated() {
      let log = deliveries.isEmpty ? DeliveryLog(run: 0) { _ in } : deliveries[index]
      session?.begin(log, keys: KeyRange(lane: number, of: count))
      session?.resume(windows.isEmpty ? [:] : windows[index])
    }
    self.badEvents = badEvents ?? projections.map { _ in BadEvents() }
    left = projections.indices.map { LeftEvents(policy, parkedKeys: parkedKeys?[$0] ?? []) }
    self.projections = projections
    self.extraction = extraction
    self.store = store
    self.partitions = partitions
    changes = projections.map {
      Changes(tables: $0.tables.map(\.schema), program: $0.program, isOrdered: !$0.isMergeOnly)
    }
    let leaves = policy.choice != .fail || left.contains { !$0.parkedKeys.isEmpty }
    trials = leaves ? changes.map(Trial.init) : nil
    loads = isFresh.map { !$0 }
    self.holdAbove = holdAbove
    cursor.initialize(to: 0)
    held = projections.indices.map(holding)
  }

  deinit { cursor.deallocate() }

  /// Runs every function over its records of the block, or of the selection in it; or holds them back.
  func apply(_ block: RecordBlock, selection: UnsafeBufferPointer<UInt32>? = nil) throws {
    guard selection?.count ?? block.count > 0 else { return }
    if trials != nil { return try applyLeaving(block, selection) }
    for index in projections.indices {
      let mask: UInt32 = 1 << UInt32(index)
      if let held = held[index], changes[index].stateBytes > holdAbove {
        try held.take(block, selection, mask: mask)
        continue
      }
      try withBatch(of: index, in: block, selection) { batch in
        try prepare(index, batch)
        do {
          if let session = sessions[index] {
            try session.apply(batch, changes[index], left[index])
          } else {
            try projections[index].apply(batch, changes[index])
          }
        } catch {
          throw failure(error, of: projections[index], in: block, at: cursor.pointee)
        }
      }
    }
  }

  /// Lends the function's batch of the block's records, or of the selection in it.
  func withBatch<Result>(
    of index: Int, in block: RecordBlock, _ selection: UnsafeBufferPointer<UInt32>?,
    _ body: (Batch) throws -> Result
  ) rethrows -> Result {
    try extraction.functions[index].columns.withUnsafeBufferPointer { columns in
      // A function without fields has no columns, and none is read.
      let base = columns.baseAddress ?? UnsafePointer(bitPattern: 8).unsafelyUnwrapped
      return try body(
        Batch(
          block: block, columns: base, selection: selection, mask: 1 << UInt32(index),
          keyColumn: extraction.keyColumn, cursor: cursor,
          phase: block.segment.partition.side == .live ? .live : .archive))
    }
  }

  /// Has the rows of the batch's keys in memory.
  func prepare(_ index: Int, _ batch: Batch) throws {
    if loads[index] { try fetch(batch, changes[index]) }
    for rows in changes[index].keyed { rows.warm(batch) }
  }

  /// What holds events of the function back; nil where it has no keyed table, or asks for what is not held.
  private func holding(_ index: Int) -> HeldEvents? {
    guard !changes[index].keyed.isEmpty, sessions[index] == nil, trials == nil,
      !projections[index].reads.wholeRecords
    else { return nil }
    return HeldEvents(columns: extraction.functions[index].columns, keyColumn: extraction.keyColumn) {
      [unowned self] block, columns, keyColumn in
      let batch = Batch(block: block, columns: columns, mask: .max, keyColumn: keyColumn, cursor: cursor)
      try prepare(index, batch)
      do { try projections[index].apply(batch, changes[index]) } catch {
        throw HeldEventFault(error: failure(error, of: projections[index], in: block, at: cursor.pointee))
      }
    }
  }

  /// Fetches the rows of keys that come in this batch and are not in memory.
  private func fetch(_ batch: Batch, _ changes: Changes) throws {
    for rows in changes.keyed {
      var absent: [Text] = []
      // Bytes: two texts that Swift holds for equal may be two keys.
      var asked: Set<[UInt8]> = []
      for event in batch {
        guard let key = try? event.key, !rows.holds(key) else { continue }
        if asked.insert(Array(key.bytes)).inserted { absent.append(key) }
      }
      if !absent.isEmpty { try store.load(rows.schema, keys: absent, into: rows) }
    }
  }

  /// What the lane holds in memory, in bytes.
  var load: LaneLoad {
    changes.reduce(into: LaneLoad()) {
      $0.changedBytes += $1.changedBytes
      $0.stateBytes += $1.stateBytes
    }
      + LaneLoad(
        changedBytes: left.reduce(0) { $0 + $1.byteCount },
        stateBytes: held.reduce(0) { $0 + ($1?.byteCount ?? 0) } + sessions.reduce(0) { $0 + ($1?.heldBytes ?? 0) })
  }

  /// True where a function works in a process or a service of its own, which is waited for.
  var hasSessions: Bool { sessions.contains { $0 != nil } }

  /// Whether some function's batches may wait for more events.
  var mayWait: Bool { sessions.contains { $0?.mayWait ?? false } }

  /// How long sessions may still wait for more; nil where nothing waits.
  var waitMilliseconds: Int64? { sessions.compactMap { $0?.waitMilliseconds }.min() }

  /// Whether something was delivered since the last cut, or is applied without a session.
  var hasDelivered: Bool { sessions.contains { $0?.hasDelivered ?? true } }

  /// Applies what is held back.
  func settle() throws {
    for held in held { try held?.settle() }
    for index in sessions.indices { try settleSession(index) }
  }

  /// Has sessions apply what they hold, where nothing more is there for them now.
  func flush() throws {
    for index in sessions.indices { try telling(index) { try sessions[index]?.flush(changes[index], left[index]) } }
  }

  func settleSession(_ index: Int) throws {
    try telling(index) { try sessions[index]?.settle(changes[index], left[index]) }
  }

  private func telling(_ index: Int, _ body: () throws -> Void) throws {
    do { try body() } catch let fault as EventFault {
      throw failure(fault, of: projections[index])
    } catch let both as KeyedRows.KeyInTwoPartitions {
      throw failure(both)
    }
  }

  /// From any thread: calls that sessions wait for are given up.
  func cancel() { for session in sessions { session?.cancel() } }

  /// Forgets what sessions hold of an epoch that is dropped.
  func abandon() { for session in sessions { session?.abandon() } }

  /// Hands over the changes since the last cut, for each function; after it the next epoch's are collected.
  func cut() throws -> [LaneCut] {
    try settle()
    return changes.indices.map { index in
      let changes = changes[index]
      let (events, receipt) = left[index].take()
      return LaneCut(
        merged: changes.takeMerged(),
        keyHashes: changes.keyed.map(\.newKeyHashes) + [changes.takeGatheredKeyHashes() ?? []],
        keyed: changes.keyed.map { $0.snapshot() }, gathered: changes.takeGathered(), left: events, receipt: receipt,
        windows: sessions[index]?.takeWindows() ?? [:])
    }
  }

  /// Forgets clean keyed rows above `bytes`; from then on keys are loaded.
  func trim(to bytes: Int) {
    for (index, changes) in changes.enumerated() where changes.stateBytes > bytes {
      for rows in changes.keyed { rows.forget() }
      loads[index] = true
    }
  }

  /// The function's error with the event that it was looking at.
  func failure(
    _ error: any Error, of projection: any Projection, in block: RecordBlock, at record: Int
  ) -> ReplayError {
    if let fault = error as? EventFault { return failure(fault, of: projection) }
    if let error = error as? ReplayError { return error }
    let place = block.place(of: record)
    let excerpt = block.gathered == nil ? Lane.excerpt(block, record) : ""
    if let both = error as? KeyedRows.KeyInTwoPartitions {
      return failure(both, at: ["\(place)"] + (excerpt.isEmpty ? [] : ["event: \(excerpt)"]))
    }
    return failure(
      EventFault(place: place, reasons: [Lane.reason(error, of: projection)], excerpt: excerpt), of: projection)
  }

  /// What the function said of an event, in a line.
  static func reason(_ error: any Error, of projection: any Projection) -> String {
    (error as? FieldError)?.text(of: projection.reads) ?? "\(error)"
  }

  private static func next(_ segment: Segment) -> String {
    let flag = segment.partition.side == .live ? "--on-error-live" : "--on-error"
    return "mend the function or the event, then run the same command; \(flag) park or dead-letter goes on without it"
  }

  private func failure(_ fault: EventFault, of projection: any Projection) -> ReplayError {
    let event = fault.excerpt.isEmpty ? [] : ["event: \(fault.excerpt)"]
    return ReplayError(
      .data, "the function \(projection.name) could not apply an event",
      details: ["\(fault.place)"] + fault.reasons + event, next: Lane.next(fault.place.segment)
    ).at(FunctionFault(function: projection.name, place: fault.place, reason: fault.reasons.joined(separator: "\n")))
  }

  /// Without a place: which of the two events comes first is not known, so there is nothing to stop just before.
  private func failure(_ both: KeyedRows.KeyInTwoPartitions, at details: [String] = []) -> ReplayError {
    let names = [both.first, both.second].map { partitions.indices.contains($0) ? "\(partitions[$0])" : "\($0)" }
    return ReplayError.keyInTwoPartitions(details + ["partitions \(names[0]) and \(names[1])"])
  }

  private static func excerpt(_ block: RecordBlock, _ record: Int) -> String {
    ReplayError.excerpt(block.text(block.records[record]), limit: 200)
  }
}

/// An event that had been held back could not be applied. Others that come before it may fail too: the run is made again
/// from its last commit with nothing held back, and tells the first one.
struct HeldEventFault: Error {
  let error: ReplayError
}

/// What a lane, or all of them, hold in memory.
struct LaneLoad {
  /// Of what the next commit will write.
  var changedBytes = 0
  /// Of keyed rows, changed or not.
  var stateBytes = 0

  static func + (a: LaneLoad, b: LaneLoad) -> LaneLoad {
    LaneLoad(changedBytes: a.changedBytes + b.changedBytes, stateBytes: a.stateBytes + b.stateBytes)
  }
}

/// What one lane changed for one function in one epoch. `@unchecked Sendable`: handed from the lane to the committer,
/// which is then its only owner.
final class LaneCut: @unchecked Sendable {
  let merged: [MergedRows]
  let keyHashes: [[UInt64]]
  let keyed: [RowSet]
  let gathered: GatheredRows?
  let left: [LeftEvent]
  /// To be signed once `left` is durable.
  let receipt: CommitReceipt?
  let windows: [Partition: OpenWindow]

  init(
    merged: [MergedRows], keyHashes: [[UInt64]], keyed: [RowSet], gathered: GatheredRows? = nil, left: [LeftEvent],
    receipt: CommitReceipt? = nil, windows: [Partition: OpenWindow]
  ) {
    self.merged = merged
    self.keyHashes = keyHashes
    self.keyed = keyed
    self.gathered = gathered
    self.left = left
    self.receipt = receipt
    self.windows = windows
  }
}
