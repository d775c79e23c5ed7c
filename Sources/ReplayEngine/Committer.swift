import ReplayCore

/// Writes one epoch at a time on its own thread, while the next one runs.
final class Committer {
  /// Everything that one commit is made of; built into rows on the committing thread.
  struct Cut: Sendable {
    let lanes: [[LaneCut]]
    /// The lanes' numbers.
    let places: [Int]
    let names: [String]
    /// One entry for each function.
    let moves: [Moves]
    let settled: [[SettledSegment]]
    /// What flags let through.
    let findings: [ChainFinding]
    let ledger: Ledger
    /// Of all functions from now on; nil: as it was.
    var phase: Phase?
    /// Of partitions of a stream that moved, for all functions.
    var lastEvents: [Partition: PrintedEvent] = [:]
  }

  /// The partitions that moved for one function, and where they stand in the middle of a segment.
  struct Moves: Sendable {
    var frontier: [Partition: Position] = [:]
    var halfRead: [HalfReadSegment] = []
    var gapEnds: [Partition: Position] = [:]
  }

  private enum State {
    case idle
    case asked(Cut)
    case working
    case closed
  }

  private struct Desk: Sendable {
    var state: State = .idle
    var failure: (any Error)?
    var epochs: UInt64 = 0
    var rows: UInt64 = 0
    var milliseconds: Int64 = 0
    /// What is durable: the books of all committed epochs, and the frontier of each function.
    var books: Ledger
    var frontiers: [[Partition: Position]]
    var gapEnds: [Partition: Position] = [:]
    /// For each function, the events that were left and are kept, before this run and by its commits.
    var kept: [KeptEvents]
    /// For each function, its windows that are not over.
    var windows: [[Partition: OpenWindow]]
    /// Segments settled by this run's commits, one entry for each function.
    var settled: [SettledSegment] = []
  }

  private let desk: Monitor<Desk>
  private let store: any Store
  private let now: @Sendable () -> Int64
  private var thread: NamedThread?
  private let keyOwners: KeyOwners?

  /// `kept` and `windows`: one entry for each function; of more bytes than `maxKeptBytes` none may have any.
  init(
    _ store: any Store, books: Ledger, frontiers: [[Partition: Position]], kept: [KeptEvents], maxKeptBytes: Int,
    windows: [[Partition: OpenWindow]], keyOwners: KeyOwners?, now: @escaping @Sendable () -> Int64,
    observe: @escaping @Sendable (RunEvent) -> Void
  ) throws {
    self.store = store
    self.now = now
    self.keyOwners = keyOwners
    desk = Monitor(Desk(books: books, frontiers: frontiers, kept: kept, windows: windows))
    let (desk, owners) = (desk, keyOwners)
    thread = try NamedThread("replay-commit") { Committer.work(desk, store, owners, maxKeptBytes, now, observe) }
  }

  /// Hands the cut over; waits while the one before is being written. Throws what became of that one.
  func commit(_ cut: Cut) throws {
    try desk.wait { desk -> Void? in
      if let failure = desk.failure { throw failure }
      guard case .idle = desk.state else { return nil }
      desk.state = .asked(cut)
      return ()
    }
  }

  /// Waits until nothing is being written. Throws what became of the last commit.
  func settle() throws {
    try desk.wait { desk -> Void? in
      if let failure = desk.failure { throw failure }
      guard case .idle = desk.state else { return nil }
      return ()
    }
  }

  /// True where a cut would be written at once.
  var isIdle: Bool {
    desk.quietly { desk in
      if case .idle = desk.state { desk.failure == nil } else { false }
    }
  }

  func close() {
    desk.wait { desk -> Void? in
      if desk.failure == nil, case .asked = desk.state { return nil }
      if case .working = desk.state { return nil }
      desk.state = .closed
      return ()
    }
    thread?.join()
    thread = nil
  }

  var durable: (books: Ledger, frontiers: [[Partition: Position]], epochs: UInt64, rows: UInt64, milliseconds: Int64) {
    desk.quietly { ($0.books, $0.frontiers, $0.epochs, $0.rows, $0.milliseconds) }
  }

