import ReplayCore
import Testing

@testable import ReplayFunctions

struct HTTPTests {
  @Test(arguments: [
    ("http://localhost:8080/", "localhost", "http://localhost:8080/"),
    ("https://f.example.com/shade/v1.2?code=secret", "f-example-com-shade-v1-2", "https://f.example.com/shade/v1.2"),
    (
      "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/Sales_2/invocations?Qualifier=x", "sales-2",
      "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/Sales_2/invocations"
    ),
  ]) func addressesHaveNames(text: String, name: String, shown: String) throws {
    let address = try #require(try FunctionAddress(text))
    #expect(address == .http(text))
    #expect(address.defaultName == name)
    #expect(try HTTPAddress(text).shown == shown)
  }

  @Test(arguments: [
    "http://user:geheim@host/", "https://geheim@host/", "http://", "http://user:ge heim@host", "http://a:99999999/",
  ])
  func addressesThatAreNone(text: String) {
    let error = #expect(throws: ReplayError.self) { try FunctionAddress(text) }
    #expect(error?.code == .usage)
    #expect(error?.description.contains("heim") == false)
  }

  @Test(arguments: [
    ("http://a/2015-03-31/functions/function/invocations", "function"),
    ("http://a/2015-03-31/functions/f/invocations/", "f"),
    ("http://a/2015-03-31/functions/invocations", nil), ("http://a/x/2015-03-31/functions/f/invocations", nil),
    ("http://a/", nil),
  ]) func invokeIsKnownByItsPath(text: String, name: String?) throws {
    #expect(try HTTPAddress(text).invokedFunction == name)
  }

  @Test(arguments: [
    ("https://lambda.eu-west-1.amazonaws.com/", "eu-west-1"),
    ("https://Lambda.cn-north-1.amazonaws.com.cn/", "cn-north-1"),
    ("https://lambda-fips.us-east-1.amazonaws.com/", "us-east-1"), ("https://s3.eu-west-1.amazonaws.com/", nil),
    ("http://localhost/", nil), ("https://lambda.eu-west-1.example.com/", nil),
  ]) func lambdasAddressNamesItsRegion(text: String, region: String?) throws {
    #expect(try HTTPAddress(text).lambdaRegion == region)
  }

