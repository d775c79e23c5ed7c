/// The user's function from events to changes. The same value runs in replay, live and in a unit test.
///
/// `apply` is called by one lane at a time with that lane's changes, from several lanes at once: keep no state in the
/// projection itself. Events of one partition key come in order. Throw to fail the event that was being looked at; the
/// epoch it is in is not committed past it.
public protocol Projection: Sendable {
  /// Names the checkpoint in the store: lower-case letters, digits and hyphens.
  var name: String { get }
  /// Raise it when the function's meaning changes: a store made by another version is refused.
  var version: Int { get }
  var reads: Reads { get }
  var tables: [any Table] { get }
  /// Views that the store offers over the tables: name, and the SQL of its SELECT.
  var views: [(name: String, select: String)] { get }
  /// Those of `views` whose SQL has to be another one in PostgreSQL.
  var postgresViews: [(name: String, select: String)] { get }
  /// What the store itself runs over the events that `apply` gathers; nil where `apply` makes the rows.
  var program: StoreProgram? { get }

  func apply(_ batch: Batch, _ changes: Changes) throws

  /// True where the order of events does not matter.
  var isMergeOnly: Bool { get }
  /// True where lanes apply through `session` and not by `apply`.
  var hasSessions: Bool { get }
  /// The length of the time windows that it works in; nil: none. Its windows are a partition's, so that one lane has all
  /// of its keys.
  var windowSeconds: Int64? { get }
  /// What lane `lane` applies through; nil where it calls `apply`.
  func session(lane: Int) throws -> (any FunctionSession)?
}

extension Projection {
  public var version: Int { 1 }
  public var views: [(name: String, select: String)] { [] }
  public var postgresViews: [(name: String, select: String)] { [] }
  public var program: StoreProgram? { nil }

  /// Every table merges.
  public var isMergeOnly: Bool { tables.allSatisfy { $0.schema.kind == .merged } }
  public var hasSessions: Bool { false }
  public var windowSeconds: Int64? { nil }
  public func session(lane: Int) throws -> (any FunctionSession)? { nil }
}
