/// Measurements of one thing, and what is said of them.
struct Sample: Equatable {
  let values: [Double]

  init(_ values: [Double]) { self.values = values }

  var mean: Double { values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count) }

  /// The standard deviation of a sample (n − 1); nil for fewer than two values, which have none.
  var deviation: Double? {
    guard values.count > 1 else { return nil }
    let mean = mean
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(values.count - 1)).squareRoot()
  }

  /// The middle value; of an even number the mean of the two in the middle. 0 for none.
  var median: Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  var least: Double { values.min() ?? 0 }
  var greatest: Double { values.max() ?? 0 }

  /// The ratio of each pair, of two series that were taken in turns: what slowed the machine for a while slowed both of
  /// a pair, so their ratio moves less than either. A pair with a time of 0 has none.
  static func pairedRatios(_ floor: [Double], _ own: [Double]) -> Sample {
    Sample(zip(floor, own).filter { $0.1 > 0 }.map { $0 / $1 })
  }
}
