/// Numbers as a person reads them.
enum Words {
  static func count(_ number: some BinaryInteger) -> String {
    let digits = String(number)
    var out = ""
    for (place, digit) in digits.enumerated() {
      if place > 0, (digits.count - place) % 3 == 0, digit != "-" { out += "," }
      out.append(digit)
    }
    return out
  }

  static func bytes(_ count: UInt64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
    var value = Double(count)
    var unit = 0
    while value >= 1024, unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    return unit == 0 ? "\(count) B" : fixed(value, 1) + " " + units[unit]
  }

  static func rate(_ count: UInt64, milliseconds: Int64) -> String {
    let perSecond = Double(count) * 1000 / Double(max(1, milliseconds))
    if perSecond >= 1e6 { return fixed(perSecond / 1e6, 2) + " M/s" }
    if perSecond >= 1e3 { return fixed(perSecond / 1e3, 0) + " k/s" }
    return fixed(perSecond, 0) + "/s"
  }

  static func seconds(_ milliseconds: Int64) -> String {
    let seconds = milliseconds / 1000
    if seconds >= 3600 { return "\(seconds / 3600)h\(seconds / 60 % 60)m" }
    if seconds >= 60 { return "\(seconds / 60)m\(seconds % 60)s" }
    return fixed(Double(milliseconds) / 1000, seconds >= 10 ? 0 : 2) + " s"
  }

  /// A number with exactly so many digits behind the point.
  static func fixed(_ value: Double, _ digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let whole = Int64((value * scale).rounded())
    guard digits > 0 else { return String(whole) }
    let text = String(whole.magnitude)
    let padded = String(repeating: "0", count: max(0, digits + 1 - text.count)) + text
    return (whole < 0 ? "-" : "") + padded.dropLast(digits) + "." + padded.suffix(digits)
  }

  /// An argument as a shell takes it.
  static func shellQuoted(_ argument: String) -> String {
    let plain = argument.utf8.allSatisfy { byte in
      byte | 32 >= 97 && byte | 32 <= 122 || byte >= 43 && byte <= 58 || "_=@%".utf8.contains(byte)
    }
    if plain, !argument.isEmpty { return argument }
    return "'" + argument.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }

  static func plural(_ count: some BinaryInteger, _ word: String) -> String {
    "\(Words.count(count)) \(word)\(count == 1 ? "" : "s")"
  }
}
