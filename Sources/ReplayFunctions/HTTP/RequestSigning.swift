import ReplayCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Who signs requests to AWS (Signature Version 4). Nothing of it is shown anywhere but the region.
struct RequestSigning: Sendable {
  let region: String
  let keyID: String
  let secret: String
  /// Of credentials that end by themselves.
  let token: String?

  /// From the environment, by the names that every AWS tool knows. Throws `.usage` where they are missing.
  init(region: String, variable: (String) -> String? = RequestSigning.variable) throws {
    guard !region.isEmpty, region.utf8.allSatisfy({ $0 == UInt8(ascii: "-") || RequestSigning.isPlain($0) }) else {
      throw ReplayError(
        .usage, "this is no region of AWS: \(region)", effect: "nothing was read", next: "--aws-sigv4 eu-west-1")
    }
    self.region = region
    func value(_ name: String) throws -> String? {
      guard let value = variable(name), !value.isEmpty else { return nil }
      guard value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
        throw ReplayError(
          .usage, "the variable \(name) holds what no credential holds: a space, a line's end or the like",
          effect: "nothing was read", next: "set it anew")
      }
      return value
    }
    guard let keyID = try value("AWS_ACCESS_KEY_ID"), let secret = try value("AWS_SECRET_ACCESS_KEY") else {
      throw ReplayError(
        .usage, "there are no credentials to sign requests with",
        details: ["AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set"], effect: "nothing was read",
        next: "set them, and AWS_SESSION_TOKEN with them if there is one")
    }
    (self.keyID, self.secret, token) = (keyID, secret, try value("AWS_SESSION_TOKEN"))
  }

  static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

  private static func isPlain(_ byte: UInt8) -> Bool {
    byte >= 0x30 && byte <= 0x39 || byte >= 0x61 && byte <= 0x7a
  }

  /// libcurl signs a path as it stands, AWS one whose percent signs are encoded again: where they differ, no signature fits.
  static func check(_ address: HTTPAddress) throws {
    let isSame = address.path.utf8.allSatisfy {
      isPlain($0 | 0x20) || "-._~/".utf8.contains($0)
    }
    guard isSame else {
      throw ReplayError(
        .usage, "requests to this path cannot be signed: \(address.path)", effect: "nothing was read",
        next: "name a Lambda function by its plain name, its version or alias as ?Qualifier=NAME")
    }
  }

  var headers: [String] { token.map { ["X-Amz-Security-Token: \($0)"] } ?? [] }

  /// What no message may hold: AWS repeats the headers of a request whose signature it refuses.
  var secrets: [String] { [token, secret].compactMap(\.self) }
}
