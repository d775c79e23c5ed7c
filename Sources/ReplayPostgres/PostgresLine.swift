import ReplayCore

/// A connection that is made when it is needed, and made again where it was lost.
struct PostgresLine: Sendable {
  private let address: PostgresAddress
  private let options: PostgresStore.Options
  private let session: Session
  private var known: PostgresConnection?
  /// Rises with each connection: what was made in the session before is not in this one.
  private(set) var number = 0

  init(_ address: PostgresAddress, _ options: PostgresStore.Options, isQuick: Bool = false) {
    self.address = address
    self.options = options
    session = Session(lockMilliseconds: options.patienceMilliseconds, isQuick: isQuick)
  }

  mutating func hangUp() { known = nil }

  /// The connection. Throws `LostConnection` where there is none now.
  mutating func connection() throws -> PostgresConnection {
    if let known, !known.isLost { return known }
    known = nil
    let made = try PostgresConnection(address, session)
    known = made
    number += 1
    return made
  }

  /// Runs `body` until it ends on a connection that holds: it must be one that can be done again. A server that was never
  /// reached is not waited for, unless it is about to come up. Throws the last error.
  mutating func patiently<Result>(_ body: (PostgresConnection) throws -> Result) throws -> Result {
    try attempting { connection, _ in try body(connection) }
  }

  /// The same; `body` is told the number of the connection.
  mutating func attempting<Result>(_ body: (PostgresConnection, Int) throws -> Result) throws -> Result {
    var backoff = Backoff(patienceMilliseconds: Int(options.patienceMilliseconds))
    while true {
      let wasThere = number > 0
      do {
        let connection = try connection()
        return try body(connection, number)
      } catch let error as LostConnection {
        known = nil
        guard wasThere || number > 0 || error.isStartingUp, let wait = backoff.wait() else { throw told(error) }
        options.sleep(wait)
      } catch let error as PostgresError {
        throw error.error
      } catch let error as UndoneTransaction {
        known?.rollback()
        guard let wait = backoff.wait() else { throw error.error }
        options.sleep(wait)
      }
    }
  }

  private func told(_ lost: LostConnection) -> ReplayError {
    var error = lost.error
    if number > 0 {
      error.details.insert(
        "it was reached before, and waited for \(options.patienceMilliseconds) ms (--lock-timeout)", at: 0)
    }
    return error
  }
}

extension LostConnection {
  /// The server is there, and will soon answer.
  fileprivate var isStartingUp: Bool { error.details.contains { $0.contains("57P03") } }
}
