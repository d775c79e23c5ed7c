import ReplayCore

/// What two tables differ in.
package struct TableDifference: Sendable {
  /// A row that only one has, or that both have with other values.
  package struct Row: Sendable {
    package enum Kind: String, Sendable { case onlyLeft, onlyRight, differing }
    package struct Value: Hashable, Sendable {
      package let column: String
      /// Nil on the side that has no such row.
      package let left: TableValue?
      package let right: TableValue?
    }

    package let kind: Kind
    /// The values of the key's columns.
    package let key: [TableValue]
    /// Of a differing row the columns that differ; of a row that only one has, all that are compared beside the key.
    package let values: [Value]
  }

  /// One side as it was read.
  package struct Side: Sendable {
    /// The table's name there.
    package let table: String
    package var rows: UInt64 = 0
    /// Of all its columns that are not ignored: `TableDigest`.
    package var digest: UInt64 = 0
    /// Columns that the other side does not have and nobody ignores.
    package let ownColumns: [String]
    /// The primary key's columns.
    package let key: [String]
  }

  package var left: Side
  package var right: Side
  /// The columns that say which rows belong together. Nil: the two have keys of other columns, and their rows were counted
  /// and not matched.
  package let key: [String]?
  /// The columns that were compared beside the key.
  package let columns: [String]
  package var onlyLeft: UInt64 = 0
  package var onlyRight: UInt64 = 0
  package var differing: UInt64 = 0
  package var equal: UInt64 = 0
  /// For each column that differs in some row, in how many.
  package var differingColumns: [String: UInt64] = [:]
  /// The first rows of those that differ, in key order, as many as were asked for.
  package var rows: [Row] = []
  /// The first of them, however many were asked for.
  package var first: Row?

  package var hasDifferentRows: Bool { onlyLeft + onlyRight + differing > 0 }
  package var isEqual: Bool {
    key != nil && !hasDifferentRows && left.ownColumns.isEmpty && right.ownColumns.isEmpty
  }

  mutating func note(_ row: Row, upTo limit: Int) {
    switch row.kind {
    case .onlyLeft: onlyLeft += 1
    case .onlyRight: onlyRight += 1
    case .differing:
      differing += 1
      for value in row.values { differingColumns[value.column, default: 0] += 1 }
    }
    if first == nil { first = row }
    if rows.count < limit { rows.append(row) }
  }
}
