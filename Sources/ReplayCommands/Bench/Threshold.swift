/// The least that a benchmark must reach: `0.5` of the decompress-only rate, `5.8M/s` events a second, or `10000x` live
/// speed. All are of the whole path and its median.
struct Threshold: Equatable {
  enum Measure: String {
    case ratio = "ratio_to_decompress"
    case eventsPerSecond = "events_per_second"
    case timesLive = "times_live"
  }

  let measure: Measure
  let least: Double
  /// As it was given.
  let text: String

  /// Nil where the text is none of the three. A ratio is above 0 and at most 1: nothing runs faster than its own
  /// decompression, so `5` is a unit forgotten and not a wish.
  init?(_ text: some StringProtocol) {
    self.text = String(text)
    if text.hasSuffix("/s") {
      measure = .eventsPerSecond
    } else if text.hasSuffix("x") {
      measure = .timesLive
    } else {
      measure = .ratio
    }
    let units = [Measure.ratio: 0, .eventsPerSecond: 2, .timesLive: 1][measure] ?? 0
    guard let number = Threshold.number(text.dropLast(units), scaled: measure != .ratio), number > 0 else { return nil }
    if measure == .ratio, number > 1 { return nil }
    least = number
  }

  /// Several, parted by commas; nil where one of them is none.
  static func list(_ text: String) -> [Threshold]? {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    let found = parts.compactMap { Threshold($0) }
    return found.count == parts.count ? found : nil
  }

  /// Digits and a point, with k, M or G behind them where `scaled`.
  private static func number(_ text: some StringProtocol, scaled: Bool) -> Double? {
    var digits = String(text)
    var scale = 1.0
    if scaled, let last = digits.last, let found: Double = ["k": 1e3, "M": 1e6, "G": 1e9][last] {
      scale = found
      digits.removeLast()
    }
    guard digits.utf8.allSatisfy({ (48...57).contains($0) || $0 == UInt8(ascii: ".") }) else { return nil }
    return Double(digits).map { $0 * scale }
  }
}

/// A threshold and what was measured against it.
struct Verdict: Equatable {
  let threshold: Threshold
  let measured: Double

  var isMet: Bool { measured >= threshold.least }

  /// How far below the threshold the measurement is, as a share of the threshold; 0 where it is met.
  var shortfall: Double { isMet ? 0 : 1 - measured / threshold.least }

  /// `0.482 of decompress-only, wanted 0.5: 3.6 % short`.
  var sentence: String {
    let end = isMet ? "met" : Words.fixed(shortfall * 100, 1) + " % short"
    return "\(text(of: measured)), wanted \(threshold.text): \(end)"
  }

  private func text(of value: Double) -> String {
    switch threshold.measure {
    case .ratio: Words.fixed(value, 3) + " of decompress-only"
    case .eventsPerSecond: BenchWords.rate(value) + " events"
    case .timesLive: BenchWords.times(value) + " live speed"
    }
  }
}
