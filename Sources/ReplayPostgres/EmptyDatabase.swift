import ReplayCore
import ReplaySQL

/// Makes the database and the schema that an address names, after a disaster: where the server has neither.
package enum EmptyDatabase {
  /// Where a server's administration connects to.
  private static let maintenance = "postgres"

  /// What was made, in words; empty where all of it was there. Throws what the server has against it.
  package static func make(_ address: PostgresAddress) throws -> [String] {
    var made: [String] = []
    if try !isThere(address.with(schema: nil)), let name = address.database {
      try run(
        "CREATE DATABASE \(quoted(name)) ENCODING 'UTF8' TEMPLATE template0", on: address.with(database: maintenance))
      made.append("the database \(name)")
    }
    if let schema = address.schema, try !isThere(address) {
      try run("CREATE SCHEMA \(quoted(schema))", on: address.with(schema: nil))
      made.append("the schema \(schema)")
    }
    return made
  }

  private static func isThere(_ address: PostgresAddress) throws -> Bool {
    do { try connecting(address) { _ in } } catch let error as ReplayError where error.code == .missing { return false }
    return true
  }

  private static func run(_ sql: String, on address: PostgresAddress) throws {
    try connecting(address) { try $0.runAsWritten(sql) }
  }

  private static func connecting(_ address: PostgresAddress, _ body: (PostgresConnection) throws -> Void) throws {
    var line = PostgresLine(address, PostgresStore.Options())
    try line.patiently(body)
  }

  /// As an identifier, whatever it holds.
  private static func quoted(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }
}

extension PostgresAddress {
  /// The database that is connected to, where the address says.
  fileprivate var database: String? { parameters["dbname"] ?? parameters["user"] }

  fileprivate func with(schema: String?) -> PostgresAddress {
    PostgresAddress(shown: shown, parameters: parameters, schema: schema)
  }

  fileprivate func with(database: String) -> PostgresAddress {
    PostgresAddress(shown: shown, parameters: parameters.merging(["dbname": database]) { $1 }, schema: nil)
  }
}
