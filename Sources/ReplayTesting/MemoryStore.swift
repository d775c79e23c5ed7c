import ReplayCore
import Synchronization

/// What `MemoryStore`s share, as processes share a file: rows, checkpoints and fences.
public final class MemoryDatabase: Sendable {
  let state = Mutex(MemoryState())

  public init() {}

  /// One line a row of every function's tables, as `StoreConformance` wants them.
  public func dump() -> [String] { state.withLock { $0.tables.values.flatMap { $0.lines } }.sorted() }

  /// The function's events that were left and are kept.
  public func kept(of function: String) -> [KeptEvent] { state.withLock { $0.functions[function]?.kept ?? [] } }

  /// The checkpoint of a function as it is now; nil where it was never opened.
  public func checkpoint(of function: String) -> Checkpoint? {
    state.withLock { state in state.functions[function]?.checkpoint }
  }
}

struct MemoryState: Sendable {
  struct Function: Sendable {
    var version: Int
    var shape: String
    var tables: [String]
    var range: KeyRange
    var fence = 0
    var owner = ""
    var checkpoint = Checkpoint()
    var reading = ""
    var kept: [KeptEvent] = []
    var lastNumber: Int64 = 0
  }

  var functions: [String: Function] = [:]
  var tables: [String: MemoryTable] = [:]
  var runs = 0
}

/// A store without a disk, with the promises of `StoreCapability.atomicEpoch`. Each value is one run; several on one
/// `MemoryDatabase` fence each other.
public final class MemoryStore: Store {
  private struct Run: Sendable {
    var fences: [String: Int] = [:]
    var isClosed = false
  }

  private let database: MemoryDatabase
  private let owner: String
  private let run = Mutex(Run())

  public init(_ database: MemoryDatabase = MemoryDatabase()) {
    self.database = database
    let number = database.state.withLock { state in
      state.runs += 1
      return state.runs
    }
    owner = "memory run \(number)"
  }

  public var name: String { "memory" }
  public var capability: StoreCapability { .atomicEpoch }

  public func open(_ functions: [FunctionIdentity], range: KeyRange, refresh: Bool) throws -> [Checkpoint] {
    if let function = functions.first(where: { $0.program != nil }) {
      throw ReplayError.noPrograms(function.name, in: name)
    }
    return try database.state.withLock { state in
      var draft = state
      var checkpoints: [Checkpoint] = []
      var fences: [String: Int] = [:]
      for function in functions {
        let opened = try draft.open(function, range: range, refresh: refresh, owner: owner)
        fences[function.name] = opened.fence
        checkpoints.append(opened.checkpoint)
      }
      state = draft
      run.withLock { $0.fences.merge(fences) { _, new in new } }
      return checkpoints
    }
  }

  public func commit(_ epoch: EpochCommit) throws -> CommitOutcome {
    let run = try opened()
    return try database.state.withLock { state in
      for function in epoch.functions {
        guard let stored = state.functions[function.name], let fence = run.fences[function.name] else {
          throw ReplayError(.unexpected, "the function \(function.name) was not opened in this store")
        }
        if stored.fence != fence { return .fenced(function: function.name, by: stored.owner) }
      }
      // Written to a copy, which takes the original's place only when all of it went well.
      var draft = state
      var rows: UInt64 = 0
      for function in epoch.functions { rows += try draft.write(function) }
      state = draft
      return .committed(rows: rows)
    }
  }

  public func takenOver() throws -> Takeover? {
    let run = try opened()
    return database.state.withLock { state in
      let lost = run.fences.keys.sorted().first { state.functions[$0]?.fence != run.fences[$0] }
      return lost.map { Takeover(function: $0, by: state.functions[$0]?.owner ?? "nobody") }
    }
  }

  public func kept(of function: String, _ filter: KeptFilter, after number: Int64, limit: Int) throws -> [KeptEvent] {
    _ = try opened()
    let all = database.kept(of: function)
    let matching = all.filter { filter.matches($0.event) }
    let queues = Set(matching.map { [[$0.event.state == .dead ? 1 : 0], $0.event.key] })
    let chosen =
      filter.wholeKeys ? all.filter { queues.contains([[$0.event.state == .dead ? 1 : 0], $0.event.key]) } : matching
    return Array(chosen.filter { $0.number > number }.prefix(limit))
  }

  public func load(_ table: TableSchema, keys: [Text], into rows: KeyedRows) throws {
    _ = try opened()
    let stored = database.state.withLock { $0.tables[table.storedName] }
    for key in keys where !rows.holds(key) {
      rows.adopt(key, rows: stored?.cells(of: key, in: rows.loadingArena) ?? [])
    }
  }

  public func keep(_ mark: DeliveryMark, of function: String) throws {
    database.state.withLock { state in
      let known = state.functions[function]?.checkpoint.delivered ?? []
      let others = known.filter { $0.partition != mark.partition || $0.range != mark.range }
      let next = max(mark.next, known.first { $0.partition == mark.partition && $0.range == mark.range }?.next ?? .zero)
      let kept = DeliveryMark(partition: mark.partition, range: mark.range, next: next)
      state.functions[function]?.checkpoint.delivered = others + [kept]
    }
  }

