/// When a server must prove who it is.
enum Encryption {
  /// The `sslmode` that a connection needs beyond what is said: `verify-full` where the way leads over a network and nobody
  /// chose otherwise; nil where it may stay. `effective`: what libpq would take, with its defaults; `given`: what the
  /// address says; `environment`: of PGSSLMODE.
  static func needed(effective: [String: String], given: [String: String], environment: String?) -> String? {
    if given["sslmode"] != nil || !(environment ?? "").isEmpty { return nil }
    // A service file says something else than libpq's default.
    if let mode = effective["sslmode"], mode != "prefer" { return nil }
    return isLocal(host: effective["host"] ?? "", address: effective["hostaddr"] ?? "") ? nil : "verify-full"
  }

  /// True where every host is this machine: a socket's directory, or a loopback address.
  static func isLocal(host: String, address: String) -> Bool {
    let names = (address.isEmpty ? host : address).split(separator: ",", omittingEmptySubsequences: false)
    return names.allSatisfy { name in
      name.isEmpty || name.hasPrefix("/") || name.hasPrefix("@") || name == "localhost" || name == "::1"
        || isLoopback(name)
    }
  }

  /// `127.0.0.1`, but not `127.example.org`.
  private static func isLoopback(_ name: Substring) -> Bool {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }
}
