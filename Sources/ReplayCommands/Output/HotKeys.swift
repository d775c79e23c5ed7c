import ReplayCore

/// The keys with most events, found in bounded memory: a frequent-items sketch (Misra and Gries, with the median purge
/// of Apache DataSketches). A count is never too high, and too low by at most `uncertainty`.
struct HotKeys {
  /// Keys that are told apart at once; a key with more than 1/2,048 of the events is never missed.
  static let capacity = 4096

  private struct Entry {
    let key: String
    var count: UInt64
    mutating func bump() { count += 1 }
  }

  /// By the stable hash of the key.
  private var entries: [UInt64: Entry] = [:]
  private(set) var total: UInt64 = 0
  private(set) var uncertainty: UInt64 = 0

  /// Counts one event. Keys above 200 bytes are shown by their beginning.
  mutating func add(_ key: Text) {
    total += 1
    let hash = KeyHash.hash(key)
    if entries[hash]?.bump() != nil { return }
    entries[hash] = Entry(key: String(Text(start: key.start, count: min(200, key.count))), count: 1)
    if entries.count > HotKeys.capacity { purge(to: HotKeys.capacity / 2) }
  }

  /// Takes in what another sketch counted of other events.
  mutating func merge(_ other: HotKeys) {
    for (hash, entry) in other.entries { entries[hash, default: Entry(key: entry.key, count: 0)].count += entry.count }
    total += other.total
    uncertainty += other.uncertainty
    if entries.count > HotKeys.capacity { purge(to: HotKeys.capacity / 2) }
  }

  /// Takes so much from every count that at most `kept` keys are left.
  private mutating func purge(to kept: Int) {
    let counts = entries.values.map(\.count).sorted(by: >)
    let less = counts[kept]
    uncertainty += less
    entries = entries.compactMapValues { $0.count > less ? Entry(key: $0.key, count: $0.count - less) : nil }
  }

  /// The keys with the highest counts, those first.
  func top(_ limit: Int) -> [(key: String, count: UInt64)] {
    let sorted = entries.values.sorted { $0.count != $1.count ? $0.count > $1.count : $0.key < $1.key }
    return sorted.prefix(limit).map { ($0.key, $0.count) }
  }
}
