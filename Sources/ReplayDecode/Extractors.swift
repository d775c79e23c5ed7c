/// Extractors that were used and wait for another segment: each has arrays as long as a block, and to make them anew costs
/// more than a small segment does. `@unchecked Sendable`: the list is behind the lock, and an extractor belongs to who
/// took it.
final class Extractors: @unchecked Sendable {
  private let lock = WorkLock()
  private var free: [Extractor] = []
  private let make: @Sendable () -> Extractor

  init(_ make: @escaping @Sendable () -> Extractor) { self.make = make }

  func take() -> Extractor { lock.locked { free.popLast() } ?? make() }

  func give(_ extractor: Extractor) { lock.locked { free.append(extractor) } }
}
