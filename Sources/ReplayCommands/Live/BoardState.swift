import ReplayCore
import ReplayEngine

/// What a run knows of itself, as it is told: events in, figures out. Holds positions and counts, never keys or payloads.
struct BoardState: Sendable {
  enum Phase: String, Sendable {
    case replaying
    case handingOff = "handing off"
    case live, stopped, failed
  }

  let functions: [String]
  private(set) var phase = Phase.replaying
  /// How a failed run ended.
  private(set) var exitCode: Int32?
  /// Compressed bytes of the archive that are not read yet; nil: not looked at yet.
  private(set) var archiveBytesLeft: UInt64?
  private(set) var handoff: JSONText?
  private(set) var hasHandedOff = false
  private(set) var live: LiveState?
  /// For each function, the next position of each partition, as committed.
  private(set) var next: [[Partition: Position]]
  /// Partitions that are in the archive or the stream; of some nothing may be committed yet.
  private(set) var partitions: Set<Partition> = []
  /// Since when a partition of the stream is seen not to be caught up.
  private(set) var behindSince: [Partition: Int64] = [:]
  /// Milliseconds since 1970; nil: nothing was committed yet.
  private(set) var committedAt: Int64?
  /// For each function, the events that could not be applied and are kept, as far as it was told.
  private(set) var kept: [KeptEvents]
  /// Of whole passes over the archive.
  private var books: [Books]
  private var done = Pass()
  private var pass = Pass()
  private var passBytes: UInt64 = 0

  private struct Pass {
    var events: UInt64 = 0
    var commits: UInt64 = 0
    var rows: UInt64 = 0
  }

  init(functions: [String]) {
    self.functions = functions
    next = functions.map { _ in [:] }
    books = functions.map { _ in Books() }
    kept = functions.map { _ in KeptEvents() }
  }

  /// A pass over what is left of the archive begins: so many compressed bytes.
  mutating func began(_ partitions: [Partition], bytes: UInt64) {
    self.partitions.formUnion(partitions)
    (archiveBytesLeft, passBytes) = (bytes, bytes)
  }

  mutating func progressed(_ progress: Progress) {
    archiveBytesLeft = passBytes - min(passBytes, progress.bytes)
    pass.events = progress.events
  }

  mutating func committed(commits: UInt64, rows: UInt64, at time: Int64) {
    (pass.commits, pass.rows, committedAt) = (commits, rows, time)
  }

  /// What the store says. A function that it does not know is where it was.
  mutating func reached(_ found: [(function: String, next: [Partition: Position])]) {
    for (function, positions) in found {
      guard let place = functions.firstIndex(of: function) else { continue }
      next[place] = positions
      partitions.formUnion(positions.keys)
    }
  }

  mutating func finished(_ report: RunReport) {
    for function in report.functions {
      guard let place = functions.firstIndex(of: function.name) else { continue }
      books[place] += function.total
      kept[place] = function.kept
    }
    done.events += report.functions.map(\.total.read).max() ?? 0
    done.commits += report.epochs
    done.rows += report.rows
    pass = Pass()
    if report.outcome != .stopped { archiveBytesLeft = 0 }
  }

  mutating func handsOff() { phase = .handingOff }

  /// Of a handoff by time, the archive's partitions are no part of the stream's rows.
  mutating func handedOff(_ account: JSONText, live: [Partition]) {
    (handoff, hasHandedOff) = (account, true)
    let ids = Set(live.map(\.id))
    partitions = partitions.filter { $0.side == .live || ids.contains($0.id) }
  }

  /// `now`: of the run's clock; `time`: since 1970. Both in milliseconds.
  mutating func follows(_ state: LiveState, now: Int64, at time: Int64) {
    if state.commits > live?.commits ?? 0 { committedAt = time }
    (phase, hasHandedOff, archiveBytesLeft, live) = (.live, true, 0, state)
    if state.kept.count == kept.count { kept = state.kept }
    for part in state.parts {
      partitions.insert(part.partition)
      // What a broker that is away has meanwhile, nobody knows: it counts from when the stream was last heard.
      let isBehind = !part.isCaughtUp || state.outage != nil
      behindSince[part.partition] =
        isBehind ? behindSince[part.partition] ?? (state.outage == nil ? now : part.caughtUpAt ?? now) : nil
      for place in next.indices {
        next[place][part.partition] = max(next[place][part.partition] ?? .zero, part.committed)
      }
    }
  }

  mutating func ended(exitCode: Int32?) {
    phase = exitCode == nil ? .stopped : .failed
    self.exitCode = exitCode
  }

  var isOver: Bool { phase == .stopped || phase == .failed }
  var isCaughtUp: Bool { phase == .live && live?.isCaughtUp == true }
  var events: UInt64 { done.events + pass.events + (live?.books.map(\.read).max() ?? 0) }
  var commits: UInt64 { done.commits + pass.commits + (live?.commits ?? 0) }
  var rows: UInt64 { done.rows + pass.rows + (live?.rows ?? 0) }

  /// Of one function: whole passes and what is live. A pass is entered once it is over.
  func books(of function: Int) -> Books {
    var sum = books[function]
    if let live, live.books.indices.contains(function) { sum += live.books[function] }
    return sum
  }
}

extension BoardState {
  /// One partition by its id, on both sides.
  struct Row {
    let name: String
    /// The next position of the archive's events, of the function that is least far.
    var archiveNext: Position?
    var live: LiveState.Part?
    /// For how long it has not been caught up; nil where it is not live.
    var lagMilliseconds: Int64?
  }

  /// In the partitions' order. `now`: of the run's clock.
  func rows(now: Int64) -> [Row] {
    let logs = Set(partitions.filter { $0.side == .archive }.map(\.log))
    var rows: [String: Row] = [:]
    var order: [String] = []
    for partition in partitions.sorted(by: BoardState.byName) {
      // An archive of several topics has several partitions of one name, and no stream.
      let name = logs.count > 1 ? "\(partition)" : partition.name
      if rows[name] == nil { order.append(name) }
      var row = rows[name] ?? Row(name: name)
      switch partition.side {
      case .archive:
        row.archiveNext = next.contains { $0[partition] == nil } ? nil : next.compactMap { $0[partition] }.min()
      case .live:
        row.live = live?.parts.first { $0.partition == partition }
        if row.live != nil { row.lagMilliseconds = behindSince[partition].map { max(0, now - $0) } ?? 0 }
      }
      rows[name] = row
    }
    return order.compactMap { rows[$0] }
  }

  private static func byName(_ a: Partition, _ b: Partition) -> Bool {
    a.id.count != b.id.count ? a.id.count < b.id.count : a.id != b.id ? a.id.lexicographicallyPrecedes(b.id) : a < b
  }

  /// Nil where what is there is applied; else why not, in one line.
  var notReady: String? {
    switch phase {
    case .replaying:
      archiveBytesLeft.map { "replaying the archive: \(Words.bytes($0)) left" } ?? "looking at the archive"
    case .handingOff: "proving the handoff"
    case .live:
      isCaughtUp
        ? nil
        : "following the stream: "
          + (live?.outage ?? "\(Words.plural(live?.gap ?? 0, "position")) to go, or not committed")
    case .stopped: "the run is over"
    case .failed: "the run failed with exit code \(exitCode ?? 1)"
    }
  }
}
