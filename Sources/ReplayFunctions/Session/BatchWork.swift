/// Which events of a batch are delivered next, after what became of the delivery before. Pure: an outcome in, a step out.
///
/// Those before the one at fault are delivered again alone, since what the function answered for them is not known. One
/// whose fault nobody names is looked for by halves; that uses up no retry. Order is kept: nothing is delivered while
/// something before it is not settled.
struct BatchWork {
  struct Limits {
    /// How often one event is tried again.
    var retries = 0
    /// Before the first retry; doubled with each, up to a minute.
    var backoffMilliseconds: Int64 = 100
    /// Whether a batch whose fault nobody names is cut in halves.
    var bisects = true
  }

  enum Step: Equatable {
    case goOn
    /// The same events again, after so long.
    case wait(milliseconds: Int64)
    /// These events have failed for good, after so many attempts; `isTooOld`: for their age, with retries left.
    case giveUp([Int], attempts: Int, isTooOld: Bool = false)
  }

  private struct Part {
    var events: [Int]
    /// Failed attempts that the first of them had, alone or named.
    var attempts = 0
  }

  private let limits: Limits
  /// The next part is the last.
  private var parts: [Part]

  init(count: Int, limits: Limits) {
    self.limits = limits
    parts = count == 0 ? [] : [Part(events: Array(0..<count))]
  }

  /// The events to deliver now; empty where none is left. Those that `isLeft` are dropped.
  mutating func next(without isLeft: (Int) -> Bool) -> [Int] {
    while let part = parts.last {
      let events = part.events.filter { !isLeft($0) }
      let attempts = events.first == part.events.first ? part.attempts : 0
      parts[parts.count - 1] = Part(events: events, attempts: attempts)
      if !events.isEmpty { return events }
      parts.removeLast()
    }
    return []
  }

  /// `answered`: so many of the events that `next` gave. `failedAt`: the one at fault among them, if it was named.
  /// `isTooOld`: whether an event that failed is not to be tried again for its age.
  mutating func ended(
    answered: Int, hasFailed: Bool, failedAt: Int?, isTooOld: (Int) -> Bool = { _ in false }
  ) -> Step {
    let part = parts.removeLast()
    // What is answered and failed too has failed.
    let good = min(answered, failedAt ?? answered)
    guard hasFailed else { return .goOn }
    let rest = Array(part.events.dropFirst(good))
    let attempts = good == 0 ? part.attempts : 0
    guard !rest.isEmpty else { return .goOn }
    if let failedAt, failedAt > good, failedAt < part.events.count {
      let cut = failedAt - good
      // The one that is named was tried, but not alone: what was before it goes first.
      parts.append(Part(events: Array(rest[cut...])))
      parts.append(Part(events: Array(rest[..<cut]), attempts: attempts))
      return .goOn
    }
    if failedAt == nil, rest.count > 1, limits.bisects {
      parts.append(Part(events: Array(rest[(rest.count / 2)...])))
      parts.append(Part(events: Array(rest[..<(rest.count / 2)])))
      return .goOn
    }
    return again(rest, attempts: attempts + 1, isNamed: failedAt != nil, isTooOld)
  }

  /// Behind the first `answered` ones nothing is known of the events that `next` gave, and nothing is held against them.
  mutating func lost(answered: Int) {
    let part = parts.removeLast()
    let rest = Array(part.events.dropFirst(answered))
    if !rest.isEmpty { parts.append(Part(events: rest, attempts: answered == 0 ? part.attempts : 0)) }
  }

  private mutating func again(_ rest: [Int], attempts: Int, isNamed: Bool, _ isTooOld: (Int) -> Bool) -> Step {
    let isAlone = isNamed || limits.bisects
    if attempts <= limits.retries {
      let old = rest.prefix(isAlone ? 1 : rest.count).prefix(while: isTooOld)
      if !old.isEmpty {
        if old.count < rest.count { parts.append(Part(events: Array(rest[old.count...]))) }
        return .giveUp(Array(old), attempts: attempts, isTooOld: true)
      }
      parts.append(Part(events: rest, attempts: attempts))
      let doubled = limits.backoffMilliseconds << Int64(min(attempts - 1, 20))
      return .wait(milliseconds: min(doubled, 60_000))
    }
    let given = isAlone ? 1 : rest.count
    if given < rest.count { parts.append(Part(events: Array(rest[given...]))) }
    return .giveUp(Array(rest[..<given]), attempts: attempts)
  }
}
