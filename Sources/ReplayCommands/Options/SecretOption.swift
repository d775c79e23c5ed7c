import ReplayCore
import ReplayPostgres

/// Options of a stream (`-X key=value`) whose value no text may hold: a store, a plan and a report are read by others.
enum SecretOption {
  private static let words = ["password", "secret", "pem", "token", "jaas", "oauthbearer"]

  static func isSecret(_ key: some StringProtocol) -> Bool {
    let key = key.lowercased()
    return words.contains { key.contains($0) }
  }

  /// Of an address with a password nothing, of a service's address no query; of `key=value` with a secret, where it is
  /// (`@file:…`), or that there is one; anything else as it is.
  static func hidden(_ argument: String) -> String {
    if let query = query(argument) { return argument[..<query] + "?…" }
    if let start = ["postgres://", "postgresql://"].compactMap({ argument.firstRange(of: $0)?.lowerBound }).first,
      PostgresAddress.holdsPassword(String(argument[start...]))
    {
      return argument[..<start] + "postgres://…"
    }
    guard let equals = argument.firstIndex(of: "="), isSecret(argument[..<equals]) else { return argument }
    let value = argument[argument.index(after: equals)...]
    return value.hasPrefix("@") ? argument : argument[...equals] + "@env:NAME"
  }

  /// Where the query of a service's address begins, in the address or in `--option=ADDRESS`: it may hold a key. Nil where
  /// there is none, or one that says only which version of a Lambda function is meant.
  private static func query(_ argument: String) -> String.Index? {
    let parts = argument.split(separator: "=", maxSplits: 1)
    let address = argument.hasPrefix("--") && parts.count == 2 ? parts[1] : argument[...]
    guard address.hasPrefix("http://") || address.hasPrefix("https://"), let query = address.firstIndex(of: "?"),
      address[query...].wholeMatch(of: /\?Qualifier=[^&]*/) == nil
    else { return nil }
    return query
  }

  /// As a plan keeps it, with paths from the root. Throws `.usage` for a secret that the command line holds itself.
  static func kept(_ argument: String) throws -> String {
    guard let equals = argument.firstIndex(of: "=") else { return argument }
    let (key, value) = (argument[..<equals], argument[argument.index(after: equals)...])
    if value.hasPrefix("@file:") { return "\(key)=@file:\(InputFile.absolute(String(value.dropFirst(6))))" }
    guard isSecret(key), !value.hasPrefix("@") else { return argument }
    throw ReplayError(
      .usage, "a plan keeps no secret: -X \(key)=…", effect: "no plan was written",
      next: "say where it is: -X \(key)=@file:PATH, or @env:NAME")
  }
}
