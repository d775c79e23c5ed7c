import Testing

@testable import ReplayFunctions

struct CloudEventTests {
  static func event(_ text: String) -> CloudEvent? { Array(text.utf8).withUnsafeBytes { CloudEvent($0) } }

  static let required = #""specversion":"1.0","id":"a","source":"/s","type":"t""#

  @Test(arguments: [
    "{}", "[]", "\"text\"", "{", #"{"specversion":"0.3","id":"a","source":"/s","type":"t"}"#,
    #"{"specversion":1.0,"id":"a","source":"/s","type":"t"}"#,
    #"{"specversion":"1.0","id":"","source":"/s","type":"t"}"#,
    #"{"specversion":"1.0","id":7,"source":"/s","type":"t"}"#, #"{"specversion":"1.0","source":"/s","type":"t"}"#,
    #"{"specversion":"1.0","id":"a","source":"/s","type":"t","data_base64":"!"}"#,
    #"{"specversion":"1.0","id":"a","source":"/s","type":"t"} {}"#,
  ]) func whatIsNone(text: String) { #expect(CloudEventTests.event(text) == nil) }

  @Test(arguments: [
    // Data keeps its bytes; a string of JSON is JSON, of text it is text.
    (#","data":{"price": 30.050, "a":[1,  2]}"#, "application/json", #"{"price": 30.050, "a":[1,  2]}"#),
    (#","data":"\u00e9""#, "application/json", #""\u00e9""#),
    (#","datacontenttype":"text/plain","data":"\u00e9\n""#, "text/plain", "é\n"),
    (
      #","datacontenttype":"application/x+json; charset=utf-8","data":"a""#, "application/x+json; charset=utf-8",
      "\"a\""
    ),
    (#","datacontenttype":"text/plain","data":7"#, "text/plain", "7"),
    (#","datacontenttype":"image/png","data_base64":"aGk=""#, "image/png", "hi"),
    (#","data":null"#, "", ""), ("", "", ""), (#","data":false"#, "application/json", "false"),
  ]) func dataIsTheBody(more: String, contentType: String, body: String) throws {
    let event = try #require(CloudEventTests.event("{\(CloudEventTests.required)\(more)}"))
    #expect(event.contentType ?? "" == contentType)
    #expect(String(decoding: event.data, as: UTF8.self) == body)
  }

  @Test func attributesAreHeaders() throws {
    let event = try #require(
      CloudEventTests.event(
        #"{"data":{"id":1},"traceparent":"00 \"ä\"%","sequence":12.50,"flag":true,"none":null,"object":{"a":1},"list":[1],"#
          + #""Upper":"x","a-b":"x","specversion":"1.0","id":"a","source":"/s?q=1","type":"t","id":"b","empty":"","#
          + #""datacontenttype":"application/json"}"#))
    #expect(
      event.headers == [
        "ce-traceparent: 00%20%22%C3%A4%22%25", "ce-sequence: 12.50", "ce-flag: true", "ce-specversion: 1.0",
        "ce-id: a",
        "ce-source: /s?q=1", "ce-type: t", "Content-Type: application/json",
      ])
  }

  @Test func noHeaderEndsTheLine() throws {
    let event = try #require(
      CloudEventTests.event(
        #"{"specversion":"1.0","id":"a\r\nx: y","source":"/s","type":"t","datacontenttype":"a/b\r\nx: y","data":"z"}"#))
    #expect(event.headers.contains("ce-id: a%0D%0Ax:%20y"))
    #expect(event.headers.last == "Content-Type: a/b%0D%0Ax: y")
  }

  @Test(arguments: [
    ("", ""), ("abc-._~/:;=", "abc-._~/:;="), (" ", "%20"), ("\"", "%22"), ("%", "%25"), ("€", "%E2%82%AC"),
    ("\u{1F600}", "%F0%9F%98%80"), ("\t\u{7f}", "%09%7F"), ("a b%20", "a%20b%2520"),
  ]) func valuesAreEncoded(text: String, encoded: String) { #expect(HeaderText.encoded(text) == encoded) }

  @Test(arguments: [
    ("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm9vYmE=", "fooba"),
    ("Zm9vYmFy", "foobar"), ("Z", nil), ("Zg=", nil), ("=g==", nil), ("Zm9-", nil), ("Z===", nil),
  ]) func base64IsRead(text: String, decoded: String?) {
    #expect(Base64.decode(text).map { String(decoding: $0, as: UTF8.self) } == decoded)
  }
}
