import ReplayCore

/// A stream that goes no further than somebody allows for now: what is behind the bound comes when that is lifted. The
/// run does not notice; it commits what it has been given.
public final class HeldSource: LiveSource {
  private let base: any LiveSource
  /// Where each partition is held; empty: nowhere. Asked now and then.
  private let ask: () -> [Partition: Position]
  private let now: () -> Int64
  private var asked: Int64?
  private var bounds: [Partition: Position] = [:]
  /// What is delivered next of each partition that the run wants.
  private var next: [Partition: Position] = [:]
  /// Partitions that stand at their bound: the base does not deliver them.
  private var held: Set<Partition> = []
  /// False where the base still delivers others than it is to.
  private var isSought = true

  private static let askMilliseconds: Int64 = 200

  /// `now`: a clock in milliseconds that never goes back.
  public init(_ base: any LiveSource, now: @escaping () -> Int64, bounds ask: @escaping () -> [Partition: Position]) {
    self.base = base
    self.ask = ask
    self.now = now
  }

  public var name: String { base.name }
  public var log: String { base.log }
  public var outage: String? { base.outage }
  public func partitions() throws -> [LivePartition] { try base.partitions() }
  public func positions(at milliseconds: Int64) throws -> [Partition: Position]? {
    try base.positions(at: milliseconds)
  }
  public func ends() -> [Partition: Position] { base.ends() }
  public func close() { base.close() }

  public func seek(_ positions: [Partition: Position]) throws {
    next = positions
    (held, isSought, asked) = ([], true, nil)
    try base.seek(positions)
  }

  public func poll(milliseconds: Int) throws -> LiveEvent? {
    hear()
    if !isSought {
      isSought = true
      try base.seek(next.filter { !held.contains($0.key) })
    }
    // Short, so that what is lifted is noticed.
    let event = try base.poll(milliseconds: min(milliseconds, Int(HeldSource.askMilliseconds)))
    switch event {
    case .messages(let messages):
      let isWhole = pass(messages.partition, to: messages.next)
      messages.end(before: next[messages.partition] ?? messages.next)
      if !messages.messages.isEmpty || isWhole { return event }
      // Positions that nobody fills lie before the bound.
      return .caughtUp(messages.partition, next: messages.next)
    case .caughtUp(let partition, let end):
      if pass(partition, to: end) { return event }
      return next[partition].map { .caughtUp(partition, next: $0) }
    default: return event
    }
  }

  /// Moves the partition to `end`, or to its bound where that comes first: then what is behind it is not delivered, and
  /// the answer is false.
  private func pass(_ partition: Partition, to end: Position) -> Bool {
    guard let bound = bounds[partition], bound < end else {
      next[partition] = end
      return true
    }
    next[partition] = max(bound, next[partition] ?? bound)
    held.insert(partition)
    // Not now: what the base has lent stays until it is asked again.
    isSought = false
    return false
  }

  /// Asks where it is held, and takes in what has changed.
  private func hear() {
    let time = now()
    if let asked, time - asked < HeldSource.askMilliseconds { return }
    asked = time
    bounds = ask()
    let standing = Set(next.filter { place in bounds[place.key].map { $0 <= place.value } ?? false }.map(\.key))
    if standing != held { (held, isSought) = (standing, false) }
  }
}
