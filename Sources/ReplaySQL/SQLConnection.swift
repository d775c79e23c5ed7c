import ReplayCore

/// A value bound to a statement outside the hot path.
package enum SQLValue: Sendable {
  case integer(Int64)
  case text(String)
  case blob([UInt8])
}

/// One row of an answer, lent while it is read.
package protocol SQLRow {
  func integer(_ column: Int32) -> Int64
  func isNull(_ column: Int32) -> Bool
  func text(_ column: Int32) -> String
  func blob(_ column: Int32) -> [UInt8]
}

/// A database that replay keeps its own tables in, whichever it is: what is written here is SQL that all of them take,
/// with `?` for each value.
package protocol SQLConnection: AnyObject {
  /// The file or the address, for messages.
  var path: String { get }
  var dialect: SQLDialect { get }
  /// Runs one statement to its end and gives what `read` makes of each of its rows.
  func query<Row>(_ sql: String, _ values: [SQLValue], _ read: (any SQLRow) throws -> Row) throws -> [Row]
  /// Runs one statement and leaves its rows alone.
  func run(_ sql: String, _ values: [SQLValue]) throws
  /// Whether there is a table of this name, which is in lower case.
  func has(_ table: String) throws -> Bool
  /// The table of exactly this name; nil where there is none.
  func shape(of table: String) throws -> TableShape?
  /// All rows, in order. They are of one snapshot where the connection is in a transaction that reads one, which it has
  /// to be in PostgreSQL.
  func rows(_ order: RowOrder) throws -> any RowCursor
}

extension SQLConnection {
  package func query<Row>(_ sql: String, _ read: (any SQLRow) throws -> Row) throws -> [Row] {
    try query(sql, [], read)
  }

  package func run(_ sql: String) throws { try run(sql, []) }

  /// Keeps all others from opening the function, or committing to it, until the transaction ends.
  package func lock(_ key: CheckpointKey) throws {
    if dialect.rowLock.isEmpty { return }
    try run("SELECT 1 FROM _replay_functions WHERE \(CheckpointKey.condition)\(dialect.rowLock)", key.values)
  }
}

/// In what the databases' SQL differs, as far as replay's own tables need it.
package struct SQLDialect: Sendable {
  /// What messages call the database program.
  package let program: String
  /// A table's definition in SQLite's words, in this database's.
  package let definition: @Sendable (String) -> String
  /// The expression that counts the bytes of a text column.
  package let textBytes: @Sendable (String) -> String
  /// What a SELECT ends with that keeps others from changing its rows until the transaction ends; nothing where a
  /// transaction that writes is alone.
  package let rowLock: String
  /// Words for a person, without what a text column cannot hold.
  package let storable: @Sendable (String) -> String

  package init(
    program: String, definition: @escaping @Sendable (String) -> String,
    textBytes: @escaping @Sendable (String) -> String, rowLock: String = "",
    storable: @escaping @Sendable (String) -> String = { $0 }
  ) {
    self.program = program
    self.rowLock = rowLock
    self.definition = definition
    self.textBytes = textBytes
    self.storable = storable
  }

  /// A name as SQL; it was checked by `Names`, and is quoted all the same.
  package static func quoted(_ name: String) -> String { "\"\(name)\"" }
}
