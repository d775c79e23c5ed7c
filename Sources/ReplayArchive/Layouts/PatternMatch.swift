import ReplayCore

/// One attempt of a pattern at one name: greedy, with backtracking.
struct PatternMatch {
  let tokens: [NamePattern.Token]
  let bytes: [UInt8]
  private var values: [NamePattern.Field: Range<Int>] = [:]
  /// Tokens and places that were tried in vain: without them a pattern of many fields takes exponential time.
  private var failed: Set<Int> = []

  init(tokens: [NamePattern.Token], bytes: [UInt8]) {
    self.tokens = tokens
    self.bytes = bytes
  }

  /// True where the tokens from `index` on take exactly the bytes from `start` to the end.
  mutating func fits(token index: Int, at start: Int) -> Bool {
    guard index < tokens.count else { return start == bytes.count }
    let place = index * (bytes.count + 1) + start
    if failed.contains(place) { return false }
    let fits =
      switch tokens[index] {
      case .literal(let literal):
        bytes[start...].starts(with: literal) && self.fits(token: index + 1, at: start + literal.count)
      case .field(let field): self.fits(field, token: index, at: start)
      }
    if !fits { failed.insert(place) }
    return fits
  }

  private mutating func fits(_ field: NamePattern.Field, token index: Int, at start: Int) -> Bool {
    if splitsNumber(field, token: index, at: start) { return false }
    var end = start
    while end < bytes.count, field.takes(bytes[end]) { end += 1 }
    let least = field == .any ? start : start + 1
    // A number is its whole run of digits, unless the pattern itself goes on with a digit.
    let shortest = field.isNumber && !literalDigitFollows(index) ? max(end, least) : least
    while end >= shortest {
      if fits(token: index + 1, at: end) {
        values[field] = start..<end
        return true
      }
      end -= 1
    }
    return false
  }

  /// True where the field would begin inside a run of digits that the field before it began.
  private func splitsNumber(_ field: NamePattern.Field, token index: Int, at start: Int) -> Bool {
    guard field.isNumber || field == .partition, index > 0, case .field = tokens[index - 1] else { return false }
    guard start > 0, start < bytes.count else { return false }
    return bytes[start - 1].isDigit && bytes[start].isDigit
  }

  private func literalDigitFollows(_ index: Int) -> Bool {
    guard index + 1 < tokens.count, case .literal(let literal) = tokens[index + 1] else { return false }
    return literal.first.map { $0.isDigit } ?? false
  }

  /// What the fields took; nil where a number does not fit 192 bits.
  var parsed: ParsedName? {
    func text(_ field: NamePattern.Field) -> String? {
      values[field].map { String(decoding: bytes[$0], as: UTF8.self) }
    }
    let partition = text(.partition)
    var name = ParsedName(
      topic: text(.topic) ?? "", partition: partition.map { $0.isDigits ? $0.unpadded : $0 } ?? ParsedName.whole,
      time: text(.time))
    if let start = text(.start) {
      guard let number = WideNumber(decimal: start) else { return nil }
      name.first = number
    }
    if let last = text(.last) {
      guard let number = WideNumber(decimal: last) else { return nil }
      name.last = number
    }
    return name
  }
}
