import ReplayCore

/// Compares two tables row by row: both are read once, in key order, and never held.
///
/// Rows belong together where their primary keys are equal; the other columns that both have are compared, by name. A
/// table without a primary key is compared by whole rows, as often as each is there.
package struct TableComparison {
  /// One of the two tables, in a connection whose snapshot does not change meanwhile.
  package struct Side {
    let connection: any SQLConnection
    let shape: TableShape

    package init(_ shape: TableShape, on connection: any SQLConnection) {
      self.shape = shape
      self.connection = connection
    }

    /// Throws `.missing` where there is no such table.
    package init(_ table: String, on connection: any SQLConnection) throws {
      guard let shape = try connection.shape(of: table) else {
        throw ReplayError(.missing, "there is no table \(table)", details: ["store \(connection.path)"])
      }
      self.init(shape, on: connection)
    }
  }

  /// Columns that are not compared.
  package var ignored: Set<String>
  /// How many rows that differ are kept to be shown.
  package var shownRows: Int
  /// Asked now and then; true ends the comparison with `.unavailable`.
  package var isStopped: () -> Bool

  package init(ignoring ignored: Set<String> = [], shownRows: Int = 10, isStopped: @escaping () -> Bool = { false }) {
    self.ignored = ignored
    self.shownRows = shownRows
    self.isStopped = isStopped
  }

  /// Throws `.usage` where a key's column is ignored, and what the connections throw.
  package func compare(_ left: Side, _ right: Side) throws -> TableDifference {
    let pairing = try Pairing(left.shape, right.shape, ignoring: ignored)
    let rows = (
      try OrderedRows(left.connection.rows(pairing.order(of: left.shape)), pairing, left.shape),
      try OrderedRows(right.connection.rows(pairing.order(of: right.shape)), pairing, right.shape)
    )
    var found = pairing.difference
    if pairing.isMatched { try match(rows.0, rows.1, pairing, &found) } else { try count(rows.0, rows.1) }
    (found.left.rows, found.left.digest) = (rows.0.digest.rows, rows.0.digest.value)
    (found.right.rows, found.right.digest) = (rows.1.digest.rows, rows.1.digest.value)
    return found
  }

  /// The merge: of two rows the one with the lesser key is only on its side.
  private func match(
    _ left: OrderedRows, _ right: OrderedRows, _ pairing: Pairing, _ found: inout TableDifference
  ) throws {
    var (a, b) = (try left.next(), try right.next())
    var steps = 0
    while a != nil || b != nil {
      try checkStop(steps)
      steps += 1
      switch OrderedRows.order(a, b) {
      case .left:
        found.note(pairing.row(a, nil), upTo: shownRows)
        a = try left.next()
      case .right:
        found.note(pairing.row(nil, b), upTo: shownRows)
        b = try right.next()
      case .both:
        if let a, let b, a.values != b.values {
          found.note(pairing.row(a, b), upTo: shownRows)
        } else {
          found.equal += 1
        }
        (a, b) = (try left.next(), try right.next())
      }
    }
  }

  private func count(_ sides: OrderedRows...) throws {
    var steps = 0
    for side in sides {
      while try side.next() != nil {
        try checkStop(steps)
        steps += 1
      }
    }
  }

  private func checkStop(_ steps: Int) throws {
    if steps % 4096 == 0, isStopped() {
      throw ReplayError(.unavailable, "the comparison was stopped", effect: "nothing was written")
    }
  }
}
