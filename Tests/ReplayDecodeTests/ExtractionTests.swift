import ReplayCore
import ReplayDecode
import ReplayTesting
import Testing

/// What comes out of one record for the paths that functions ask for.
@Suite struct ExtractionTests {
  typealias Field = DecodedSegment.Field

  private func field(_ record: String, _ path: String) -> Field? {
    let decoded = decode(record, fields: [path])
    #expect(decoded.error == nil, "\(record): \(decoded.error.map { "\($0)" } ?? "")")
    return decoded.records.first?.fields.first
  }

  static let cases: [(record: String, path: String, found: Field)] = [
    (#"{"a":1}"#, "a", Field(.number, "1")),
    (#"{"a":-0.50e+3}"#, "a", Field(.number, "-0.50e+3")),
    (#"{"a":9007199254740993}"#, "a", Field(.number, "9007199254740993")),
    (#"{"a":0.1234567890123456789}"#, "a", Field(.number, "0.1234567890123456789")),
    (#"{"a":"x"}"#, "a", Field(.string, "x")),
    (#"{"a":""}"#, "a", Field(.string, "")),
    (#"{"a":true}"#, "a", Field(.boolean, "true")),
    (#"{"a":false }"#, "a", Field(.boolean, "false")),
    (#"{"a":null}"#, "a", Field(.null, "null")),
    (#"{"b":1}"#, "a", Field(.missing)),
    (#"{}"#, "a", Field(.missing)),
    (#"{"a":{}}"#, "a", Field(.object, "{}")),
    (#"{"a": { "b" : [1, {"c":"]}"}] } , "z":1}"#, "a", Field(.object, #"{ "b" : [1, {"c":"]}"}] }"#)),
    (#"{"a":[ ]}"#, "a", Field(.array, "[ ]")),
    (#"{"a":[1,"]",[2]],"b":2}"#, "a", Field(.array, #"[1,"]",[2]]"#)),
    (#"{"a":{"b":{"c":3}}}"#, "a.b.c", Field(.number, "3")),
    (#"{"a":{"b":1}}"#, "a.b.c", Field(.missing)),
    (#"{"a":[{"b":1}]}"#, "a.b", Field(.missing)),
    (#"{"a":null}"#, "a.b", Field(.missing)),
    (#"{"a.b":1,"a":{"b":2}}"#, "a.b", Field(.number, "2")),
    (#"{"a.b":1,"a":{"b":2}}"#, #"a\.b"#, Field(.number, "1")),
    (#"{"a\\b":7}"#, #"a\\b"#, Field(.number, "7")),
    (#"{"x":{"a":1},"a":2}"#, "a", Field(.number, "2")),
    (#"{"x":{"a":{"b":1}},"y":[{"a":{"b":3}}],"a":{"b":2}}"#, "a.b", Field(.number, "2")),
    (#"{"a" : 1 }"#, "a", Field(.number, "1")),
    ("{\"a\"\t:\r 1\t}", "a", Field(.number, "1")),
    (#"{"\u0061":1}"#, "a", Field(.number, "1")),
    (#"{"ab":0,"a":1,"abc":2}"#, "a", Field(.number, "1")),
    (#"{"aaaaaaaa":1,"aaaaaaaaa":2,"aaaaaaaab":3}"#, "aaaaaaaab", Field(.number, "3")),
    (#"{"Größe":4}"#, "Größe", Field(.number, "4")),
    (#"{"Gr\u00f6\u00dfe":4}"#, "Größe", Field(.number, "4")),
    (#"{"\ud83c\udf89":5}"#, "🎉", Field(.number, "5")),
    (#"{"":6}"#, "", Field(.number, "6")),
    (#"{"a":"\"\\\/\b\f\n\r\t"}"#, "a", Field(.string, "\"\\/\u{8}\u{c}\n\r\t")),
    (#"{"a":"\u00e4\u20ac\ud83d\ude00x"}"#, "a", Field(.string, "ä€😀x")),
    (#"{"a":"\uD834\uDD1E"}"#, "a", Field(.string, "𝄞")),
    // Found: the first member of a name wins, whatever it is.
    (#"{"a":1,"a":2}"#, "a", Field(.number, "1")),
    (#"{"a":null,"a":2}"#, "a", Field(.null, "null")),
    (#"{"a":{"b":1},"a":{"b":2}}"#, "a.b", Field(.number, "1")),
    (#"{"a":{"c":1},"a":{"b":2}}"#, "a.b", Field(.missing)),
    (#"{"a":1,"a":{"b":2}}"#, "a.b", Field(.missing)),
    (#"{"a":[],"a":{"b":2}}"#, "a.b", Field(.missing)),
    (#"{"a":{"b":{}},"a":{"b":{"c":1}}}"#, "a.b.c", Field(.missing)),
    (#"{"\u0061":1,"a":2}"#, "a", Field(.number, "1")),
  ]

  @Test(arguments: cases.indices) func one(_ place: Int) {
    let (record, path, found) = Self.cases[place]
    #expect(field(record, path) == found, "\(record) at \(path)")
    // The same beside other fields, and behind a member that nobody asked for.
    let both = decode(record, fields: ["zz", path, path + ".zz"])
    #expect(both.records.first?.fields[1] == found, "\(record) at \(path), with others")
  }

  /// A value and something inside it, both asked for.
  @Test func insideAndOutside() {
    let decoded = decode(#"{"a":{"b":1,"c":[2]},"d":0}"#, fields: ["a", "a.b", "a.c", "d"])
    #expect(
      decoded.records.first?.fields == [
        Field(.object, #"{"b":1,"c":[2]}"#), Field(.number, "1"), Field(.array, "[2]"), Field(.number, "0"),
      ])
  }

  /// Found: more nested paths than a machine word has bits.
  @Test func manyPaths() {
    let names = (0..<200).map { "p\($0)" }
    let record =
      "{" + names.enumerated().map { #""\#($1)":{"x":\#($0),"y":{"z":\#($0)}}"# }.joined(separator: ",") + "}"
    let decoded = decode(record, fields: names.map { $0 + ".x" } + names.map { $0 + ".y.z" })
    #expect(decoded.records.first?.fields.map(\.text) == (0..<200).map { "\($0)" } + (0..<200).map { "\($0)" })
  }

  /// A text with NUL is refused where the function reads it: no database text can hold it.
  @Test func nul() {
    #expect(decode(#"{"data":{"text":"a\u0000b"}}"#).failedOrdinal == 0)
    #expect(decode(#"{"data":{"n":1},"other":"a\u0000b"}"#).error == nil)
  }

  /// The raw record is what was archived, to the byte.
  @Test func rawIsUnchanged() {
    let record = #"{ "data" : {"n" : 1.0 , "text":"\u00e4\/"} , "x":[ 1 ]  }"#
    #expect(decode("  " + record + "  \r\n").raws == [record])
  }

  /// Fields by the anatomy: an envelope's parts and a payload inside it.
  @Test func anatomy() {
    var reads = Reads()
    _ = (reads.key(), reads.type(), reads.time(), reads.id(), reads.text("sku"))
    let anatomy = Anatomy(
      payload: JSONPath("value.body"), key: JSONPath("key"), type: JSONPath("value.kind"), time: JSONPath("ts"),
      id: JSONPath("headers.id"))
    let record = #"{"key":"k","ts":"t","headers":{"id":"i"},"value":{"kind":"ty","body":{"sku":"s"}}}"#
    let decoded = decode(
      Array(record.utf8), functions: [reads], range: SegmentRange(from: [0]), anatomy: anatomy)
    #expect(decoded.records.first?.fields.map(\.text) == ["k", "ty", "t", "i", "s"])
  }
}
