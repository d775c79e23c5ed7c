"""Faults in lanes, merging, and what a store is told of rows."""
from .table import Bug, Seed

BUGS = [
    Bug("key-in-two-lanes", "an event goes to a lane by its place instead of its key's hash (C5)", "fixtures in lanes"),
    Bug("later-segment-first", "a lane takes the blocks of a later segment before those of the one before it (C5)",
        "fixtures in lanes"),
    Bug("last-lane-wins", "of a sum, one lane's part replaces the others' instead of being added", "fixtures in lanes"),
    Bug("second-lane-forgotten", "the second lane's merged rows are not merged in", "fixtures in lanes"),
    Bug("sum-replaced-by-commit", "in the store a sum is replaced by the commit's part (E5)", "fixtures in lanes"),
    Bug("max-replaced-by-commit", "in the store a greatest value is replaced by the commit's", "fixtures in lanes"),
    Bug("held-events-lost", "events that are held back for a part of the key space are forgotten at a cut (D3)",
        "held back"),
    Bug("stored-rows-not-read", "rows of a key that are in the store, and not in memory, count as none (D6)", "kills"),
    Bug("deletes-not-written", "rows that a function deleted stay in the store (E4)", "functions"),
    Bug("filter-not-stored", "the filter is not kept with the checkpoint, so another one may follow", "filters"),
    Bug("filter-not-live", "the stream's events do not go through the filter", "filters"),
    Bug("last-rows-not-compared", "compare and diff end with the shorter table", "diff"),
    Bug("values-not-compared", "compare and diff compare keys only", "diff"),
]

ROUTER = "ReplayEngine/Router.swift"
TABLE = "ReplaySQLite/TableSQL.swift"
COMPARISON = "ReplaySQL/Compare/TableComparison.swift"

SEEDS = [
    Seed(ROUTER, """\
    return Int(KeyHash.hash(text(slice))""", """\
    if SeededBug.isOn("key-in-two-lanes") { return Int(ordinals[record]) % count }
    return Int(KeyHash.hash(text(slice))"""),
    Seed(ROUTER, """\
        while let first = desk.queues[lane][partition].first {
""", """\
        if SeededBug.isOn("later-segment-first"),
          let last = desk.queues[lane][partition].lastIndex(where: { $0.taken < $0.blocks.count })
        {
          desk.queues[lane][partition][last].taken += 1
          return .some(desk.queues[lane][partition][last].blocks[desk.queues[lane][partition][last].taken - 1])
        }
        while let first = desk.queues[lane][partition].first {
"""),
    Seed("ReplayCore/Rows/MergedRow.swift", "= values[column].number.addingReportingOverflow(number)",
         '= (SeededBug.isOn("last-lane-wins") ? 0 : values[column].number).addingReportingOverflow(number)'),
    Seed("ReplayEngine/Committer.swift", "for lane in lanes.dropFirst() {",
         'for lane in lanes.dropFirst(SeededBug.isOn("second-lane-forgotten") ? 2 : 1) {'),
    Seed(TABLE, 'case (.sum, _): return "\\(old) = \\(old) + \\(new)"', """\
case (.sum, _):
      return SeededBug.isOn("sum-replaced-by-commit") ? "\\(old) = \\(new)" : "\\(old) = \\(old) + \\(new)\""""),
    Seed(TABLE, """\
    case (.max, _): return""", """\
    case (.max, _) where SeededBug.isOn("max-replaced-by-commit"): return "\\(old) = \\(new)"
    case (.max, _): return"""),
    Seed("ReplayEngine/Lane.swift", "    for held in held { try held?.settle() }",
         '    for held in held where !SeededBug.isOn("held-events-lost") { try held?.settle() }'),
    Seed("ReplayEngine/Lane.swift", "loads = isFresh.map { !$0 }",
         'loads = isFresh.map { !$0 && !SeededBug.isOn("stored-rows-not-read") }'),
    Seed("ReplaySQLite/Writer.swift", "for set in function.changes where !set.deletes.isEmpty {",
         'for set in function.changes where !set.deletes.isEmpty && !SeededBug.isOn("deletes-not-written") {'),
    Seed("ReplaySQL/FilterRows.swift", "if filter.words.isEmpty { return }",
         'if filter.words.isEmpty || SeededBug.isOn("filter-not-stored") { return }'),
    Seed("ReplayEngine/Live/LiveAttempt.swift", "filter = BlockFilter(setup.filter, setup.extraction)",
         'filter = SeededBug.isOn("filter-not-live") ? nil : BlockFilter(setup.filter, setup.extraction)'),
    Seed(COMPARISON, "while a != nil || b != nil {",
         'while SeededBug.isOn("last-rows-not-compared") ? a != nil && b != nil : a != nil || b != nil {'),
    Seed(COMPARISON, "if let a, let b, a.values != b.values {",
         'if let a, let b, a.values != b.values, !SeededBug.isOn("values-not-compared") {'),
]
