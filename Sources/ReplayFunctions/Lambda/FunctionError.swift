import ReplayCore

/// What a Lambda function says of why it failed.
enum FunctionError {
  /// `{"errorMessage": …, "errorType": …, "stackTrace": […]}` as lines; whatever else was sent, as it is. Node's client says
  /// `trace`.
  static func reasons(_ body: [UInt8]) -> [String] {
    let shown = body.withUnsafeBytes { ReplayError.excerpt(Text($0), limit: 500) }
    guard let error = try? body.withUnsafeBytes({ try JSONReader.read($0) }),
      let message = error["errorMessage"]?.string
    else { return [shown.isEmpty ? "it failed and said nothing" : "it said: \(shown)"] }
    let type = error["errorType"]?.string
    let stack = ((error["stackTrace"] ?? error["trace"])?.array ?? []).compactMap(\.string)
    return [type.map { "\($0): \(message)" } ?? message].map { line($0) }
      + stack.flatMap { $0.split(separator: "\n") }.suffix(8).map { "  " + line(String($0)) }
  }

  /// Whether an answer is an error that nobody marked as one: the runtime interface emulator sends no
  /// `X-Amz-Function-Error`.
  static func isError(_ answer: JSONValue) -> Bool {
    answer["errorMessage"]?.string != nil && answer["errorType"]?.string != nil
  }

  private static func line(_ text: String) -> String {
    var text = text
    return text.withUTF8 { ReplayError.excerpt(Text(UnsafeRawBufferPointer($0)), limit: 400) }
  }
}
