/// Decides how fast a run may go, from how long probes of the target database take: event in, pace out. Times in
/// microseconds of one clock.
///
/// The pace is in threads' worth of work (`WorkTurns`). It falls as soon as more probes were slow than a window with a good
/// p99 has, counted since it fell last: by how far they were off, at most to a half. It rises while the window's p99 is good:
/// fast up to where it was too much the last time, slowly from there.
package struct Throttle: Sendable {
  package struct Settings: Sendable {
    /// The p99 not to exceed.
    package var target: Int64
    package var window: Int64 = 5_000_000
    /// Between two probes.
    package var interval: Int64 = 20_000
    /// The pace of a run that is not slowed.
    package var full: Double
    /// The pace to begin with: nothing is known yet.
    package var first = 0.25
    /// It never falls below: a database that is slow by itself does not keep a run from ending.
    package var least = 0.05

    package init(target: Int64, full: Double) {
      self.target = target
      self.full = full
    }
  }

  package enum Event: Sendable, Equatable {
    /// A probe was answered after so long.
    case answered(Int64)
    /// The probe that was sent has not been answered for so long.
    case waiting(Int64)
    /// No probe could be sent, or its answer was no answer.
    case failed
  }

  package let settings: Settings
  package private(set) var pace: Double
  private var window: LatencyWindow
  /// When the pace was changed last.
  private var changedAt: Int64
  /// The pace that was too much the last time; nil where none was, or it is no more.
  private var ceiling: Double?
  private var lastEvent: Int64

  // The account.
  package private(set) var probes: UInt64 = 0
  package private(set) var failures: UInt64 = 0
  /// How long the pace was not the full one.
  package private(set) var slowedMicroseconds: Int64 = 0
  package private(set) var highestP99: Int64 = 0
  /// Why the pace is as it is: nil before the first probe.
  package private(set) var isFailing = false

  package init(_ settings: Settings, now: Int64) {
    self.settings = settings
    pace = min(settings.first, settings.full)
    window = LatencyWindow(span: settings.window, interval: settings.interval)
    (changedAt, lastEvent) = (now, now)
  }

  package var p99: Int64? { window.p99 }
  package var isSlowed: Bool { pace < settings.full }
  /// Of the full pace.
  package var share: Double { pace / settings.full }

  /// So many slow probes a window with a good p99 may have.
  private var allowed: Int { window.capacity / 100 }

  package mutating func hear(_ event: Event, now: Int64) {
    if isSlowed { slowedMicroseconds += max(0, now - lastEvent) }
    lastEvent = now
    window.forget(before: now - settings.window)
    var pending: [Int64] = []
    switch event {
    case .answered(let latency):
      (probes, isFailing) = (probes + 1, false)
      window.add(latency: latency, now: now)
    case .waiting(let latency):
      pending = LatencyWindow.sent(latency: latency, interval: settings.interval, limit: window.capacity)
        .filter { $0 > settings.target && now - $0 >= changedAt }
    case .failed:
      (failures, isFailing) = (failures + 1, true)
      // What was seen before says nothing of now.
      changedAt = now
      return
    }
    highestP99 = max(highestP99, window.p99 ?? 0)
    let slow = (pending + window.slow(above: settings.target, since: changedAt)).sorted(by: >)
    if slow.count > allowed {
      fall(slow[allowed], now)
    } else if slow.isEmpty, isDueToRise {
      rise(now)
    }
  }

  /// `latency`: what the p99 of a window with these probes would be at least.
  private mutating func fall(_ latency: Int64, _ now: Int64) {
    changedAt = now
    guard pace > settings.least else { return }
    ceiling = pace
    let factor = Double(settings.target) / Double(latency)
    pace = max(settings.least, pace * min(max(factor, Throttle.mostFall), Throttle.leastFall))
  }

  private static let mostFall = 0.5
  private static let leastFall = 0.85

  /// Probes that have to be good before it rises again: half a second's.
  private static let probesToRise = 25

  private var isDueToRise: Bool {
    isSlowed && window.count(since: changedAt) >= Throttle.probesToRise
      && window.slow(above: settings.target, since: .min).count <= allowed
  }

  private mutating func rise(_ now: Int64) {
    changedAt = now
    let isNearCeiling = ceiling.map { pace > Throttle.near * $0 } ?? false
    pace = min(settings.full, pace * (isNearCeiling ? Throttle.slowRise : Throttle.fastRise))
    if let known = ceiling, pace > known * Throttle.fastRise { ceiling = nil }
  }

  /// From this share of the pace that was too much it rises slowly, until it is well above it.
  private static let near = 0.7
  private static let slowRise = 1.05
  private static let fastRise = 1.5
}
