import Foundation
import ReplayCore
import ReplayDecode
import ReplayTesting
import Testing

/// Random JSON, written by a small writer of our own: what is extracted is what Foundation parses from the same bytes.
@Suite struct PropertyTests {
  @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64]) func extractedIsParsed(_ seed: UInt64) throws {
    print("extraction property seed: \(seed)")
    var writer = JSONWriter(random: SplitMix64(seed: seed))
    let many = (0..<300).map { _ in writer.object(depth: 0) }
    let paths = ["a", "b", "a.a", "a.b", "b.a.c", "c", "long name of a member", "ä", "a.long name of a member"]
    let sizes = MemoryArchive.ReadSizes.random(seed: seed, limit: 900)
    for (text, framing) in [
      (lines(many), Framing.lines), (many.joined(), .concatenated), ("[" + many.joined(separator: ",") + "]", .array),
    ] {
      let decoded = decode(
        Gzip.member(text), fields: paths, reads: sizes, framing: framing,
        limits: limits(blockBytes: writer.random.number(64...5000)))
      #expect(decoded.error == nil, "seed \(seed), \(framing): \(decoded.error.map { "\($0)" } ?? "")")
      #expect(decoded.raws == many, "seed \(seed), \(framing)")
      for (record, found) in zip(many, decoded.records) {
        let parsed = try JSONSerialization.jsonObject(with: Data(record.utf8))
        for (path, field) in zip(paths, found.fields) {
          #expect(
            try Self.agrees(field, Self.value(parsed, path)), "seed \(seed): \(path) of \(record) is \(field)")
        }
      }
    }
  }

  private static func value(_ parsed: Any, _ path: String) -> Any? {
    path.split(separator: ".").reduce(parsed as Any?) { ($0 as? [String: Any])?[String($1)] }
  }

  private static func agrees(_ field: DecodedSegment.Field, _ value: Any?) throws -> Bool {
    switch field.kind {
    case .missing: return value == nil
    case .null: return value is NSNull
    case .string: return value as? String == field.text
    case .boolean: return (value as? NSNumber)?.boolValue == (field.text == "true")
    case .number: return (value as? NSNumber)?.doubleValue == Double(field.text)
    case .object, .array:
      guard let value else { return false }
      let again = try JSONSerialization.jsonObject(with: Data(field.text.utf8))
      return same(again, value)
    }
  }

  private static func same(_ a: Any, _ b: Any) -> Bool {
    switch (a, b) {
    case (let a as [Any], let b as [Any]): a.count == b.count && zip(a, b).allSatisfy { same($0, $1) }
    case (let a as [String: Any], let b as [String: Any]):
      a.count == b.count && a.allSatisfy { name, value in b[name].map { same(value, $0) } ?? false }
    default: (a as? NSObject) == (b as? NSObject) || a as? String == b as? String && a is String
    }
  }
}

/// Writes JSON with all its liberties: white space, escapes of every kind, nesting. No name twice in one object, because
/// readers differ there.
struct JSONWriter {
  var random: SplitMix64

  private mutating func space() -> String { random.once(in: 4) ? random.one(of: [" ", "\t", "  ", "\r"]) : "" }

  mutating func object(depth: Int) -> String {
    var names = ["a", "b", "c", "long name of a member", "ä", "d", "e"].shuffled(using: &random)
    names = Array(names.prefix(random.number(0...5)))
    let members = names.map { name in
      space() + string(name) + space() + ":" + space() + value(depth: depth + 1) + space()
    }
    return "{" + (members.isEmpty ? space() : members.joined(separator: ",")) + "}"
  }

  private mutating func value(depth: Int) -> String {
    switch random.number(0...(depth > 4 ? 5 : 9)) {
    case 0: return "null"
    case 1: return random.one(of: ["true", "false"])
    case 2: return "\(random.number(-1_000_000...1_000_000))"
    case 3: return random.one(of: ["0", "-0", "1.5", "-2.25e-3", "1E6", "123456789.125", "0.001"])
    case 4, 5: return string(random.one(of: Self.texts))
    case 6: return "[" + (0..<random.number(0...4)).map { _ in value(depth: depth + 1) }.joined(separator: ", ") + "]"
    default: return object(depth: depth)
    }
  }

  static let texts = [
    "", "x", "plain text", "\"", "\\", "{\"a\":1}", "[,]", "ends with \\", "\n\r\t\u{8}\u{c}/", "ä€😀", "日本語",
    "\u{7f}\u{85}\u{2028}", "0123456789abcdef", String(repeating: "long \"text\" ", count: 30), "\u{1}\u{1f}",
  ]

  /// The text as a JSON string; each character plain or in one of its escaped forms, by chance.
  private mutating func string(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      let short = ["\"": "\\\"", "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\u{8}": "\\b", "\u{c}": "\\f"]
      if let escape = short[String(scalar)] {
        out += random.once(in: 3) ? units(scalar) : escape
      } else if scalar.value < 0x20 || random.once(in: 12) {
        out += units(scalar)
      } else if scalar == "/", random.once(in: 2) {
        out += "\\/"
      } else {
        out += String(scalar)
      }
    }
    return out + "\""
  }

  private mutating func units(_ scalar: Unicode.Scalar) -> String {
    let isUpper = random.once(in: 2)
    return String(scalar).utf16.map { unit in
      let digits = String(unit, radix: 16, uppercase: isUpper)
      return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }.joined()
  }
}