  @Test(arguments: [
    (["AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"], true), (["AWS_ACCESS_KEY_ID": "k"], false), ([:], false),
    (["AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": ""], false),
    (["AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "geheim\r\nx: y"], false),
    (["AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "geheim "], false),
  ]) func credentialsComeFromTheEnvironment(variables: [String: String], isGood: Bool) throws {
    do {
      let signing = try RequestSigning(region: "eu-west-1") { variables[$0] }
      #expect(isGood && signing.keyID == "k" && signing.secret == "s" && signing.headers.isEmpty)
    } catch let error as ReplayError {
      #expect(!isGood && error.code == .usage && !error.description.contains("geheim"))
    }
  }

  @Test func whatIsSecretIsHidden() throws {
    let signing = try RequestSigning(region: "eu-west-1") {
      ["AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "sss", "AWS_SESSION_TOKEN": "ttt"][$0]
    }
    var plan = HTTPCaller.Plan(address: try HTTPAddress("http://a/"), signing: signing)
    plan.ownHeaders = [try OwnHeader("Authorization=@env:A") { ["A": "Bearer abc"][$0] }]
    #expect(plan.headers == ["X-Amz-Security-Token: ttt", "Authorization: Bearer abc"])
    #expect(plan.hidden("x-amz-security-token:ttt\nsss abc") == "x-amz-security-token:(hidden)\n(hidden) (hidden)")
    #expect(throws: ReplayError.self) { try RequestSigning.check(HTTPAddress("http://a/functions/arn%3Aaws/x")) }
    #expect(throws: ReplayError.self) { try RequestSigning(region: "eu west") { _ in "k" } }
  }

  @Test(arguments: [
    "Authorization: Bearer geheim", "Authorization=geheim", "=@env:A", "a b=@env:A", "Content-Type=@env:A",
    "CE-id=@env:A",
    "Replay-Phase=@env:A", "X=@env:NONE", "X=@env:LINES", "geheim",
  ]) func headersThatAreNone(text: String) {
    let error = #expect(throws: ReplayError.self) { try OwnHeader(text) { ["A": "a", "LINES": "geheim\r\nx: y"][$0] } }
    #expect(error?.code == .usage)
    #expect(error?.description.contains("geheim") == false)
  }

  @Test(arguments: [
    (HTTPAnswer(status: 200), ServicePatience.Verdict.take), (HTTPAnswer(status: 500, retryAfter: "1"), .take),
    (HTTPAnswer(status: 503), .take), (HTTPAnswer(status: 503, retryAfter: "3"), .wait(milliseconds: 3_000)),
    (HTTPAnswer(status: 429, retryAfter: "10"), .wait(milliseconds: 10_000)),
    (HTTPAnswer(status: 429, retryAfter: "11"), .enough),
    (HTTPAnswer(status: 429, retryAfter: "99999999999999"), .enough),
    (HTTPAnswer(status: 429, retryAfter: "Wed, 21 Oct 2026 07:28:00 GMT"), .wait(milliseconds: 100)),
    (HTTPAnswer(status: 429, retryAfter: "0"), .wait(milliseconds: 100)),
    (HTTPAnswer(status: 429, retryAfter: "-1"), .wait(milliseconds: 100)), (HTTPAnswer(status: 429), .take),
  ]) func whoIsBusyIsWaitedFor(answer: HTTPAnswer, verdict: ServicePatience.Verdict) {
    var patience = ServicePatience(busyMilliseconds: 10_000, absentMilliseconds: 1_000)
    #expect(patience.verdict(answer) == verdict)
  }

  @Test func waitsGrowAndEnd() {
    var patience = ServicePatience(busyMilliseconds: 1_000, absentMilliseconds: 1_000, isThrottled: true)
    let throttled = HTTPAnswer(status: 429)
    #expect(
      (0..<4).map { _ in patience.verdict(throttled) } == [
        .wait(milliseconds: 100), .wait(milliseconds: 200), .wait(milliseconds: 400), .enough,
      ])
    #expect([0, 60, 999].map { patience.absent(now: 5_000 + $0) } == [50, 100, 200])
    #expect(patience.absent(now: 6_000) == nil)
  }

  @Test func headersAreTakenByName() {
    let answer = ReceivedAnswer()
    func take(_ line: String) { Array(line.utf8).withUnsafeBytes { answer.take(header: $0) } }
    take("HTTP/1.1 100 Continue\r\n")
    take("Retry-After: 1\r\n")
    take("HTTP/1.1 429 Too Many\r\n")
    take("x-AMZ-function-ERROR:  Unhandled \r\n")
    take("Nothing\r\n")
    #expect(answer.answer(status: 429) == HTTPAnswer(status: 429, functionError: "Unhandled"))
    take("RETRY-AFTER:\t7\r\n")
    #expect(answer.answer(status: 429).retryAfter == "7")
  }

  @Test(arguments: [
    (#"{"errorMessage":"m","errorType":"T"}"#, true), (#"{"errorMessage":"m"}"#, false), ("null", false),
    (#"{"merges":[]}"#, false),
  ]) func anErrorIsKnownWithoutItsHeader(body: String, isError: Bool) throws {
    #expect(FunctionError.isError(try JSONReaderTests.read(body)) == isError)
  }

  @Test(arguments: [
    (#"{"errorMessage":"m","errorType":"T","trace":["a\nb"]}"#, ["T: m", "  a", "  b"]),
    ("", ["it failed and said nothing"]),
    ("oh", ["it said: oh"]),
  ]) func errorsAreTold(body: String, reasons: [String]) { #expect(FunctionError.reasons(Array(body.utf8)) == reasons) }
}