  /// Behind the last gap in what this run's commits hold.
  var durableGapEnds: [Partition: Position] { desk.quietly { $0.gapEnds } }

  /// What this run's commits settled since it was asked last.
  var durableSettled: [SettledSegment] {
    desk.quietly { desk in
      defer { desk.settled = [] }
      return desk.settled
    }
  }

  var failure: (any Error)? { desk.quietly { $0.failure } }

  /// What the store's program refused, of which nothing was written: after it commits go on from the last one.
  func takeRefused() -> RefusedEvent? {
    desk.quietly { desk in
      guard let refused = desk.failure as? RefusedEvent else { return nil }
      desk.failure = nil
      return refused
    }
  }

  /// What the store keeps of each function, as far as is durable.
  var kept: [KeptEvents] { desk.quietly { $0.kept } }

  /// For each function, its windows that are not over, as far as is durable.
  var windows: [[Partition: OpenWindow]] { desk.quietly { $0.windows } }

  /// Goes on after a commit that failed: its epoch was dropped, and is made anew.
  func forgive() { desk.change { $0.failure = nil } }

  private static func work(
    _ desk: Monitor<Desk>, _ store: any Store, _ owners: KeyOwners?, _ maxKeptBytes: Int, _ now: @Sendable () -> Int64,
    _ observe: @Sendable (RunEvent) -> Void
  ) {
    while true {
      let cut = desk.wait { desk -> Cut?? in
        if case .closed = desk.state { return .some(nil) }
        guard case .asked(let cut) = desk.state else { return nil }
        desk.state = .working
        return .some(cut)
      }
      guard let cut else { return }
      let begun = now()
      let kept = Committer.adding(cut, to: desk.quietly { $0.kept })
      let result = Result {
        if let kept { try verify(kept, cut.names, store, maxKeptBytes) }
        return try write(cut, to: store, owners)
      }
      let told = desk.change { desk -> RunEvent? in
        desk.state = .idle
        switch result {
        case .success(let rows):
          for lane in cut.lanes { for function in lane { function.receipt?.sign() } }
          desk.epochs += 1
          desk.rows += rows
          desk.milliseconds += now() - begun
          desk.books += cut.ledger
          desk.kept = kept ?? desk.kept
          desk.settled += cut.settled.flatMap { $0 }
          for lane in cut.lanes {
            for (index, own) in lane.enumerated() { desk.windows[index].merge(own.windows) { $1 } }
          }
          for (index, moves) in cut.moves.enumerated() {
            desk.frontiers[index].merge(moves.frontier) { $1 }
            desk.gapEnds.merge(moves.gapEnds) { max($0, $1) }
          }
          let events = cut.names.indices.map { desk.books.total(of: $0).read }.max() ?? 0
          return .committed(commits: desk.epochs, events: events, rows: desk.rows)
        case .failure(let error):
          desk.failure = error
          return nil
        }
      }
      if let told { observe(told) }
    }
  }

  /// What is kept once the cut is written; nil where it leaves nothing.
  private static func adding(_ cut: Cut, to kept: [KeptEvents]) -> [KeptEvents]? {
    guard cut.lanes.contains(where: { $0.contains { !$0.left.isEmpty } }) else { return nil }
    var kept = kept
    for lane in cut.lanes {
      for (index, cut) in lane.enumerated() { kept[index].add(cut.left) }
    }
    return kept
  }

  private static func verify(_ kept: [KeptEvents], _ names: [String], _ store: any Store, _ limit: Int) throws {
    for (name, kept) in zip(names, kept) where kept.byteCount > limit {
      throw ReplayError(
        .data, "the events that the function \(name) could not apply are more than may be kept",
        details: [
          "limit \(limit) bytes (--max-parked-bytes), with the next commit it would be \(kept.byteCount)",
          "\(kept.parkedKeys.count) keys with \(kept.parked) events are parked, \(kept.dead) are dead letters",
          "store \(store.name)",
        ], effect: "nothing of the last commit was written; all before it is there",
        next:
          "look at them with `replay failed list`; mend the function, then `replay failed retry`; or raise the limit")
    }
  }

