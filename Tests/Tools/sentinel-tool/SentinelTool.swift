import Replay

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The tool with a function that notices an event out of order, for `Tests/Trust/order_sentinel.py`.
@main
struct SentinelTool: ReplayTool {
  static let functions: [any Projection] = [OrderSentinel()]
}

/// Of each key: how many events, the last one's `sequence`, a hash of all of them in the order they came, and how often one
/// was not behind the one before. With SENTINEL_STALLS=n, n of a thousand batches sleep up to 3 ms first.
struct OrderSentinel: Projection {
  let name = "order-sentinel"
  private(set) var reads = Reads()
  private var keys = KeyedTable("order_sentinel", key: "key")
  private let sequence: IntegerField
  private let events: ValueColumn, last: ValueColumn, hash: ValueColumn, inversions: ValueColumn
  private let stalls = getenv("SENTINEL_STALLS").flatMap { UInt64(String(cString: $0)) } ?? 0

  init() {
    sequence = reads.integer("sequence")
    events = keys.column("events", .integer)
    last = keys.column("last", .integer)
    hash = keys.column("hash", .integer)
    inversions = keys.column("inversions", .integer)
  }

  var tables: [any Table] { [keys] }

  func apply(_ batch: Batch, _ changes: Changes) throws {
    var isFirst = true
    for event in batch {
      let number = try event[sequence]
      if isFirst { stall(UInt64(bitPattern: number)) }
      isFirst = false
      let row = try changes[keys][event].upsert()
      let before = row.integer(last)
      let isInverted = row.integer(events) > 0 && number <= before
      try row.set(inversions, to: row.integer(inversions) + (isInverted ? 1 : 0))
      try row.set(events, to: row.integer(events) + 1)
      try row.set(hash, to: (row.integer(hash) &* 31 &+ number) & 0x7fff_ffff_ffff)
      try row.set(last, to: number)
    }
  }

  /// The same batch always stalls as long, whatever thread has it.
  private func stall(_ number: UInt64) {
    let dice = (number &+ 1) &* 0x9e37_79b9_7f4a_7c15
    if dice >> 32 % 1000 < stalls { usleep(UInt32(truncatingIfNeeded: dice >> 16 % 3000)) }
  }
}
