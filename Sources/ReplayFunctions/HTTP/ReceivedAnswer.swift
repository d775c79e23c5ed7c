import CCurl

/// Takes in an answer as libcurl reads it: the body up to a limit, and of the headers those that count.
final class ReceivedAnswer {
  private var body: [UInt8] = []
  private var retryAfter: String?
  private var functionError: String?
  private(set) var isTooLong = false
  private var timesSent = 0
  /// Whether the call went out on a kept connection that then was found closed.
  private(set) var isLost = false

  func clear() {
    body = []
    (retryAfter, functionError, isTooLong, timesSent, isLost) = (nil, nil, false, 0, false)
  }

  func answer(status: Int) -> HTTPAnswer {
    HTTPAnswer(status: status, body: body, retryAfter: retryAfter, functionError: functionError)
  }

  // Called by libcurl within a call that the owner makes, on its thread, with the owner's reference as context.

  static let takeBody: replay_curl_sink = { bytes, size, count, context in
    guard let bytes, let context else { return 0 }
    let answer = Unmanaged<ReceivedAnswer>.fromOpaque(context).takeUnretainedValue()
    return answer.take(UnsafeRawBufferPointer(start: bytes, count: size * count)) ? size * count : 0
  }

  static let takeHeader: replay_curl_sink = { bytes, size, count, context in
    guard let bytes, let context else { return 0 }
    let answer = Unmanaged<ReceivedAnswer>.fromOpaque(context).takeUnretainedValue()
    answer.take(header: UnsafeRawBufferPointer(start: bytes, count: size * count))
    return size * count
  }

  /// Before a request is sent. Left alone, libcurl would send what was lost with a kept connection once more; but the service
  /// may have worked on it, and is to be told that it comes again.
  static let allowSending: replay_curl_gate = { context, _, _, _, _ in
    guard let context else { return CURL_PREREQFUNC_ABORT }
    let answer = Unmanaged<ReceivedAnswer>.fromOpaque(context).takeUnretainedValue()
    answer.timesSent += 1
    answer.isLost = answer.timesSent > 1
    return answer.isLost ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK
  }

  /// False where it is too much.
  private func take(_ more: UnsafeRawBufferPointer) -> Bool {
    isTooLong = body.count + more.count > HTTPConnection.maxAnswerBytes
    if !isTooLong { body.append(contentsOf: more) }
    return !isTooLong
  }

  /// One line; a status line begins anew, as after 100 (continue).
  func take(header line: UnsafeRawBufferPointer) {
    if line.starts(with: "HTTP/".utf8) { (retryAfter, functionError) = (nil, nil) }
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon <= 20 else { return }
    let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
    func value() -> String {
      let isSpace: (UInt8) -> Bool = { $0 <= 0x20 }
      let value = line[(colon + 1)...].prefix(200).drop(while: isSpace)
      return String(decoding: value.prefix { !isSpace($0) }, as: UTF8.self)
    }
    switch name {
    case "retry-after": retryAfter = value()
    case "x-amz-function-error": functionError = value()
    default: break
    }
  }
}
