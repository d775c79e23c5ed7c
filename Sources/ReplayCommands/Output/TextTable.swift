import ReplayCore

/// Columns for a person: text to the left, numbers to the right.
struct TextTable {
  private let numeric: Set<Int>
  private var rows: [[String]]

  /// `numeric`: the columns that are aligned to the right.
  init(_ header: [String], numeric: Set<Int> = []) {
    rows = [header]
    self.numeric = numeric
  }

  mutating func add(_ row: [String]) { rows.append(row.map(ReplayError.line)) }

  var lines: [String] {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for (column, text) in row.enumerated() {
        let space = String(repeating: " ", count: widths[column] - text.count)
        line += numeric.contains(column) ? space + text + "  " : text + space + "  "
      }
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
  }
}
