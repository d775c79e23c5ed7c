/// What a column holds, in memory and in a store.
public enum ColumnType: Hashable, Sendable {
  /// 64 bits; a sum that leaves them is an error.
  case integer
  /// An exact decimal, kept as a whole number of its smallest unit: `decimal(scale: 2)` of 24.90 is 2490.
  case decimal(scale: Int)
  case text
  /// `2026-01-31T08:12:33.123Z`
  case timestamp
  /// `2026-01-31`
  case day
  case json
  case bytes

  public var isText: Bool {
    switch self {
    case .text, .json, .bytes: true
    case .integer, .decimal, .timestamp, .day: false
    }
  }

  public var kind: CellKind {
    switch self {
    case .text, .json, .bytes: .text
    case .integer: .integer
    case .day: .day
    case .timestamp: .timestamp
    case .decimal(let scale): .decimal(scale: scale)
    }
  }

  /// True for what a list may hold.
  var isElement: Bool { self != .json && self != .bytes }
}

/// How two values of a column become one, whatever their order: the merges that commute.
public enum Merge: Hashable, Sendable {
  case sum, min, max
  /// The value of the event that is first, or last, by the order that the column behind it holds.
  case first, last
  /// A JSON array of the values of the last `limit` events by the orders that the column behind it holds, the last one
  /// first.
  case recent(limit: Int)
  /// A JSON array of the distinct values, sorted. More than `limit` are an error.
  case union(limit: Int)
  /// What orders the values of the column before it (`EventOrder`).
  case order
}

/// The shape of a table, as a store needs it.
public struct TableSchema: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// Any event may touch any row; values merge.
    case merged
    /// The first key column is the partition key; rows are replaced whole.
    case keyed
  }

  public struct Column: Hashable, Sendable {
    public let name: String
    public let type: ColumnType
    /// nil for key columns and for columns of keyed tables.
    public let merge: Merge?

    public init(_ name: String, _ type: ColumnType, merge: Merge? = nil) {
      self.name = name
      self.type = type
      self.merge = merge
    }
  }

  /// As the function names it.
  public let name: String
  /// The table's name in a store: another one where several builds of the function stand beside each other.
  public var storedName: String
  public let kind: Kind
  /// The primary key's columns.
  public var keys: [Column]
  public var values: [Column]
  /// Where true, the last key column is the 1-based rank of the row among its key's rows.
  public var isRanked: Bool

  public init(name: String, kind: Kind, keys: [Column], values: [Column] = [], isRanked: Bool = false) {
    self.name = name
    storedName = name
    self.kind = kind
    self.keys = keys
    self.values = values
    self.isRanked = isRanked
  }

  public var columns: [Column] { keys + values }

  /// Columns whose values are lists, which a store reads before it writes.
  public var hasLists: Bool {
    values.contains { column in
      switch column.merge {
      case .recent, .union: true
      default: false
      }
    }
  }

  /// One line that two equal shapes share and two different ones do not.
  public var fingerprint: String {
    let columns = columns.map { "\($0.name) \($0.type)\($0.merge.map { " \($0)" } ?? "")" }
    return "\(name) \(kind)\(isRanked ? " ranked" : "") key \(keys.count): " + columns.joined(separator: ", ")
  }
}

/// A column definition for a table's key.
public struct KeyColumn: Sendable {
  public let column: TableSchema.Column
  public static func text(_ name: String) -> KeyColumn { KeyColumn(column: .init(name, .text)) }
  public static func integer(_ name: String) -> KeyColumn { KeyColumn(column: .init(name, .integer)) }
  public static func day(_ name: String) -> KeyColumn { KeyColumn(column: .init(name, .day)) }
  public static func timestamp(_ name: String) -> KeyColumn { KeyColumn(column: .init(name, .timestamp)) }
}

/// A column of a merged table, by what may be done to it.
@frozen public struct SumColumn: Sendable {
  @usableFromInline let index: Int
  @usableFromInline let kind: CellKind
}
@frozen public struct MinColumn: Sendable {
  @usableFromInline let index: Int
  @usableFromInline let kind: CellKind
}
@frozen public struct MaxColumn: Sendable {
  @usableFromInline let index: Int
  @usableFromInline let kind: CellKind
}
/// Keeps the value of the event that is first, or last, by an order of the function's choice.
@frozen public struct FirstColumn: Sendable {
  @usableFromInline let index: Int
  @usableFromInline let kind: CellKind
}
@frozen public struct LastColumn: Sendable {
  @usableFromInline let index: Int
  @usableFromInline let kind: CellKind
}
/// Keeps the values of the latest events by an order of the function's choice, as a JSON array.
public struct RecentColumn: Sendable {
  let index: Int
  let type: ColumnType
  let limit: Int
}
/// Keeps the distinct values, as a JSON array.
public struct SetColumn: Sendable {
  let index: Int
  let type: ColumnType
  let limit: Int
}
/// A column of a keyed table.
@frozen public struct ValueColumn: Sendable {
  @usableFromInline let index: Int
  @usableFromInline let kind: CellKind
}

