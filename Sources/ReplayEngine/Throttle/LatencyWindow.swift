/// What probes of the last seconds took. Times in microseconds of one clock.
///
/// Probes are sent one after another, at a steady pace. One that takes longer than that keeps others from being sent, which
/// would have waited too: they count as if they had been, or a stall of a second would be one slow probe among many.
package struct LatencyWindow: Sendable {
  private struct Probe {
    let sentAt: Int64
    let latency: Int64
  }

  private let span: Int64
  private let interval: Int64
  /// In no order of their sending: those that were not sent come behind the one that kept them.
  private var probes: [Probe] = []

  /// `span`: how far back it reaches; `interval`: between two probes.
  package init(span: Int64, interval: Int64) {
    self.span = span
    self.interval = interval
  }

  /// How many probes a whole window has.
  package var capacity: Int { Int(span / interval) }

  package mutating func add(latency: Int64, now: Int64) {
    forget(before: now - span)
    probes += LatencyWindow.sent(latency: latency, interval: interval, limit: capacity).map {
      Probe(sentAt: now - $0, latency: $0)
    }
  }

  package mutating func forget(before time: Int64) { probes.removeAll { $0.sentAt < time } }

  /// The latencies of a probe and of those that it kept from being sent, the longest first.
  static func sent(latency: Int64, interval: Int64, limit: Int) -> [Int64] {
    let count = min(max(1, Int(latency / interval) + (latency % interval > 0 ? 1 : 0)), limit)
    return (0..<count).map { latency - Int64($0) * interval }
  }

  /// Those sent at `time` or later.
  package func count(since time: Int64) -> Int { probes.count { $0.sentAt >= time } }

  /// The latencies above `limit` of those sent at `time` or later, the longest first.
  package func slow(above limit: Int64, since time: Int64) -> [Int64] {
    probes.filter { $0.sentAt >= time && $0.latency > limit }.map(\.latency).sorted(by: >)
  }

  /// The latency that 99 of 100 do not exceed (nearest rank); nil without any.
  package var p99: Int64? {
    guard !probes.isEmpty else { return nil }
    let sorted = probes.map(\.latency).sorted()
    return sorted[(99 * sorted.count + 99) / 100 - 1]
  }
}
