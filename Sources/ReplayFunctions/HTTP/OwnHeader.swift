import ReplayCore

/// A header that a user adds to every call, such as `Authorization`. Its value comes from the environment, since it may be
/// a secret, and a command line is seen by others.
struct OwnHeader: Sendable, Equatable {
  let name: String
  let value: String
  var line: String { "\(name): \(value)" }

  /// What the calls say themselves.
  private static let taken: Set<String> = [
    "content-type", "content-length", "host", "expect", "transfer-encoding", "connection", "x-amz-client-context",
    "x-amz-security-token", "x-amz-date",
  ]

  /// `NAME=@env:VARIABLE`. Throws `.usage`, showing nothing but what stands before the equals sign.
  init(_ text: String, variable: (String) -> String? = RequestSigning.variable) throws {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, let source = parts[1].removing("@env:"), OwnHeader.isName(parts[0]) else {
      throw ReplayError(
        .usage, "this is no header for a function behind HTTP" + (parts.count == 2 ? ": \(parts[0])=…" : ""),
        effect: "nothing was read", next: "write it as --http-header NAME=@env:VARIABLE")
    }
    name = parts[0]
    let lower = name.lowercased()
    guard !OwnHeader.taken.contains(lower), !lower.hasPrefix("ce-"), !lower.hasPrefix("replay-") else {
      throw ReplayError(
        .usage, "the header \(name) is not to be chosen: each call has its own", effect: "nothing was read",
        next: "leave it out")
    }
    guard let value = variable(source), !value.isEmpty, value.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else {
      throw ReplayError(
        .usage, "the variable \(source) holds no value of a header: it is not set, or has more than printable ASCII",
        effect: "nothing was read", next: "set it")
    }
    self.value = value
  }

  private static func isName(_ name: String) -> Bool {
    !name.isEmpty
      && name.utf8.allSatisfy {
        $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0 >= 0x30 && $0 <= 0x39
          || ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7a
      }
  }

  /// Of `Bearer abc` also `abc` alone.
  var secrets: [String] { [value] + (value.split(separator: " ").last.map { [String($0)] } ?? []) }
}