  private static func write(_ cut: Cut, to store: any Store, _ owners: KeyOwners?) throws -> UInt64 {
    try owners?.claim(cut)
    var functions: [EpochCommit.Function] = []
    for (index, name) in cut.names.enumerated() {
      var changes: [RowSet] = []
      let lanes = cut.lanes.map { $0[index] }
      for table in lanes.first?.merged.indices ?? 0..<0 {
        guard let first = lanes.first?.merged[table] else { continue }
        do { for lane in lanes.dropFirst() { try first.absorb(lane.merged[table]) } } catch {
          throw ReplayError(
            .data, "a value does not fit its column: table \(first.schema.name)", details: ["\(error)"],
            effect: "nothing of the last commit was written; all before it is there")
        }
        changes.append(first.sorted())
      }
      for lane in lanes { changes += lane.keyed }
      var function = EpochCommit.Function(
        name: name, changes: changes.filter { $0.count > 0 || !$0.deletes.isEmpty },
        frontier: cut.moves[index].frontier, settled: cut.settled[index], halfRead: cut.moves[index].halfRead,
        events: cut.ledger.total(of: index).read)
      function.gathered = lanes.compactMap(\.gathered).filter { $0.count > 0 }
      function.left = lanes.flatMap(\.left)
      for lane in lanes { function.windows.merge(lane.windows) { $1 } }
      function.findings = cut.findings
      function.gapEnds = cut.moves[index].gapEnds
      function.phase = cut.phase
      function.lastEvents = cut.lastEvents.filter { function.frontier[$0.key] != nil }
      functions.append(function)
    }
    switch try store.commit(EpochCommit(functions: functions)) {
    case .committed(let rows): return rows
    case .fenced(let function, let owner):
      throw ReplayError.takenOver(
        Takeover(function: function, by: owner), store,
        effect: "nothing of the last commit was written; all before it is there")
    case .unknown:
      throw ReplayError(
        .temporary, "the store did not say whether the last commit was written",
        details: ["store \(store.name)"], effect: "it is there whole, or not at all",
        next: "run the same command: it begins by reading what is there")
    }
  }
}

/// Which partition each key was first seen in, in this run, where the archive's partitions are trusted to separate
/// keys. Above `maxKeys` only a sample is remembered, by the keys' hashes: a topic whose partitions were changed moves
/// very many keys. Only the committing thread uses it.
final class KeyOwners: @unchecked Sendable {
  private var owners: [UInt64: Int] = [:]
  private let partitions: [Partition]
  private let maxKeys: Int
  /// Keys whose hash is above this are not remembered.
  private var greatest = UInt64.max

  init(_ partitions: [Partition], maxKeys: Int = 4 << 20) {
    self.partitions = partitions
    self.maxKeys = maxKeys
  }

  /// Lane `n` reads partition `n`.
  func claim(_ cut: Committer.Cut) throws {
    for (partition, lane) in zip(cut.places, cut.lanes) {
      for hashes in lane.flatMap(\.keyHashes) {
        for hash in hashes where hash <= greatest {
          guard let owner = owners.updateValue(partition, forKey: hash), owner != partition else { continue }
          var error = ReplayError.keyInTwoPartitions([
            "partitions \(partitions[owner]) and \(partitions[partition]), key hash \(String(hash, radix: 16))"
          ])
          error.effect = "nothing of the last commit was written; all before it is there"
          throw error
        }
      }
    }
    while owners.count > maxKeys {
      greatest /= 2
      owners = owners.filter { $0.key <= greatest }
    }
  }
}

extension ReplayError {
  static func takenOver(_ takeover: Takeover, _ store: any Store, effect: String) -> ReplayError {
    ReplayError(
      .fenced, "another run owns the function \(takeover.function)",
      details: ["it was taken over by \(takeover.owner)", "store \(store.name)"], effect: effect,
      next:
        "if it is a run, let it finish; if a consumer group, that goes on with the stream; `replay status` shows how far it is"
    )
  }

  static func keyInTwoPartitions(_ details: [String]) -> ReplayError {
    ReplayError(
      .data, "a partition key is in two partitions, so its events have no one order", details: details,
      next:
        "if the function's tables may be merged in any order, make them merged tables; else replay one topic, or the "
        + "archive from before and after the partitions were changed, one after another")
  }
}
