import CCurl
import ReplayCore

/// What a service answered.
struct HTTPAnswer: Equatable {
  var status: Int
  var body: [UInt8] = []
  /// `Retry-After`, as it was sent.
  var retryAfter: String?
  /// `X-Amz-Function-Error`, as it was sent.
  var functionError: String?

  var isSuccess: Bool { (200..<300).contains(status) }
}

/// Calls to one address, one after another on one connection that is kept, through libcurl. Redirects are not followed, and
/// certificates are verified. Used by one thread at a time.
///
/// Holds libcurl's handles and the text of its last error, which it writes to a fixed place; all are freed in `deinit`.
final class HTTPConnection {
  enum Outcome {
    case answered(HTTPAnswer)
    /// Nothing was sent, so no event is at fault.
    case notConnected(String)
    /// It was sent, as a whole or not; whether the service worked on it is not known.
    case broken(String)
    /// As `broken`, and the reason is that a kept connection was closed: the next call makes a new one.
    case lost
    /// The other side cannot prove that it is who it should be.
    case untrusted(String)
  }

  /// One answer's length, at most: that of Lambda.
  static let maxAnswerBytes = 6 << 20

  private let easy: UnsafeMutableRawPointer
  private let multi: UnsafeMutableRawPointer
  private let errorText: UnsafeMutablePointer<CChar>
  private let received = ReceivedAnswer()
  private let isSigned: Bool
  /// Without waiting for the service's word before a long body is sent.
  private static let unsent = ["Expect:"]

  /// Once for the process; libcurl counts who else does it.
  private static let library: CURLcode = replay_curl_begin()

  init(_ address: HTTPAddress, signing: RequestSigning?) throws {
    guard HTTPConnection.library == CURLE_OK, let easy = curl_easy_init() else {
      throw ReplayError(.unexpected, "libcurl cannot be started")
    }
    guard let multi = curl_multi_init() else {
      curl_easy_cleanup(easy)
      throw ReplayError(.unexpected, "libcurl cannot be started")
    }
    (self.easy, self.multi, isSigned) = (easy, multi, signing != nil)
    errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    // Each connection has a list of its own: others are nobody's to use.
    var codes = [
      replay_curl_text(easy, CURLOPT_URL, address.url), replay_curl_text(easy, CURLOPT_PROTOCOLS_STR, "http,https"),
      replay_curl_number(easy, CURLOPT_POST, 1), replay_curl_number(easy, CURLOPT_NOSIGNAL, 1),
      replay_curl_number(easy, CURLOPT_FOLLOWLOCATION, 0), replay_curl_number(easy, CURLOPT_MAXCONNECTS, 1),
      replay_curl_number(easy, CURLOPT_SSL_VERIFYPEER, 1), replay_curl_number(easy, CURLOPT_SSL_VERIFYHOST, 2),
      replay_curl_version(easy), replay_curl_text(easy, CURLOPT_USERAGENT, "replay"),
      replay_curl_context(easy, CURLOPT_ERRORBUFFER, errorText),
    ]
    // The answer is borrowed by libcurl during a call only, and lives as long as this.
    let context = Unmanaged.passUnretained(received).toOpaque()
    codes += [
      replay_curl_taking(easy, CURLOPT_WRITEFUNCTION, ReceivedAnswer.takeBody),
      replay_curl_context(easy, CURLOPT_WRITEDATA, context),
      replay_curl_taking(easy, CURLOPT_HEADERFUNCTION, ReceivedAnswer.takeHeader),
      replay_curl_context(easy, CURLOPT_HEADERDATA, context),
      replay_curl_asking(easy, ReceivedAnswer.allowSending),
      replay_curl_context(easy, CURLOPT_PREREQDATA, context),
    ]
    if let signing {
      codes += [
        replay_curl_text(easy, CURLOPT_AWS_SIGV4, "aws:amz:\(signing.region):lambda"),
        replay_curl_text(easy, CURLOPT_USERNAME, signing.keyID),
        replay_curl_text(easy, CURLOPT_PASSWORD, signing.secret),
      ]
    }
    if let failed = codes.first(where: { $0 != CURLE_OK }) {
      throw ReplayError(
        .unexpected, "libcurl does not take an option", details: [String(cString: curl_easy_strerror(failed))])
    }
  }

