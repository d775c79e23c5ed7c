import ReplayCore

/// A store to be examined: an empty database and two ways into it.
public struct StoreUnderTest {
  /// Another run's store over the same database, not yet opened.
  public let make: () throws -> any Store
  /// Every row of the functions' tables as `StoreConformance.line` writes it, in any order.
  public let dump: () throws -> [String]
  /// False for a database whose texts cannot hold U+0000: then one is refused with the table's and the column's name.
  public let holdsNUL: Bool

  public init(
    make: @escaping () throws -> any Store, holdsNUL: Bool = true, dump: @escaping () throws -> [String]
  ) {
    self.make = make
    self.holdsNUL = holdsNUL
    self.dump = dump
  }
}

/// What a store did against its contract.
public struct StoreViolation: Error, CustomStringConvertible {
  public let description: String
}

/// The contract of `Store` as a list of cases that any implementation with `StoreCapability.atomicEpoch` must pass. Each
/// needs an empty database, throws `StoreViolation` and depends on no test framework.
public enum StoreConformance {
  public struct Case: Sendable, CustomStringConvertible {
    public let description: String
    /// The seed makes the same rows again; a case without chance ignores it.
    public let run: @Sendable (StoreUnderTest, _ seed: UInt64) throws -> Void
  }

  public static let all: [Case] =
    checkpointCases + mergeCases + listCases + keyedCases + loadCases + runCases + refusalCases + keptCases + markCases

  /// How a dump writes NULL.
  public static let null = "NULL"

  /// One row: the table and its columns in order, keys first, as the database shows them; a decimal as its whole
  /// number of smallest units.
  public static func line(_ table: String, _ columns: [String]) -> String {
    ([table] + columns).joined(separator: "|")
  }
}

// MARK: What the cases are written with

func violation(_ text: String) -> StoreViolation { StoreViolation(description: text) }

func expect<Value: Equatable>(_ found: Value, is expected: Value, _ what: String) throws {
  if found != expected { throw violation("\(what): expected \(expected), found \(found)") }
}

extension StoreUnderTest {
  /// Compares all rows and says which are missing and which should not be.
  func expectRows(_ expected: [String], _ what: String) throws {
    let found = try dump().sorted()
    if found == expected.sorted() { return }
    let missing = Set(expected).subtracting(found).sorted().prefix(5)
    let surplus = Set(found).subtracting(expected).sorted().prefix(5)
    throw violation(
      "\(what): expected \(expected.count) rows, found \(found.count); missing \(Array(missing)), surplus \(Array(surplus))"
    )
  }

  /// A new run that has opened the functions.
  func run(_ functions: [StoreFunction], refresh: Bool = false) throws -> (store: any Store, checkpoints: [Checkpoint])
  {
    let store = try make()
    let checkpoints = try store.open(functions.map { FunctionIdentity($0) }, range: .all, refresh: refresh)
    try expect(checkpoints.count, is: functions.count, "open answers a checkpoint for each function")
    return (store, checkpoints)
  }

  /// The checkpoint that a new run of `function` gets.
  func checkpoint(_ function: StoreFunction) throws -> Checkpoint {
    let (store, checkpoints) = try run([function])
    try store.close()
    return checkpoints[0]
  }
}

extension Store {
  /// Commits one function's changes; anything but "committed" is a violation.
  func write(
    _ function: StoreFunction, _ changes: [RowSet], at frontier: [Partition: Position] = [:],
    settled: [SettledSegment] = [], events: UInt64 = 0
  ) throws {
    let outcome = try commit(epoch(function, changes, at: frontier, settled: settled, events: events))
    guard case .committed = outcome else { throw violation("a commit by the only run answered \(outcome)") }
  }
}

func epoch(
  _ function: StoreFunction, _ changes: [RowSet], at frontier: [Partition: Position] = [:],
  settled: [SettledSegment] = [], events: UInt64 = 0
) -> EpochCommit {
  EpochCommit(functions: [
    .init(name: function.name, changes: changes, frontier: frontier, settled: settled, events: events)
  ])
}

/// Runs `body`, which must throw a `ReplayError` with this code, and returns that.
func expectError(_ code: ReplayError.Code, _ what: String, _ body: () throws -> Void) throws -> ReplayError {
  do {
    try body()
  } catch let error as ReplayError {
    if error.code == code { return error }
    throw violation("\(what): expected an error with code \(code), found \(error.code): \(error)")
  }
  throw violation("\(what): expected an error with code \(code), found none")
}
