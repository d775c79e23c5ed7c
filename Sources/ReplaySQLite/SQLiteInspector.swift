import CSQLite
import ReplayCore
import ReplaySQL

/// A store in an SQLite file, seen from outside. Makes no file.
package struct SQLiteInspector: SQLInspector {
  package let place: String
  private let busyTimeoutMilliseconds: Int32

  package init(_ path: String, busyTimeoutMilliseconds: Int32 = 10_000) {
    place = path
    self.busyTimeoutMilliseconds = busyTimeoutMilliseconds
  }

  package func reading<Found>(_ read: (any SQLConnection) throws -> [Found]) throws -> [Found] {
    try StoreFile.reading(place) { try read($0) }
  }

  package func writing<Result>(_ body: (any SQLConnection) throws -> Result) throws -> Result {
    let connection = try Connection(
      Connection.plain(place), path: place, flags: SQLITE_OPEN_READWRITE,
      busyTimeoutMilliseconds: busyTimeoutMilliseconds)
    try TableSwitcher.prepare(connection)
    return try connection.writing { try body(connection) }
  }

  package func switching(on connection: any SQLConnection) throws -> any TableSwitching {
    guard let connection = connection as? Connection else {
      throw ReplayError(.unexpected, "another store's connection: \(place)")
    }
    return TableSwitcher(connection: connection)
  }

  package func watch() -> any PositionsWatching { PositionsWatch(place) }
}
