/// What was asked. GET and HEAD are answered the same: the library leaves the body of a HEAD out.
public struct Request: Sendable {
  /// Unescaped, without the query.
  public let path: String
  /// GET, HEAD or POST.
  public let method: String
  /// In the order given; nil where a name has no `=`.
  public let query: [(name: String, value: String?)]

  public init(path: String, method: String = "GET", query: [(name: String, value: String?)] = []) {
    self.path = path
    self.method = method
    self.query = query
  }
}

/// What is answered.
public struct Response: Sendable {
  public let status: Int
  public let type: String
  public let body: String

  public init(_ status: Int, type: String = Response.plain, body: String) {
    self.status = status
    self.type = type
    self.body = body
  }

  public static let plain = "text/plain; charset=utf-8"
  public static let json = "application/json"
  public static let html = "text/html; charset=utf-8"

  /// One line for a person.
  public static func line(_ status: Int, _ text: String) -> Response { Response(status, body: text + "\n") }
}
