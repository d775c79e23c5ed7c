/// How long to wait before each new try: twice as long as before it, up to two seconds, until the patience is used up.
struct Backoff {
  private var left: Int
  private var next = 50

  init(patienceMilliseconds: Int) { left = patienceMilliseconds }

  /// Milliseconds; nil where no patience is left.
  mutating func wait() -> Int? {
    guard left > 0 else { return nil }
    let wait = min(next, left)
    left -= wait
    next = min(next * 2, 2_000)
    return wait
  }
}
