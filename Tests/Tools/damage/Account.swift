/// Counts what became of the mutations, by layout, compression and damage.
struct Account {
  private struct Row {
    var refused = 0
    var equal = 0
    var unprovable = 0
    var failed = 0
    var all: Int { refused + equal + unprovable + failed }
  }

  private(set) var failed = 0
  private(set) var passed = 0
  private var byLayout: [String: Row] = [:]
  private var byCoding: [String: Row] = [:]
  private var byDamage: [String: Row] = [:]
  private var total = Row()
  private var reasons: [Unprovable: Int] = [:]
  private var whereReasons: [String: Int] = [:]
  private var mended: (equal: Int, refused: Int) = (0, 0)

  mutating func add(_ one: Case, number: Int, seed: UInt64) {
    var row = Row()
    switch one.verdict {
    case .refused: row.refused = 1
    case .equal: row.equal = 1
    case .unprovable(let reason):
      row.unprovable = 1
      reasons[reason, default: 0] += 1
      whereReasons["\(reason.rawValue) | \(one.layout) | \(one.damage.rawValue)", default: 0] += 1
    case .failed(let why):
      row.failed = 1
      say(
        "FAILED --seed \(seed) --only \(number): \(one.layout), \(one.coding), \(one.damage.rawValue), \(one.note): \(why)"
      )
    }
    failed += row.failed
    passed += 1 - row.failed
    switch one.mended {
    case .equal: mended.equal += 1
    case .refused: mended.refused += 1
    case nil: break
    }
    Account.add(row, to: &total)
    Account.add(row, to: &byLayout[one.layout, default: Row()])
    Account.add(row, to: &byCoding[one.coding, default: Row()])
    Account.add(row, to: &byDamage[one.damage.rawValue, default: Row()])
  }

  private static func add(_ row: Row, to sum: inout Row) {
    sum.refused += row.refused
    sum.equal += row.equal
    sum.unprovable += row.unprovable
    sum.failed += row.failed
  }

  var lines: [String] {
    var lines: [String] = []
    for (title, rows) in [
      ("layout", byLayout), ("compression", byCoding), ("damage", byDamage), ("all", ["all": total]),
    ] {
      lines.append(Account.line(title, "mutations", "refused", "equal", "unprovable", "failed"))
      for (name, row) in rows.sorted(by: { $0.key < $1.key }) {
        lines.append(
          Account.line(name, "\(row.all)", "\(row.refused)", "\(row.equal)", "\(row.unprovable)", "\(row.failed)"))
      }
    }
    lines.append("cannot be proved, by reason:")
    for reason in Unprovable.allCases { lines.append("  \(reasons[reason] ?? 0)  \(reason.rawValue)") }
    lines.append("the same, with layout and damage:")
    for (place, count) in whereReasons.sorted(by: { $0.key < $1.key }) { lines.append("  \(count)  \(place)") }
    lines.append(
      "the mended archive on top: all events \(mended.equal) times, refused \(mended.refused) times")
    return lines
  }

  private static func line(_ columns: String...) -> String {
    columns.enumerated().map { place, text in
      let room = String(repeating: " ", count: max(0, (place == 0 ? 32 : 11) - text.utf8.count))
      return place == 0 ? text + room : room + text
    }.joined()
  }
}
