import ReplayCore
import ReplayDecode
import ReplayTesting
import Testing

/// A malformed record is an error about that record, and what is before it stays readable.
@Suite struct MalformedTests {
  static let cases: [(name: String, record: String)] = [
    ("string not closed", #"{"data":{"text":"x}}"#),
    ("control character in a string", "{\"data\":{\"text\":\"a\tb\"}}"),
    ("control character in a string nobody asked for", "{\"other\":\"a\u{1}b\",\"data\":{}}"),
    ("bracket not closed", #"{"data":{"n":1}"#),
    ("an array", "[1,2]"),
    ("a number", "42"),
    ("a string", #""text""#),
    ("true", "true"),
    ("half a null", "nul"),
    ("two values", #"{"data":{"n":1}}{"data":{"n":2}}"#),
    ("two values with a space", #"{"data":{"n":1}} {"data":{"n":2}}"#),
    ("a value and a word", #"{"data":{"n":1}} x"#),
    ("a value and a comma", #"{"data":{"n":1}},"#),
    ("no colon", #"{"data" {"n":1}}"#),
    ("no comma", #"{"a":1 "data":{"n":1}}"#),
    ("two commas", #"{"a":1,,"data":{"n":1}}"#),
    ("comma at the end", #"{"a":1,}"#),
    ("no name", #"{,}"#),
    ("name without quotes", #"{data:{"n":1}}"#),
    ("number as name", #"{1:{"n":1}}"#),
    ("no value", #"{"data":}"#),
    ("wrong literal", #"{"data":{"n":tru}}"#),
    ("NaN", #"{"data":{"n":NaN}}"#),
    ("plus sign", #"{"data":{"n":+1}}"#),
    ("unknown escape", #"{"data":{"text":"\x"}}"#),
    ("escape cut off", #"{"data":{"text":"\u12"}}"#),
    ("lone high surrogate", #"{"data":{"text":"\ud83d"}}"#),
    ("lone low surrogate", #"{"data":{"text":"\ude00"}}"#),
    ("high surrogate and a letter", #"{"data":{"text":"\ud83dx"}}"#),
    ("two high surrogates", #"{"data":{"text":"\ud83d\ud83d"}}"#),
    ("brackets of two kinds", #"{"data":{"n":[1}}"#),
  ]

  @Test(arguments: cases.indices) func inLines(_ place: Int) {
    let (name, bad) = Self.cases[place]
    for (before, after) in [(3, 3), (0, 2), (4, 0)] {
      let text = Array(lines(records(before) + [bad] + records(after)).utf8)
      for bytes in [text, Gzip.member(text), pieces(text, of: 50).flatMap { Zstd.frame($0) }] {
        for blockBytes in [128, 1 << 10, 1 << 19] {
          let decoded = decode(bytes, framing: .lines, limits: limits(blockBytes: blockBytes))
          #expect(decoded.failedOrdinal == UInt64(before), "\(name): \(decoded.error.map { "\($0)" } ?? "no error")")
          let good = decode(
            bytes, framing: .lines, limits: limits(blockBytes: blockBytes),
            range: SegmentRange(from: [0], untilOrdinal: UInt64(before)))
          #expect(good.error == nil, "\(name)")
          #expect(good.raws == records(before), "\(name)")
        }
      }
    }
  }

  @Test(
    arguments: [
      [0xff, 0xfe], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82],
    ] as [[UInt8]]) func invalidUTF8(_ wrong: [UInt8])
  {
    let bad = Array(#"{"data":{"text":""#.utf8) + wrong + Array("\"}}\n".utf8)
    let bytes = Array(lines(records(5)).utf8) + bad + Array(lines(records(2)).utf8)
    #expect(decode(bytes).failedOrdinal == 5)
    #expect(decode(bytes, range: SegmentRange(from: [0], untilOrdinal: 5)).raws == records(5))
  }

  /// A byte order mark belongs at a file's start and nowhere else.
  @Test func byteOrderMarkInTheMiddle() {
    #expect(decode(lines(records(2)) + "\u{feff}" + lines(records(1))).failedOrdinal == 2)
  }

  @Test func utf16() {
    let bytes = Array("{\"a\":1}\n".utf16).flatMap {
      [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)]
    }
    #expect(decode([0xff, 0xfe] + bytes).error != nil)
    #expect(decode(bytes).error != nil)
  }

  /// What is wrong between the elements of an array, and how many elements are good.
  @Test(arguments: [
    ("[A B]", 1), ("[A,,B]", 1), ("[A,B", 2), ("[A,B,]", 2), ("[A,B]x", 2), ("[A,B][C]", 2), ("[,A]", 0), ("[A,B,C", 3),
    ("[A,B},C]", 2), ("[A,1]", 1), ("[A,B", 2), ("[A,{", 1), ("[A,", 1), ("[", 0),
  ])
  func inArrays(_ shape: String, _ good: Int) {
    var text = shape
    for (place, name) in ["A", "B", "C"].enumerated() { text = text.replacing(name, with: record(place)) }
    for reads in readSizes {
      let decoded = decode(Array(text.utf8), reads: reads)
      #expect(decoded.failedOrdinal == UInt64(good), "\(shape): \(decoded.error.map { "\($0)" } ?? "no error")")
      let before = decode(
        Array(text.utf8), reads: reads, range: SegmentRange(from: [0], untilOrdinal: decoded.failedOrdinal ?? 0))
      #expect(before.raws == records(Int(decoded.failedOrdinal ?? 0)), "\(shape)")
    }
  }

  @Test(arguments: [("A B{", 2), ("AB}", 2), ("A,B", 1), ("A]B", 1), ("AB\"", 2), ("A1B", 1), ("A x", 1)])
  func inConcatenated(_ shape: String, _ good: Int) {
    var text = shape
    for (place, name) in ["A", "B"].enumerated() { text = text.replacing(name, with: record(place)) }
    let decoded = decode(text, framing: .concatenated)
    #expect(decoded.failedOrdinal == UInt64(good), "\(shape): \(decoded.error.map { "\($0)" } ?? "no error")")
  }

  @Test func framingThatIsNot() {
    #expect(decode(lines(records(2)), framing: .array).failedOrdinal == 0)
    #expect(decode(records(2).joined(), framing: .lines).failedOrdinal == 0)
    #expect(decode("[" + records(2).joined(separator: ",") + "]", framing: .lines).failedOrdinal == 0)
    #expect(decode("{\n\"a\":1}\n", framing: .lines).failedOrdinal == 0)
  }

  /// 100,000 open brackets are an error, not a crash.
  @Test func depth() {
    #expect(decode(String(repeating: "[", count: 100_000)).error != nil)
    #expect(decode(#"{"data":"# + String(repeating: "[", count: 100_000)).error != nil)
    let deep =
      #"{"x":"# + String(repeating: "[", count: 50_000) + String(repeating: "]", count: 50_000) + #","data":{"n":1}}"#
    #expect(decode(deep).records.first?.fields.first == DecodedSegment.Field(.number, "1"))
  }
}