/// Anything that `Projection.tables` may list.
public protocol Table: Sendable {
  var schema: TableSchema { get }
}

/// A table that any event of any key may touch: each column merges, so the order of events does not matter.
public struct MergedTable: Table {
  public private(set) var schema: TableSchema

  public init(_ name: String, key: KeyColumn...) { self.init(name, key: key) }

  public init(_ name: String, key: [KeyColumn]) {
    precondition((1...3).contains(key.count), "a merged table has one to three key columns")
    schema = TableSchema(name: name, kind: .merged, keys: key.map(\.column))
  }

  public mutating func sum(_ name: String, _ type: ColumnType = .integer) -> SumColumn {
    SumColumn(index: add(name, type, .sum), kind: type.kind)
  }
  /// The number of events that touched the row; add 1 for each.
  public mutating func count(_ name: String) -> SumColumn { sum(name) }
  public mutating func min(_ name: String, _ type: ColumnType) -> MinColumn {
    MinColumn(index: add(name, type, .min), kind: type.kind)
  }
  public mutating func max(_ name: String, _ type: ColumnType) -> MaxColumn {
    MaxColumn(index: add(name, type, .max), kind: type.kind)
  }

  /// The value of the first event by the order given to `row.keep`; the column `<name>_order` holds that order.
  public mutating func first(_ name: String, _ type: ColumnType) -> FirstColumn {
    FirstColumn(index: add(name, type, .first, orderedBy: .bytes), kind: type.kind)
  }
  /// The value of the last event by the order given to `row.keep`; the column `<name>_order` holds that order.
  public mutating func last(_ name: String, _ type: ColumnType) -> LastColumn {
    LastColumn(index: add(name, type, .last, orderedBy: .bytes), kind: type.kind)
  }
  /// The values of the last `limit` events by the order given to `row.keep`, the last one first, as a JSON array; the
  /// column `<name>_order` holds their orders.
  public mutating func recent(_ name: String, _ type: ColumnType, limit: Int) -> RecentColumn {
    precondition((1...10_000).contains(limit), "a list of recent values has a limit of 1 to 10,000")
    precondition(type.isElement, "a list holds texts, numbers, days or times")
    return RecentColumn(index: add(name, .json, .recent(limit: limit), orderedBy: .json), type: type, limit: limit)
  }
  /// The distinct values given to `row.insert`, sorted, as a JSON array. More than `limit` stop the run.
  public mutating func union(_ name: String, _ type: ColumnType, limit: Int = 1_000) -> SetColumn {
    precondition((1...100_000).contains(limit), "a set has a limit of 1 to 100,000")
    precondition(type.isElement, "a set holds texts, numbers, days or times")
    return SetColumn(index: add(name, .json, .union(limit: limit)), type: type, limit: limit)
  }

  private mutating func add(
    _ name: String, _ type: ColumnType, _ merge: Merge, orderedBy order: ColumnType? = nil
  ) -> Int {
    precondition(merge != .sum || !type.isText, "only numbers have a sum")
    schema.values.append(.init(name, type, merge: merge))
    if let order { schema.values.append(.init(name + "_order", order, merge: .order)) }
    return schema.values.count - (order == nil ? 1 : 2)
  }
}

/// A table whose first key column is the partition key. The function reads and rewrites the rows of the event's own
/// key, in order; it cannot name another key's rows.
public struct KeyedTable: Table {
  public private(set) var schema: TableSchema

  /// Rows found by the partition key and `then` (none: one row a key).
  public init(_ name: String, key: String, then: KeyColumn...) { self.init(name, key: key, then: then) }

  public init(_ name: String, key: String, then: [KeyColumn]) {
    let keys = [TableSchema.Column(key, .text)] + then.map(\.column)
    schema = TableSchema(name: name, kind: .keyed, keys: keys)
  }

  /// An ordered list of rows for each partition key; `rank` is a row's place in it, from 1.
  public init(_ name: String, key: String, rank: String) {
    schema = TableSchema(
      name: name, kind: .keyed, keys: [.init(key, .text), .init(rank, .integer)], isRanked: true)
  }

  public mutating func column(_ name: String, _ type: ColumnType) -> ValueColumn {
    schema.values.append(.init(name, type))
    return ValueColumn(index: schema.values.count - 1, kind: type.kind)
  }
}
