import Testing

@testable import ReplayFunctions

struct JSONReaderTests {
  static func read(_ text: String) throws(JSONReader.Fault) -> JSONValue {
    let bytes = Array(text.utf8)
    do { return try bytes.withUnsafeBytes { try JSONReader.read($0) } } catch { throw error as! JSONReader.Fault }
  }

  @Test(arguments: [
    ("null", "null"), (" true ", "true"), ("-0.10e+2", "the number -0.10e+2"), ("[1,[2]]", "an array"),
    (#"{"a":{"b":[]}}"#, "an object"), (#""\u00e9\n\ud83d\ude00""#, "the text \"é\n😀\""), ("0", "the number 0"),
  ]) func whatIsJSONIsRead(text: String, kind: String) throws {
    #expect(try JSONReaderTests.read(text).kind == kind)
  }

  @Test(arguments: [
    ("", 0), ("nul", 0), ("[1,]", 3), (#"{"a" 1}"#, 5), ("01", 1), ("1.", 2), (#""\ud800""#, 1), (#""\x""#, 1),
    ("\"a", 2),
    ("{} {}", 3), ("\"\u{1}\"", 1), (#"{"a":1,}"#, 7),
  ]) func whatIsNoneSaysWhere(text: String, byte: Int) {
    let fault = #expect(throws: JSONReader.Fault.self) { try JSONReaderTests.read(text) }
    #expect(fault?.byte == byte)
  }

  @Test func nestingHasALimit() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try JSONReaderTests.read(nested(JSONReader.maxDepth))
    #expect(throws: JSONReader.Fault.self) { try JSONReaderTests.read(nested(JSONReader.maxDepth + 1)) }
  }

  @Test func ofAMemberTwiceTheFirstCounts() throws {
    #expect(try JSONReaderTests.read(#"{"a":1,"a":2}"#)["a"]?.kind == "the number 1")
  }
}
