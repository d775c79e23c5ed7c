/// Looks for two neighbouring places of which something holds at the second and not at the first, between a place where it
/// does not hold and a later one where it does. Pure: an answer in, the next question out.
///
/// Where it comes and goes on the way, one place where it came is found, and not always the first.
struct Bisection: Equatable {
  /// It does not hold here.
  private(set) var low: UInt64
  /// It holds here, behind `low`.
  private(set) var high: UInt64
  /// Places that are easier to look at, sorted; they are asked about while one is left between.
  private let ends: [UInt64]

  init(low: UInt64, high: UInt64, ends: [UInt64] = []) {
    precondition(low < high)
    (self.low, self.high, self.ends) = (low, high, ends)
  }

  /// The place to look at next; nil: `high` is directly behind `low`.
  var next: UInt64? {
    guard high - low > 1 else { return nil }
    let middle = low + (high - low) / 2
    let near = ends.lazy.filter { $0 > low && $0 < high }
    return near.min { distance($0, middle) < distance($1, middle) } ?? middle
  }

  /// Whether it holds at `next`.
  mutating func answer(_ holds: Bool) {
    guard let next else { return }
    if holds { high = next } else { low = next }
  }

  private func distance(_ a: UInt64, _ b: UInt64) -> UInt64 { a > b ? a - b : b - a }
}
