import ReplayCore
import ReplayDecode
import Testing

struct LineJudgeTests {
  func key(_ line: String, _ path: String? = "k") throws -> String? {
    let judge = LineJudge(key: path.map { JSONPath($0) })
    var found: String?
    try Array(line.utf8).withUnsafeBytes { found = try judge.judge($0).map { String($0) } }
    return found
  }

  @Test(arguments: ["null", " {\"a\" : [1, 2]} \r", "{\"a\":1e400}", "\tnull "])
  func objectsAndNullAreEvents(line: String) throws { #expect(try key(line, nil) == nil) }

  /// JSON, but every follower would stop at it.
  @Test(arguments: [
    ("1", "a number"), ("-1", "a number"), (" \"a\"", "a string"), ("[]", "an array"), ("true", "a boolean"),
    ("false", "a boolean"), ("123456789012345678901234567890", "a number"), ("[{\"k\":\"v\"}]", "an array"),
  ])
  func otherValuesAreNone(line: String, found: String) {
    for path in [nil, "k"] {
      #expect(throws: LineJudge.Fault.notEvent(found: found)) { try key(line, path) }
    }
  }

  @Test(arguments: [
    ("", 0), ("{", 1), ("{}{}", 2), ("{} x", 3), ("\"a", 2), ("[1,]", 3), ("nul", 0), ("\"\t\"", 1), ("[1 2]", 3),
  ]) func whatIsNoJSONIsFoundWhereItStops(line: String, byte: Int) throws {
    do {
      _ = try key(line, nil)
      Issue.record("\(line) was taken")
    } catch LineJudge.Fault.notJSON(let found, _) { #expect(found == byte, "\(line)") }
  }

  @Test func bytesThatAreNoUTF8AreRefused() throws {
    let judge = LineJudge()
    let line: [UInt8] = Array("{\"a\":\"".utf8) + [0xc3, 0x28] + Array("\"}".utf8)
    #expect(throws: LineJudge.Fault.notJSON(byte: 6, expected: "UTF-8")) {
      try line.withUnsafeBytes { _ = try judge.judge($0) }
    }
  }

  @Test(arguments: [
    ("{\"k\":\"v\"}", "v"), ("{\"k\":12.50}", "12.50"), ("{\"a\":{\"k\":1},\"k\":\"\\u0061\\n\"}", "a\n"),
    ("{\"k\":\"first\",\"k\":\"second\"}", "first"), ("{\"k\":\"\"}", ""),
  ]) func theKeyIsFound(line: String, expected: String) throws { #expect(try key(line) == expected) }

  @Test(arguments: [
    ("{}", "nothing"), ("{\"k\":null}", "null"), ("{\"k\":{}}", "an object"), ("{\"k\":[]}", "an array"),
    ("{\"k\":true}", "a boolean"), ("null", "nothing"),
  ]) func whatIsNoKeyIsNamed(line: String, found: String) {
    #expect(throws: LineJudge.Fault.noKey(found: found)) { try key(line) }
  }

  /// The memory grows with the line, and one judge takes many.
  @Test func linesOfAnyLength() throws {
    let judge = LineJudge(key: JSONPath("data.k"))
    for length in [1, 4000, 4096, 10_000, 3_000_000, 5] {
      let line = Array("{\"pad\":\"\(String(repeating: "x", count: length))\",\"data\":{\"k\":\"\(length)\"}}".utf8)
      let found = try line.withUnsafeBytes { try judge.judge($0).map { String($0) } }
      #expect(found == "\(length)")
    }
  }
}
