/// Where a projection writes: the open epoch's changes, and for keyed tables the rows as they are now. One value a
/// lane; never shared.
public final class Changes {
  public private(set) var merged: [MergedRows] = []
  public private(set) var keyed: [KeyedRows] = []
  /// What a program is to run over; nil where the function has none.
  public private(set) var gathered: GatheredRows?
  /// Where the events of each key come from; nil where their order does not matter.
  let keys: KeyWatch?

  /// `isOrdered`: the program takes the events of a key in their order.
  public init(tables: [TableSchema], program: StoreProgram? = nil, isOrdered: Bool = false) {
    gathered = program.map { GatheredRows($0) }
    keys = program != nil && isOrdered ? KeyWatch() : nil
    for table in tables {
      switch table.kind {
      case .merged: merged.append(MergedRows(table))
      case .keyed: keyed.append(KeyedRows(table))
      }
    }
  }

  /// The same keyed rows, and merged ones that begin empty.
  init(trying changes: Changes) {
    merged = changes.merged.map { MergedRows($0.schema) }
    keyed = changes.keyed
    keys = changes.keys
  }

  /// Gathers where `changes` does now.
  func gather(with changes: Changes) { gathered = changes.gathered }

  /// The rows of a merged table. Ask once a batch.
  public subscript(table: MergedTable) -> MergedRows {
    guard let rows = merged.first(where: { $0.schema.name == table.schema.name }) else {
      preconditionFailure("\(table.schema.name) is not among the projection's tables")
    }
    return rows
  }

  /// The rows of a keyed table. Ask once a batch.
  public subscript(table: KeyedTable) -> KeyedRows {
    guard let rows = keyed.first(where: { $0.schema.name == table.schema.name }) else {
      preconditionFailure("\(table.schema.name) is not among the projection's tables")
    }
    return rows
  }

  /// Memory of what the next commit will write, in bytes.
  public var changedBytes: Int {
    merged.reduce(0) { $0 + $1.byteCount } + keyed.reduce(0) { $0 + $1.changedBytes } + (gathered?.byteCount ?? 0)
  }

  /// Memory of the keyed rows, changed or not, in bytes.
  public var stateBytes: Int { keyed.reduce(0) { $0 + $1.byteCount } }

  /// Hands over the merged rows of the open epoch and begins new ones.
  public func takeMerged() -> [MergedRows] {
    let taken = merged
    merged = taken.map { MergedRows($0.schema) }
    return taken
  }

  /// Hands over the events that were gathered in the open epoch and begins anew.
  public func takeGathered() -> GatheredRows? {
    defer { gathered = gathered.map { GatheredRows($0.program) } }
    return gathered
  }

  /// Hashes of keys whose events were gathered, and that were first seen since this was asked last.
  public func takeGatheredKeyHashes() -> [UInt64]? { keys?.takeNew() }
}
