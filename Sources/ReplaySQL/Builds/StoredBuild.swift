import ReplayCore

/// One build of a function in a store: its tables, and how far they are.
///
/// Builds count from 1. The one that serves has the function's own name and tables' names; the others stand beside it,
/// under names of their own (`FunctionBuild`).
public struct StoredBuild: Sendable, Equatable {
  public enum State: String, Sendable {
    /// Readers read its tables.
    case serving
    /// It is made, or was, and never served.
    case building
    /// It served before.
    case kept
    /// It is a view of the past, which ends at a position or time and never serves.
    case past
    /// Its tables are gone; its number is not given again.
    case pruned
  }

  /// What a comparison with the build that served then came to.
  public struct Comparison: Sendable, Equatable {
    public let with: Int
    /// When, as text.
    public let time: String
    public let rows: UInt64
    public let differing: UInt64
    /// Columns that were left out, with commas.
    public let ignored: String

    public init(with: Int, time: String, rows: UInt64, differing: UInt64, ignored: String) {
      self.with = with
      self.time = time
      self.rows = rows
      self.differing = differing
      self.ignored = ignored
    }
  }

  public let function: String
  public let number: Int
  public var state: State
  /// When it came into this state, as text.
  public var since: String
  /// The last one; of a build that was compared.
  public var comparison: Comparison?

  public init(_ function: String, number: Int, state: State, since: String, comparison: Comparison? = nil) {
    self.function = function
    self.number = number
    self.state = state
    self.since = since
    self.comparison = comparison
  }

  /// The name that its checkpoint goes by.
  public var name: String { state == .serving ? function : FunctionBuild.name(function, number: number) }
}

extension [StoredBuild] {
  public var serving: StoredBuild? { first { $0.state == .serving } }
  /// Those that are there, for a person.
  public var words: String {
    filter { $0.state != .pruned }.map { "\($0.number) (\($0.state.rawValue))" }.joined(separator: ", ")
  }
  /// The one that is made now: at most one.
  public var building: StoredBuild? { first { $0.state == .building } }
  public func number(_ number: Int) -> StoredBuild? { first { $0.number == number } }
  /// The one that served last before the one that does.
  public var previous: StoredBuild? {
    filter { $0.state == .kept }.max { ($0.since, $0.number) < ($1.since, $1.number) }
  }
}