  public func close() throws { run.withLock { $0.isClosed = true } }

  private func opened() throws -> Run {
    let run = run.withLock { $0 }
    if run.isClosed { throw ReplayError(.unexpected, "the store is not open: memory") }
    return run
  }
}

extension MemoryState {
  mutating func open(
    _ identity: FunctionIdentity, range: KeyRange, refresh: Bool, owner: String
  ) throws -> (checkpoint: Checkpoint, fence: Int) {
    var function =
      functions[identity.name]
      ?? Function(version: identity.version, shape: identity.shape, tables: [], range: range)
    if !refresh { try check(function, identity) }
    if function.range != range { throw refusal(identity, "\(function.range)", "\(range)") }
    if let filter = identity.filter, refresh || function.checkpoint.epochs == 0 { function.checkpoint.filter = filter }
    if refresh {
      for table in function.tables { tables[table] = nil }
      function.checkpoint = Checkpoint()
      function.checkpoint.filter = identity.filter ?? FilterStatement()
      function.kept = []
    }
    for schema in identity.tables where !(function.tables.contains(schema.storedName) && !refresh) {
      guard tables.updateValue(MemoryTable(schema: schema), forKey: schema.storedName) == nil else {
        throw refusal(identity, "a table named \(schema.name)", "another of that name")
      }
    }
    function.version = identity.version
    function.shape = identity.shape
    if !identity.reading.isEmpty { function.reading = identity.reading }
    function.tables = identity.tables.map(\.storedName)
    function.fence += 1
    function.owner = owner
    function.checkpoint.run = Int64(function.fence)
    function.checkpoint.isFresh = function.tables.allSatisfy { tables[$0]?.rows.isEmpty ?? true }
    functions[identity.name] = function
    return (function.checkpoint, function.fence)
  }

  private func check(_ stored: Function, _ identity: FunctionIdentity) throws {
    if stored.version != identity.version {
      throw refusal(identity, "version \(stored.version)", "version \(identity.version)")
    }
    if stored.checkpoint.events > 0, !stored.reading.isEmpty, !identity.reading.isEmpty,
      stored.reading != identity.reading
    {
      throw refusal(identity, stored.reading, identity.reading)
    }
    if stored.shape != identity.shape { throw refusal(identity, stored.shape, identity.shape) }
    if stored.checkpoint.epochs > 0, let filter = identity.filter,
      let refusal = stored.checkpoint.filter.refusal(of: filter, function: identity.name, store: "memory")
    {
      throw refusal
    }
  }

  private func refusal(_ identity: FunctionIdentity, _ found: String, _ wanted: String) -> ReplayError {
    ReplayError(
      .config, "the store does not fit the function \(identity.name)",
      details: ["the store has \(found)", "this function has \(wanted)"])
  }

  mutating func write(_ change: EpochCommit.Function) throws -> UInt64 {
    var written = 0
    for set in change.changes {
      tables[set.schema.storedName]?.delete(set.deletes)
      written += set.deletes.count
    }
    for set in change.changes {
      try tables[set.schema.storedName]?.write(set)
      written += set.count
    }
    guard var checkpoint = functions[change.name]?.checkpoint else { return 0 }
    checkpoint.frontier.merge(change.frontier) { _, new in new }
    checkpoint.delivered.removeAll { mark in change.frontier[mark.partition].map { mark.next <= $0 } ?? false }
    for partition in change.frontier.keys { checkpoint.gapEnds[partition] = change.gapEnds[partition] }
    checkpoint.settled += change.settled
    checkpoint.halfRead.removeAll { change.frontier[$0.partition] != nil }
    checkpoint.halfRead += change.halfRead
    checkpoint.findings.removeAll { known in
      change.findings.contains {
        $0.segment == known.segment && $0.kind == known.kind && $0.partition == known.partition
      }
    }
    checkpoint.findings += change.findings
    checkpoint.events += change.events
    checkpoint.epochs += 1
    checkpoint.lastEvents.merge(change.lastEvents) { $1 }
    checkpoint.windows.merge(change.windows) { $1 }
    checkpoint.archivedAhead.merge(change.archivedAhead) { Set($0 + $1).sorted() }
    checkpoint.phase = change.phase ?? checkpoint.phase
    functions[change.name]?.checkpoint = checkpoint
    functions[change.name]?.keep(change)
    return UInt64(written)
  }
}

extension MemoryState.Function {
  fileprivate mutating func keep(_ change: EpochCommit.Function) {
    for one in change.retried {
      guard let place = kept.firstIndex(where: { $0.number == one.number }) else { continue }
      let event = kept[place].event
      kept.remove(at: place)
      guard let error = one.error else { continue }
      let again = LeftEvent(
        place: event.place, state: event.state, key: event.key, record: event.record, error: error,
        attempts: event.attempts + 1)
      kept.insert(KeptEvent(number: one.number, event: again), at: place)
    }
    for event in change.left {
      lastNumber += 1
      kept.append(KeptEvent(number: lastNumber, event: event))
    }
    checkpoint.kept = KeptEvents()
    checkpoint.kept.add(kept.map(\.event))
  }
}
