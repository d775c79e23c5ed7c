import CPQ
import ReplayCore
import ReplaySQL
import Synchronization

/// A store in PostgreSQL, seen from outside. Keeps one connection for all questions.
package final class PostgresInspector: SQLInspector {
  package let place: String
  private let line: Mutex<PostgresLine>

  package init(_ address: PostgresAddress, patienceMilliseconds: Int32 = 10_000) {
    place = address.shown
    line = Mutex(PostgresLine(address, PostgresStore.Options(patienceMilliseconds: patienceMilliseconds)))
  }

  package func reading<Found>(_ read: (any SQLConnection) throws -> [Found]) throws -> [Found] {
    try asking { connection in
      try connection.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
      defer { connection.rollback() }
      guard try OwnTables.exist(on: connection) else { return [] }
      try OwnTables.checkFormat(on: connection)
      return try read(connection)
    }
  }

  package func writing<Result>(_ body: (any SQLConnection) throws -> Result) throws -> Result {
    try asking { connection in
      try connection.writing {
        // What comes after it, such as a consumer group's own positions, relies on it.
        try connection.run("SET LOCAL synchronous_commit = on")
        return try body(connection)
      }
    }
  }

  package func switching(on connection: any SQLConnection) throws -> any TableSwitching {
    guard let connection = connection as? PostgresConnection else {
      throw ReplayError(.unexpected, "another store's connection: \(place)")
    }
    return PostgresSwitcher(connection: connection)
  }

  package func watch() -> any PositionsWatching { Watch(inspector: self) }

  private struct Watch: PositionsWatching {
    let inspector: PostgresInspector
    mutating func positions() throws -> [FunctionPositions] { try inspector.positions() }
  }

  /// `Mutex` hands over only what may cross threads: what is found stays on this one.
  private func asking<Result>(_ body: (PostgresConnection) throws -> Result) throws -> Result {
    var found: Result?
    try line.withLock { line in
      found = try line.patiently(body)
    }
    guard let found else { throw ReplayError(.unexpected, "no answer of the store: \(place)") }
    return found
  }
}
