import ReplayCore

/// A segment's name cut where layouts look: its directories, its stem and its extensions.
struct NameText {
  let directories: [Substring]
  /// The last component without its extensions.
  let stem: Substring
  /// `keys`, `json`, `gz`: what follows the stem, without the dots. An extension begins with a letter.
  let extensions: [Substring]
  /// The whole name without its extensions: files of one segment share it.
  let path: String

  init(_ name: String) {
    let parts = name.split(separator: "/")
    directories = Array(parts.dropLast())
    var stem = parts.last ?? name[...]
    var extensions: [Substring] = []
    while let dot = stem.lastIndex(of: "."), dot > stem.startIndex {
      let text = stem[stem.index(after: dot)...]
      guard let first = text.utf8.first, first.isLetter, text.utf8.allSatisfy({ $0.isLetter || $0.isDigit }) else {
        break
      }
      extensions.insert(text, at: 0)
      stem = stem[..<dot]
    }
    self.stem = stem
    self.extensions = extensions
    path = String(name[..<stem.endIndex])
  }
}

extension UInt8 {
  var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }
  var isLetter: Bool { (self | 0x20) >= UInt8(ascii: "a") && (self | 0x20) <= UInt8(ascii: "z") }
}

extension StringProtocol {
  var isDigits: Bool { !isEmpty && utf8.allSatisfy { $0.isDigit } }

  /// True where the digits have zeros in front that the number does not need.
  var isPadded: Bool { utf8.count > 1 && utf8.first == UInt8(ascii: "0") }

  /// The digits without padding: `007` is `7`, `000` is `0`.
  var unpadded: String {
    let digits = drop { $0 == "0" }
    return digits.isEmpty ? "0" : String(digits)
  }
}

extension WideNumber {
  /// Reads decimal digits, padded or not; nil where the text is anything else or does not fit 192 bits.
  init?(decimal text: some StringProtocol) {
    guard text.isDigits else { return nil }
    var words: (UInt64, UInt64, UInt64) = (0, 0, 0)
    for digit in text.utf8 {
      var carry = UInt64(digit - UInt8(ascii: "0"))
      words.2 = WideNumber.tenfold(words.2, &carry)
      words.1 = WideNumber.tenfold(words.1, &carry)
      words.0 = WideNumber.tenfold(words.0, &carry)
      if carry != 0 { return nil }
    }
    self.init(high: words.0, middle: words.1, low: words.2)
    guard isInRange else { return nil }
  }

  private static func tenfold(_ word: UInt64, _ carry: inout UInt64) -> UInt64 {
    let product = word.multipliedFullWidth(by: 10)
    let (sum, overflow) = product.low.addingReportingOverflow(carry)
    carry = product.high + (overflow ? 1 : 0)
    return sum
  }
}

/// A file's name as it may be shown on a terminal: control characters escaped.
func shown(_ name: String) -> String { ReplayError.line(name) }

/// The first five names, one a line, and how many more there are.
func firstFive(_ names: [String]) -> [String] {
  let lines = names.prefix(5).map(shown)
  return names.count > 5 ? lines + ["and \(names.count - 5) more"] : lines
}

/// `1 event`, `2 events`.
func counted(_ count: some BinaryInteger, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
