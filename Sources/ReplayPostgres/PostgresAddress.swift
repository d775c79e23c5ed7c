import CPQ
import ReplayCore

/// Where a PostgreSQL store is: an address that libpq reads, without a password, and the schema of the tables.
package struct PostgresAddress: Sendable, Equatable {
  /// As it was given, for messages; it holds no password.
  package let shown: String
  /// libpq's keywords and values, as far as the address says any.
  let parameters: [String: String]
  /// Nil: the first schema of the role's search path.
  let schema: String?

  private static let schemes = ["postgres://", "postgresql://"]

  package static func isOne(_ text: String) -> Bool { schemes.contains { text.hasPrefix($0) } }

  /// Throws `.usage` where libpq cannot read the address, or where it holds a password.
  package init(_ text: String) throws {
    if Address.holdsPassword(text) { throw PostgresAddress.secret }
    let (address, schema) = Address.withoutSchema(text)
    if let schema, schema.isEmpty || schema.utf8.contains(0) || schema.utf8.count > 63 {
      throw ReplayError(
        .usage, "not a schema's name in the address: \(schema)", details: ["a name has 1 to 63 bytes"],
        next: "name the schema that the tables are to be in: ?schema=NAME")
    }
    parameters = try PostgresAddress.parsed(address)
    // A keyword may be written with percent signs.
    if parameters["password"] != nil || parameters["sslpassword"] != nil { throw PostgresAddress.secret }
    self.schema = schema
    shown = text
  }

  /// True where the text, an address, has a password in it.
  /// Of the same server.
  init(shown: String, parameters: [String: String], schema: String?) {
    self.shown = shown
    self.parameters = parameters
    self.schema = schema
  }

  package static func holdsPassword(_ text: String) -> Bool { Address.holdsPassword(text) }

  private static let secret = ReplayError(
    .usage, "the store's address holds a password, which every user of this machine can read in the process list",
    effect: "nothing was read or written",
    next: "take it out of the address, and put it into a file that PGPASSFILE names (or ~/.pgpass), or into PGPASSWORD")

  private static func parsed(_ address: String) throws -> [String: String] {
    var said: UnsafeMutablePointer<CChar>?
    guard let options = PQconninfoParse(address, &said) else {
      defer { PQfreemem(said) }
      throw ReplayError(
        .usage, "not an address of PostgreSQL",
        details: ["libpq: \(said.map { Words.line(String(cString: $0)) } ?? "out of memory")"],
        next: "give one as postgres://USER@HOST:PORT/DATABASE?schema=NAME")
    }
    defer { PQconninfoFree(options) }
    return Keywords.values(options)
  }
}

/// What libpq says of keywords.
enum Keywords {
  /// Those that have a value. The list, which is lent, ends with one without a keyword.
  static func values(_ options: UnsafeMutablePointer<PQconninfoOption>) -> [String: String] {
    var found: [String: String] = [:]
    var option = options
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val { found[String(cString: keyword)] = String(cString: value) }
      option += 1
    }
    return found
  }
}

/// The parts of an address that libpq must not see, or not be asked about.
enum Address {
  /// True where a password stands before the host, or among the parameters.
  static func holdsPassword(_ text: String) -> Bool {
    guard let start = text.firstRange(of: "://")?.upperBound else { return false }
    let rest = text[start...]
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    // A password may hold a slash where its writer forgot to escape it.
    let userinfo = rest.prefix { $0 != "?" }.lastIndex(of: "@").map { rest[..<$0] } ?? authority.prefix(0)
    if userinfo.contains(":") { return true }
    return pairs(text).contains { name, _ in ["password", "sslpassword"].contains(decoded(name)) }
  }

  /// The address without its parameter `schema`, which is ours; and that.
  static func withoutSchema(_ text: String) -> (address: String, schema: String?) {
    guard let mark = text.firstIndex(of: "?") else { return (text, nil) }
    let all = pairs(text)
    let kept = all.filter { $0.name != "schema" }.map { "\($0.name)=\($0.value)" }
    let schema = all.last { $0.name == "schema" }.map { decoded($0.value) }
    return (text[..<mark] + (kept.isEmpty ? "" : "?" + kept.joined(separator: "&")), schema)
  }

  private static func pairs(_ text: String) -> [(name: String, value: String)] {
    guard let mark = text.firstIndex(of: "?") else { return [] }
    return text[text.index(after: mark)...].split(separator: "&").map { pair in
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      return (parts[0], parts.count > 1 ? parts[1] : "")
    }
  }

  /// Without percent signs.
  private static func decoded(_ text: String) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
        bytes.append(code)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

enum Words {
  /// libpq's and the server's words on one line.
  static func line(_ text: String) -> String {
    text.split { $0.isNewline }.map { $0.drop(while: \.isWhitespace) }.filter { !$0.isEmpty }.joined(separator: "; ")
  }
}
