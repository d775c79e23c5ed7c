/// Who may work now, and when all rest: so that what else a machine and a database do gets its turn. Times in
/// microseconds of one clock that never goes back.
package struct WorkTurns: Sendable {
  /// How many threads' worth of work there may be at once. Below 1 one works at a time, and after its work all rest so
  /// long that this share of the time is worked; infinity: nobody waits.
  package var pace: Double

  package enum Answer: Sendable, Equatable {
    case begin
    /// Until then, or until something changes: then ask again.
    case wait(microseconds: Int64)
  }

  private var working = 0
  /// Rest that is owed and not begun: single microseconds are not worth a rest.
  private var owed: Double = 0
  private var restsUntil: Int64 = .min
  /// All rests so far.
  package private(set) var restedMicroseconds: Int64 = 0

  /// A shorter rest is saved up.
  package static let leastRest: Int64 = 2_000
  /// The longest rest after one piece of work, however long that was: a transaction may be open meanwhile.
  package static let longestRest: Int64 = 1_000_000
  private static let longestWait: Int64 = 1_000_000

  package init(pace: Double) { self.pace = pace }

  private var isFree: Bool { pace == .infinity }

  /// `alone`: the work counts as one thread's; else it only rests with the others. Answered with `begin`, the work is to be
  /// told of by `ended`.
  package mutating func ask(alone: Bool, now: Int64) -> Answer {
    if !isFree {
      if now < restsUntil { return .wait(microseconds: restsUntil - now) }
      if alone, working >= max(1, Int(pace)) { return .wait(microseconds: WorkTurns.longestWait) }
    }
    if alone { working += 1 }
    return .begin
  }

  package mutating func ended(alone: Bool, tookMicroseconds: Int64, now: Int64) {
    if alone { working -= 1 }
    guard pace < 1 else {
      owed = 0
      return
    }
    owed += Double(tookMicroseconds) * (1 / pace - 1)
    guard owed >= Double(WorkTurns.leastRest) else { return }
    let rest = min(Int64(min(owed, 1e12)), WorkTurns.longestRest)
    restsUntil = max(restsUntil, now) + rest
    restedMicroseconds += rest
    owed = 0
  }
}

/// The same for threads: work goes through it piece by piece, each of some milliseconds.
///
/// Nobody may wait inside for what another piece of work does.
package final class WorkGate: Sendable {
  private let turns: Monitor<WorkTurns>
  package let now: @Sendable () -> Int64

  /// `now`: microseconds of a clock that never goes back.
  package init(pace: Double, now: @escaping @Sendable () -> Int64) {
    turns = Monitor(WorkTurns(pace: pace))
    self.now = now
  }

  /// May be changed at any time; who waits looks again.
  package var pace: Double {
    get { turns.quietly { $0.pace } }
    set { turns.change { $0.pace = newValue } }
  }

  package var restedMicroseconds: Int64 { turns.quietly { $0.restedMicroseconds } }

  /// Runs `body` when it is its turn. `alone` is false for what waits for a process or service of its own.
  package func working<Result>(alone: Bool = true, _ body: () throws -> Result) rethrows -> Result {
    begin(alone)
    let began = now()
    defer {
      turns.change { turns in
        let ended = now()
        turns.ended(alone: alone, tookMicroseconds: ended - began, now: ended)
      }
    }
    return try body()
  }

  private func begin(_ alone: Bool) {
    while case .wait(let microseconds) = turns.quietly({ $0.ask(alone: alone, now: now()) }) {
      let begun: Void? = turns.wait(milliseconds: Int((microseconds + 999) / 1000)) { turns -> Void? in
        turns.ask(alone: alone, now: now()) == .begin ? () : nil
      }
      if begun != nil { return }
    }
  }
}

extension WorkGate? {
  /// Runs `body` when it is its turn; at once where there is no gate.
  package func working<Result>(alone: Bool = true, _ body: () throws -> Result) rethrows -> Result {
    guard let self else { return try body() }
    return try self.working(alone: alone, body)
  }
}
