/// Any JSON number (RFC 8259), for the forms that the fast readings leave: exponents, and whole numbers written with a
/// point. Exact, like them.
@usableFromInline struct NumberText {
  private var isNegative = false
  /// All digits without the point.
  private var digits: [UInt8] = []
  /// How many of the digits stand behind the point, less the exponent.
  private var scale = 0

  /// Nil where the text is no JSON number.
  init?(_ text: Text) {
    var at = 0
    func next() -> UInt8? { at < text.count ? text[at] : nil }
    if next() == UInt8(ascii: "-") {
      isNegative = true
      at += 1
    }
    let first = at
    while let byte = next(), byte &- 48 < 10 {
      digits.append(byte &- 48)
      at += 1
    }
    guard at > first, digits[0] != 0 || digits.count == 1 else { return nil }
    if next() == UInt8(ascii: ".") {
      at += 1
      let point = digits.count
      while let byte = next(), byte &- 48 < 10 {
        digits.append(byte &- 48)
        at += 1
      }
      scale = digits.count - point
      guard scale > 0 else { return nil }
    }
    if let byte = next(), byte | 32 == UInt8(ascii: "e") {
      at += 1
      let isLess = next() == UInt8(ascii: "-")
      if isLess || next() == UInt8(ascii: "+") { at += 1 }
      let begin = at
      var exponent = 0
      while let byte = next(), byte &- 48 < 10 {
        // Beyond what any number of digits could make up for, one exponent is as good as another.
        exponent = min(exponent * 10 + Int(byte &- 48), 1 << 40)
        at += 1
      }
      guard at > begin else { return nil }
      scale += isLess ? exponent : -exponent
    }
    guard at == text.count else { return nil }
  }

  /// The number in units of 10^-scale; nil where it has more digits than that which are not zero, or leaves 127 bits.
  func unscaled(by wanted: Int) -> Int128? {
    var digits = digits
    var scale = scale
    while let last = digits.last, last == 0 {
      digits.removeLast()
      scale -= 1
    }
    if digits.isEmpty { return 0 }
    guard scale <= wanted, wanted - scale <= 40 else { return nil }
    var value: Int128 = 0
    for digit in digits + Array(repeating: 0, count: wanted - scale) {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carried) = product.addingReportingOverflow(Int128(digit))
      if overflow || carried { return nil }
      value = sum
    }
    return isNegative ? -value : value
  }
}

extension ValueParsing {
  @usableFromInline static func exactInteger(_ text: Text) -> Int64? {
    NumberText(text)?.unscaled(by: 0).flatMap { Int64(exactly: $0) }
  }

  @usableFromInline static func exactDecimal(_ text: Text, scale: Int) -> FixedDecimal? {
    NumberText(text)?.unscaled(by: scale).map { FixedDecimal(unscaled: $0, scale: scale) }
  }
}
