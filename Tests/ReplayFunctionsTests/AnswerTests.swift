import ReplayCore
import Testing

@testable import ReplayFunctions

/// The rules of `ReportBatchItemFailures`, as AWS's developer guide lists them.
struct BatchResponseTests {
  static let batch = ["10", "11", "12"]

  static func response(_ answer: String) throws -> BatchResponse {
    BatchResponse(try JSONReaderTests.read(answer), count: 3) { identifier in
      identifier.string.flatMap { batch.firstIndex(of: $0) }
    }
  }

  @Test(arguments: ["null", "{}", #"{"batchItemFailures":null}"#, #"{"batchItemFailures":[]}"#, #""done""#, "[]"])
  func successHasManyForms(answer: String) throws {
    #expect(try !BatchResponseTests.response(answer).hasFailed)
  }

  @Test func theLowestNamedRecordIsWhereItGoesOn() throws {
    let answer = #"{"batchItemFailures":[{"itemIdentifier":"12"},{"itemIdentifier":"11"}]}"#
    #expect(try BatchResponseTests.response(answer).failedAt == 1)
  }

  @Test(arguments: [
    #"{"batchItemFailures":[{"itemIdentifier":""}]}"#, #"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
    #"{"batchItemFailures":[{"id":"11"}]}"#, #"{"batchItemFailures":[{"itemIdentifier":"99"}]}"#,
    #"{"batchItemFailures":[{"itemIdentifier":"11"},{"itemIdentifier":"99"}]}"#, #"{"batchItemFailures":"11"}"#,
  ]) func whatNamesNoRecordFailsAllOfIt(answer: String) throws {
    let response = try BatchResponseTests.response(answer)
    #expect(response.hasFailed)
    #expect(response.failedAt == nil)
  }
}

struct AddressTests {
  @Test func aFunctionIsReachedInSeveralWays() throws {
    #expect(try FunctionAddress("shade-velocity") == nil)
    #expect(try FunctionAddress("lambda:./app.py:handler") == .lambda(file: "./app.py", handler: "handler"))
    #expect(try FunctionAddress("lambda:exec:node 'my app.mjs' x") == .lambdaCommand(["node", "my app.mjs", "x"]))
    #expect(try FunctionAddress(#"exec:sh -c "echo \"a b\"" c\ d"#) == .exec(["sh", "-c", #"echo "a b""#, "c d"]))
  }

  @Test(arguments: ["lambda:", "lambda:app.py", "lambda:app.py:", "exec:", "exec:  ", "lambda:exec:", "exec:sh 'x"])
  func whatIsWrittenWrongIsRefused(text: String) {
    #expect(throws: ReplayError.self) { try FunctionAddress(text) }
  }

  @Test(arguments: [
    ("lambda:./App_v2.py:handler", "app-v2-handler"), ("exec:python3 -u /x/fold.py", "python3-fold"),
    ("lambda:exec:./bootstrap", "bootstrap"),
  ]) func aNameIsMadeOfIt(text: String, name: String) throws {
    #expect(try FunctionAddress(text)?.defaultName == name)
  }
}

struct WriterTests {
  /// RFC 4648, section 10.
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ]) func base64(text: String, encoded: String) {
    var writer = JSONWriter()
    Array(text.utf8).withUnsafeBytes { writer.base64(Text($0)) }
    #expect(String(decoding: writer.bytes, as: UTF8.self) == "\"\(encoded)\"")
  }

  /// RFC 1321, appendix A.5.
  @Test(arguments: [
    ("", "d41d8cd98f00b204e9800998ecf8427e"), ("a", "0cc175b9c0f1b6a831c399e269772661"),
    ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
    (
      "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
      "57edf4a22be3c955ac49da2e2107b67a"
    ),
  ]) func md5(text: String, digest: String) { #expect(MD5.hex(text.utf8) == digest) }

  @Test func whatIsWrittenIsRead() throws {
    let text = "a\"b\\c\n\r\t\u{1}é😀/"
    var writer = JSONWriter()
    writer.string(text)
    #expect(try JSONReaderTests.read(String(decoding: writer.bytes, as: UTF8.self)).string == text)
  }
}
