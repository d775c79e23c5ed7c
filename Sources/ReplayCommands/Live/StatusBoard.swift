import ReplayCore
import ReplayEngine
import ReplaySQL

/// Where a run writes down how far it is, and others read it or wait for it: from any thread.
final class StatusBoard: Sendable {
  /// A wait holds a connection: so many at once, that enough are left for other questions.
  static let mostWaiting = 48

  let startedAt = Clock.utc
  let startedMilliseconds = StatusBoard.wallMilliseconds
  private let state: Monitor<BoardState>
  private let waiting = Monitor(0)
  /// Asked for positions after each commit of the archive's events.
  private let store: (any StoreInspector)?

  init(functions: [String], store: (any StoreInspector)? = nil) {
    state = Monitor(BoardState(functions: functions))
    self.store = store
  }

  var now: BoardState { state.quietly { $0 } }

  var waiters: Int { waiting.quietly { $0 } }

  func change(_ body: (inout BoardState) -> Void) { state.change(body) }

  func began(_ partitions: [Partition], bytes: UInt64) {
    state.change { $0.began(partitions, bytes: bytes) }
    look()
  }

  /// From the engine, while the archive is replayed.
  func hear(_ event: RunEvent) {
    switch event {
    case .progress(let progress): state.quietly { $0.progressed(progress) }
    case .committed(let commits, _, let rows):
      state.quietly { $0.committed(commits: commits, rows: rows, at: StatusBoard.wallMilliseconds) }
      look()
    }
  }

  func finished(_ report: RunReport) {
    state.quietly { $0.finished(report) }
    look()
  }

  func handedOff(_ account: HandoffAccount) {
    state.quietly { $0.handedOff(.object(account.json), live: account.partitions) }
    look()
  }

  /// From the thread that follows the stream.
  func hear(_ live: LiveState) {
    // A run that goes on in the stream has no pass over the archive, after which it would have looked.
    if state.quietly({ $0.live == nil }) { look() }
    state.change { $0.follows(live, now: Clock.milliseconds(), at: StatusBoard.wallMilliseconds) }
  }

  /// A store that cannot be asked now will be asked again after the next commit.
  private func look() {
    guard let store, let found = try? store.positions() else { return }
    state.change { $0.reached(found.map { ($0.name, $0.next) }) }
  }

  enum Waited: Equatable {
    case settled(next: Position)
    case late(next: Position?)
    case unknownPartition
    case unknownFunction
    case over
    case tooMany
  }

  /// Waits until the event is settled for the function, or for all.
  func wait(for place: EventPlace, function: String?, milliseconds: Int64) -> Waited {
    let isAllowed = waiting.quietly { count in
      guard count < StatusBoard.mostWaiting else { return false }
      count += 1
      return true
    }
    guard isAllowed else { return .tooMany }
    defer { waiting.quietly { $0 -= 1 } }
    let last = state.wait(milliseconds: Int(milliseconds)) { state -> Waited? in
      let answer = StatusBoard.judge(state, place, function)
      if case .late = answer { return nil }
      return answer
    }
    return last ?? state.quietly { StatusBoard.judge($0, place, function) }
  }

  private static func judge(_ state: BoardState, _ place: EventPlace, _ function: String?) -> Waited {
    let asked = state.functions.indices.filter { function == nil || state.functions[$0] == function }
    if asked.isEmpty { return .unknownFunction }
    switch Settlement(of: place, by: asked.map { state.next[$0] }) {
    case .settled(let next): return .settled(next: next)
    case .open(let next):
      if state.isOver { return .over }
      // Before the archive and the stream were looked at, no partition is known.
      let isKnown = state.archiveBytesLeft == nil || state.partitions.contains { $0.id == Array(place.partition.utf8) }
      return isKnown ? .late(next: next) : .unknownPartition
    }
  }

  func outcome(of place: EventPlace, for function: String?) -> String {
    // Where no store can be asked, nothing was left in it.
    store.map { KeptWords.outcome(of: place, for: function, in: $0) } ?? "applied"
  }

  private static var wallMilliseconds: Int64 { SystemTime.now().microseconds / 1000 }
}
