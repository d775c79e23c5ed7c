import ReplayCore

/// A function in another language, behind whatever calls it: the same value in replay, live and in a test.
public struct ForeignFunction: Projection {
  public let name: String
  public let version: Int
  public let reads: Reads
  public let contract: FunctionContract
  private let declared: [DeclaredTable]
  private let declaredViews: [(name: String, select: String)]
  private let limits: ForeignSession.Limits
  private let makeWorker: @Sendable (Int) throws -> any FunctionWorker
  /// Kept from one attempt to the next, since a process is slow to start.
  fileprivate let pool = WorkerPool()

  public var tables: [any Table] { declared.map(\.table) }
  public var views: [(name: String, select: String)] { declaredViews }
  /// A function may look at whatever came before, so the order of a key's events counts even where its tables merge.
  public var isMergeOnly: Bool { false }
  public var hasSessions: Bool { true }
  public var windowSeconds: Int64? { limits.windowSeconds }

  init(
    name: String, declaration: FunctionDeclaration, contract: FunctionContract, reads: Reads,
    limits: ForeignSession.Limits, makeWorker: @escaping @Sendable (Int) throws -> any FunctionWorker
  ) {
    self.name = name
    version = declaration.version
    self.contract = contract
    var reads = reads
    for condition in declaration.only { reads.only(condition.field, in: condition.values) }
    self.reads = reads
    declared = contract == .changes ? declaration.tables : []
    declaredViews = contract == .changes ? declaration.views : []
    self.limits = limits
    self.makeWorker = makeWorker
  }

  /// Lanes apply by their sessions.
  public func apply(_ batch: Batch, _ changes: Changes) throws {
    throw ReplayError(.unexpected, "the function \(name) works through sessions only")
  }

  public func session(lane: Int) throws -> (any FunctionSession)? {
    try pool.session(lane) {
      ForeignSession(name, worker: try makeWorker(lane), contract: contract, tables: declared, limits: limits)
    }
  }
}

extension ForeignFunction {
  /// Ends its processes and connections. Nothing may be applied by it after that.
  public func close() { pool.close() }
}

/// The sessions of a function, by lane. `@unchecked Sendable`: the list is reached under its lock, and a session is used by
/// its lane only.
private final class WorkerPool: @unchecked Sendable {
  private let sessions = Monitor<[Int: ForeignSession]>([:])

  func session(_ lane: Int, _ make: () throws -> ForeignSession) rethrows -> ForeignSession {
    try sessions.quietly { sessions in
      if let known = sessions[lane] { return known }
      let made = try make()
      sessions[lane] = made
      return made
    }
  }

  func close() {
    let open = sessions.quietly { sessions in
      defer { sessions = [:] }
      return Array(sessions.values)
    }
    for session in open { session.close() }
  }
}
