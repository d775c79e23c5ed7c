import ReplayCore

/// A function that is one SQL file: comments say which events and which of their fields it takes, and the store runs its
/// statements over them, a batch at a time and inside the commit's transaction.
public struct SQLFunction: Projection {
  public let name: String
  public let version: Int
  public private(set) var reads = Reads()
  public let program: StoreProgram?
  public let isMergeOnly: Bool
  private let columns: ContiguousArray<SQLColumn>

  public var tables: [any Table] { [] }

  /// Reads the file. Throws `.usage` with line and column where it is no function.
  public init(path: String) throws { try self.init(bytes: SQLFile.read(path), file: path) }

  /// `file`: what errors say.
  public init(bytes: [UInt8], file: String) throws {
    let script = try SQLScript(SQLText(bytes, file: file))
    let directives = script.directives
    name = directives.name
    version = directives.version
    isMergeOnly = directives.isAnyOrder
    for condition in directives.conditions { reads.only(condition.source, in: condition.values) }
    var declared = directives.columns
    if script.readsKey {
      declared.append(.init(name: "_key", type: .text, source: .key, isOptional: true))
    }
    var columns: ContiguousArray<SQLColumn> = []
    for column in declared { columns.append(SQLColumn(column, in: &reads)) }
    self.columns = columns
    program = StoreProgram(
      columns: declared.map { .init($0.name, isText: $0.type.isText) }, definitions: script.definitions,
      statements: script.statements,
      shape: (["sql"] + directives.normalised + script.normalised).joined(separator: "; "))
  }

  public func apply(_ batch: Batch, _ changes: Changes) throws {
    try columns.withUnsafeBufferPointer { columns in
      try changes.gather(batch) { event, cells, arena in
        for place in columns.indices { try columns[place].write(event, to: cells + place, in: arena) }
      }
    }
  }
}
