import ReplayCore

/// A table as its database describes it.
package struct TableShape: Hashable, Sendable {
  package struct Column: Hashable, Sendable {
    package let name: String
    /// The database's own word for its type.
    package let type: String

    package init(_ name: String, _ type: String) {
      self.name = name
      self.type = type
    }
  }

  package let name: String
  package let columns: [Column]
  /// The columns of the primary key, in its order; none where there is no primary key.
  package let key: [String]

  package init(name: String, columns: [Column], key: [String]) {
    self.name = name
    self.columns = columns
    self.key = key
  }
}

/// Rows that a database gives one after the other, without holding them all.
package protocol RowCursor: AnyObject {
  /// The values of the next row, in the order of the columns that were asked for; nil at the end.
  func next() throws -> [TableValue]?
}

/// Which rows of a table, and in which order: all of them, by their key.
package struct RowOrder: Sendable {
  package let shape: TableShape
  /// Names of the columns that are read, each once.
  package let columns: [String]
  /// Names of the columns that order the rows, as `TableValue` is ordered.
  package let key: [String]

  /// False where the database has no index that gives this order.
  package var isByPrimaryKey: Bool { key == shape.key }

  package init(_ shape: TableShape, columns: [String], key: [String]) {
    self.shape = shape
    self.columns = columns
    self.key = key
  }

  package func type(of column: String) -> String { shape.columns.first { $0.name == column }?.type ?? "" }
}