  deinit {
    curl_multi_cleanup(multi)
    curl_easy_cleanup(easy)
    errorText.deallocate()
  }

  /// Posts and waits for the answer. A cancelled or late call's connection is closed; what the service does with what it was
  /// sent is its own.
  func post(
    _ headers: [String], body: [UInt8], milliseconds: Int64, unless isCancelled: () -> Bool
  ) throws -> Outcome {
    received.clear()
    errorText[0] = 0
    var list: UnsafeMutablePointer<curl_slist>?
    for header in (isSigned ? [] : HTTPConnection.unsent) + headers {
      // libcurl 7.88 signs the header that it is told to leave out, and no signature fits.
      let isLeftOut = isSigned && header == CloudEvent.noContentType
      list = curl_slist_append(list, isLeftOut ? "Content-Type: application/octet-stream" : header)
    }
    defer {
      _ = replay_curl_list(easy, CURLOPT_HTTPHEADER, nil)
      curl_slist_free_all(list)
    }
    _ = replay_curl_list(easy, CURLOPT_HTTPHEADER, list)
    _ = replay_curl_number(easy, CURLOPT_TIMEOUT_MS, Int(milliseconds))
    _ = replay_curl_number(easy, CURLOPT_CONNECTTIMEOUT_MS, Int(min(milliseconds, 10_000)))
    _ = replay_curl_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
    // Without an address libcurl would ask somebody else for the body: of an empty one, that of a byte which is not sent.
    let sent = body.isEmpty ? [0] : body
    return try sent.withUnsafeBytes { bytes in
      _ = replay_curl_context(easy, CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(mutating: bytes.baseAddress))
      defer { _ = replay_curl_context(easy, CURLOPT_POSTFIELDS, nil) }
      return outcome(try run(unless: isCancelled), milliseconds)
    }
  }

  /// By looking every 20 ms: `curl_easy_perform` would look once a second.
  private func run(unless isCancelled: () -> Bool) throws -> CURLcode {
    guard curl_multi_add_handle(multi, easy) == CURLM_OK else { return CURLE_FAILED_INIT }
    defer { curl_multi_remove_handle(multi, easy) }
    while true {
      var running: Int32 = 0
      guard curl_multi_perform(multi, &running) == CURLM_OK else { return CURLE_FAILED_INIT }
      if running == 0 { break }
      if isCancelled() { throw DeliveryCancelled() }
      curl_multi_poll(multi, nil, 0, 20, nil)
    }
    var left: Int32 = 0
    while let message = curl_multi_info_read(multi, &left) {
      if message.pointee.msg == CURLMSG_DONE { return message.pointee.data.result }
    }
    return CURLE_FAILED_INIT
  }

  private func outcome(_ code: CURLcode, _ milliseconds: Int64) -> Outcome {
    if code == CURLE_OK { return .answered(received.answer(status: replay_curl_status(easy))) }
    if received.isLost { return .lost }
    if received.isTooLong { return .broken("it answered more than \(HTTPConnection.maxAnswerBytes) bytes") }
    let told = String(cString: errorText)
    let shown = told.isEmpty ? String(cString: curl_easy_strerror(code)) : told
    let isSent = replay_curl_sent(easy) > 0
    switch code {
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT, CURLE_SSL_CONNECT_ERROR:
      return .notConnected(shown)
    case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR: return .untrusted(shown)
    case CURLE_OPERATION_TIMEDOUT where isSent:
      return .broken("it did not answer within \(ChildLimits.text(milliseconds))")
    case CURLE_OPERATION_TIMEDOUT: return .notConnected(shown)
    case CURLE_GOT_NOTHING: return .broken("it closed the connection without an answer")
    default: return .broken("it did not answer: \(shown)")
    }
  }
}
