import ReplayCore
import Synchronization

/// What the readers of a scripted stream share, as they would share a broker.
final class ScriptedLog: Sendable {
  struct Script {
    var partitions: [Partition: ScriptedPartition] = [:]
    var stalledUntil: UInt64 = 0
    var stalledLooks = 0
    var failures: [any Error] = []
    var outage: String?
    /// Sorted by time, and in the order in which they were given.
    var later: [(at: UInt64, run: @Sendable (ScriptedStream) -> Void)] = []

    /// When something changes by itself; nil where nothing will.
    func wake(after now: UInt64) -> UInt64? {
      [later.first?.at, stalledUntil].compactMap { $0 }.filter { $0 > now }.min()
    }
  }

  let script = Mutex(Script())
}

/// A live stream of a test's own: what is in it, what goes wrong and when is scripted, and time is a `ScriptedClock`'s.
///
/// The script may go on from another thread while the stream is read. With one thread, the same seed and the same calls
/// make the same deliveries.
///
/// `@unchecked Sendable`: what the script changes is behind the lock of `shared`; `reading` and `messages` belong to the
/// one thread at a time that uses a live source.
public final class ScriptedStream: LiveSource, @unchecked Sendable {
  /// This reader's own state.
  struct Reading {
    var cursors: [Partition: ScriptedCursor] = [:]
    /// What `partitions()`, `seek` or `.opened` have named; nil as long as nobody asked.
    var named: Set<Partition>?
    var random: SplitMix64
    var turn = 0
    var isClosed = false
  }

  public struct Options: Sendable {
    /// A delivery has by chance one to so many events.
    public var maxMessages = 100
    public var maxBytes = 1 << 20
    /// Whether `positions(at:)` has an answer.
    public var knowsTime = true

    public init(maxMessages: Int = 100, maxBytes: Int = 1 << 20, knowsTime: Bool = true) {
      self.maxMessages = max(1, maxMessages)
      self.maxBytes = maxBytes
      self.knowsTime = knowsTime
    }
  }

  public let log: String
  public var name: String { "scripted:" + log }
  public let clock: ScriptedClock
  let options: Options
  let shared: ScriptedLog
  private let seed: UInt64
  private var reading: Reading
  private let messages: LiveMessages

  public convenience init(
    log: String = "scripted", seed: UInt64 = 1, clock: ScriptedClock = ScriptedClock(), options: Options = Options()
  ) {
    self.init(log: log, seed: seed, clock: clock, options: options, shared: ScriptedLog())
  }

  private init(log: String, seed: UInt64, clock: ScriptedClock, options: Options, shared: ScriptedLog) {
    self.log = log
    self.seed = seed
    self.clock = clock
    self.options = options
    self.shared = shared
    reading = Reading(random: SplitMix64(seed: seed))
    messages = LiveMessages(partition: Partition(log: log, side: .live, id: []))
  }

  /// Another reader of the same stream, which was told nothing yet: a second run. Faults, stalls and errors happen to
  /// whoever comes first.
  public func reader() -> ScriptedStream {
    ScriptedStream(log: log, seed: seed &+ 1, clock: clock, options: options, shared: shared)
  }

  public func partition(_ id: String) -> Partition { Partition(log: log, side: .live, id: id) }

  public func partitions() throws -> [LivePartition] {
    let found = try shared.script.withLock { script in
      if !script.failures.isEmpty { throw script.failures.removeFirst() }
      return script.partitions.map { partition, state in
        LivePartition(partition: partition, start: Position(state.start), end: Position(state.end))
      }
    }
    reading.named = (reading.named ?? []).union(found.map(\.partition))
    return found.sorted { $0.partition < $1.partition }
  }

  public func seek(_ positions: [Partition: Position]) throws {
    let known = shared.script.withLock { Set($0.partitions.keys) }
    for partition in positions.keys where !known.contains(partition) {
      throw ReplayError(.missing, "the scripted stream has no partition \(partition)")
    }
    reading.named = (reading.named ?? known).union(positions.keys)
    reading.cursors = positions.mapValues { ScriptedCursor($0) }
  }

  public func poll(milliseconds: Int) throws -> LiveEvent? {
    precondition(!reading.isClosed, "a live source was used after it was closed")
    let until = clock.milliseconds + UInt64(max(0, milliseconds))
    try shared.script.withLock { script in
      if !script.failures.isEmpty { throw script.failures.removeFirst() }
    }
    while true {
      runDue()
      let now = clock.milliseconds
      let (event, wake) = try look(at: now)
      if let event { return event }
      if now >= until { return nil }
      clock.sleep(min(until, wake ?? until) - now)
    }
  }

  public func positions(at milliseconds: Int64) throws -> [Partition: Position]? {
    guard options.knowsTime else { return nil }
    return shared.script.withLock { script in
      script.partitions.mapValues { state in
        let found = state.entries.first { $0.number < state.end && ($0.draft.time ?? .max) >= milliseconds }
        return Position(found?.number ?? state.end)
      }
    }
  }

  public func ends() -> [Partition: Position] {
    shared.script.withLock { script in
      Dictionary(
        uniqueKeysWithValues: reading.cursors.keys.compactMap { partition in
          script.partitions[partition].map { (partition, Position($0.end)) }
        })
    }
  }

  public var outage: String? { shared.script.withLock { $0.outage } }

  public func close() { reading.isClosed = true }

  public var isClosed: Bool { reading.isClosed }

  private func look(at now: UInt64) throws -> (LiveEvent?, wake: UInt64?) {
    let (said, wake) = try shared.script.withLock { script -> (Reading.Said?, UInt64?) in
      let wake = script.wake(after: now)
      if script.stalledUntil > now { return (nil, wake) }
      if script.stalledLooks > 0 {
        script.stalledLooks -= 1
        return (nil, wake)
      }
      return (try reading.look(into: messages, &script, options), wake)
    }
    switch said {
    case .messages: return (.messages(messages), nil)
    case .caughtUp(let partition, let end): return (.caughtUp(partition, next: Position(end)), nil)
    case .opened(let partition, let parents): return (.opened(partition, parents: parents), nil)
    case .closed(let partition): return (.closed(partition), nil)
    case nil: return (nil, wake)
    }
  }

  /// Runs what the script has for a time that has come.
  private func runDue() {
    while true {
      let now = clock.milliseconds
      let due = shared.script.withLock { script -> (@Sendable (ScriptedStream) -> Void)? in
        guard let first = script.later.first, first.at <= now else { return nil }
        return script.later.removeFirst().run
      }
      guard let due else { return }
      due(self)
    }
  }
}
