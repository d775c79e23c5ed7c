import CCurl
import ReplayCore

/// Where a function behind HTTP is. Read by libcurl's own parser, so that what is checked is what is called.
struct HTTPAddress: Sendable, Equatable {
  /// What is called.
  let url: String
  let host: String
  let path: String
  /// For messages: without the query, which may hold a key.
  let shown: String

  /// Throws `.usage`, showing nothing of a text that may hold a password.
  init(_ text: String) throws {
    guard let parser = curl_url() else { throw ReplayError(.unexpected, "no memory for an address") }
    defer { curl_url_cleanup(parser) }
    let code = curl_url_set(parser, CURLUPART_URL, text, UInt32(CURLU_DISALLOW_USER))
    if code == CURLUE_USER_NOT_ALLOWED {
      throw ReplayError(
        .usage, "the address of a function holds a user's name or password", effect: "nothing was read",
        next: "leave them out of it: what is on a command line is seen by others")
    }
    guard code == CURLUE_OK, let scheme = HTTPAddress.part(CURLUPART_SCHEME, of: parser),
      let host = HTTPAddress.part(CURLUPART_HOST, of: parser), !host.isEmpty
    else {
      let isOpen = !text.contains("@") && !text.contains("?")
      throw ReplayError(
        .usage, "the address of a function cannot be read" + (isOpen ? ": \(text)" : ""),
        details: [String(cString: curl_url_strerror(code))], effect: "nothing was read",
        next: "write it as https://HOST:PORT/PATH")
    }
    let port = HTTPAddress.part(CURLUPART_PORT, of: parser)
    url = text
    self.host = host
    path = HTTPAddress.part(CURLUPART_PATH, of: parser) ?? "/"
    shown = "\(scheme)://\(host)\(port.map { ":\($0)" } ?? "")\(path)"
  }

  private static func part(_ part: CURLUPart, of parser: OpaquePointer) -> String? {
    var text: UnsafeMutablePointer<CChar>?
    guard curl_url_get(parser, part, &text, 0) == CURLUE_OK, let text else { return nil }
    defer { curl_free(text) }
    return String(cString: text)
  }

  private var parts: [Substring] { path.split(separator: "/") }

  /// Of an address of Lambda's Invoke (`/2015-03-31/functions/NAME/invocations`), the function's name.
  var invokedFunction: String? {
    let parts = parts
    guard parts.count == 4, parts[0] == "2015-03-31", parts[1] == "functions", parts[3] == "invocations" else {
      return nil
    }
    return String(parts[2])
  }

  /// Of an address of AWS Lambda itself (`lambda.REGION.amazonaws.com`), the region.
  var lambdaRegion: String? {
    let labels = host.lowercased().split(separator: ".")
    guard labels.count >= 4, labels[0] == "lambda" || labels[0] == "lambda-fips", labels[2] == "amazonaws",
      labels[3] == "com"
    else { return nil }
    return String(labels[1])
  }

  /// What the function is called where nobody says. Without the port, which may be another one tomorrow.
  var nameParts: [String] {
    // With no point, which would begin a file's ending.
    (invokedFunction.map { [$0] } ?? [host] + parts.map(String.init)).map { $0.replacing(".", with: "-") }
  }
}
