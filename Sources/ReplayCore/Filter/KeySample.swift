/// Some hundredths of all keys, the same ones in every run and on every machine, whatever the lanes: a key is in it where
/// the hash of its `KeyHash` is below `share × 2^64`, rounded down.
///
/// The hash of the hash, and not that itself: by its highest bits keys are given to lanes, and all of a sample would go
/// to the first one. A smaller sample is part of every larger one.
public struct KeySample: Sendable, Hashable {
  /// Hundred-millionths: 1 % are 1,000,000 of them.
  public let share: UInt64
  /// The least hash that is not in it; nil: all are.
  private let bound: UInt64?

  private static let whole: UInt64 = 100_000_000
  private static let digits = 6

  /// Nil where the share is none of 1 to 100,000,000.
  public init?(share: UInt64) {
    guard (1...KeySample.whole).contains(share) else { return nil }
    self.share = share
    bound = share == KeySample.whole ? nil : KeySample.whole.dividingFullWidth((share, 0)).quotient
  }

  /// Reads `1%` or `0.25%`, with at most six digits behind the point; nil where the text is anything else.
  public init?(_ text: String) {
    guard text.hasSuffix("%") else { return nil }
    let parts = text.dropLast().split(separator: ".", omittingEmptySubsequences: false)
    let isDigits = { (part: Substring) in !part.isEmpty && part.utf8.allSatisfy { $0 &- 48 < 10 } }
    guard parts.count <= 2, parts.allSatisfy(isDigits), let percent = UInt64(parts[0]), percent <= 100 else {
      return nil
    }
    let fraction = parts.count == 2 ? String(parts[1]) : ""
    guard fraction.utf8.count <= KeySample.digits else { return nil }
    let padded = fraction + String(repeating: "0", count: KeySample.digits - fraction.utf8.count)
    self.init(share: percent * 1_000_000 + (UInt64(padded) ?? 0))
  }

  public func contains(_ key: Text) -> Bool {
    guard let bound else { return true }
    return KeyHash.hash(KeyHash.hash(key)) < bound
  }
}

extension KeySample: CustomStringConvertible {
  public var description: String {
    let fraction = String(share % 1_000_000)
    let digits = String(repeating: "0", count: KeySample.digits - fraction.utf8.count) + fraction
    let kept = String(digits.reversed().drop { $0 == "0" }.reversed())
    return "\(share / 1_000_000)\(kept.isEmpty ? "" : "." + kept)%"
  }
}
