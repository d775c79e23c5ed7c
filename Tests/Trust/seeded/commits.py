"""Faults in what a commit holds, where a run goes on, and who may write."""
from .table import Bug, Seed

BUGS = [
    Bug("checkpoint-first", "positions are committed before their rows, in a transaction of their own (D1)", "kills"),
    Bug("rows-first", "rows are committed before their positions, in a transaction of their own (D2)", "kills"),
    Bug("postgres-rows-first", "the same in PostgreSQL (D2)", "PostgreSQL"),
    Bug("resume-one-late", "a run goes on one record behind where it should (D5)", "kills"),
    Bug("resume-one-early", "a run goes on one record ahead of where it should (D5)", "kills"),
    Bug("fence-unchecked", "a commit does not ask whether another run has taken the function (D9)", "zombies in SQLite"),
    Bug("lost-answer-is-failure", "a COMMIT without an answer is taken for one that was not done, and done again (D8)",
        "PostgreSQL"),
    Bug("lost-answer-is-success", "a COMMIT without an answer is taken for one that was done (D8)", "PostgreSQL"),
    Bug("cutover-without-positions", "a cutover leaves the positions under the names of before (E3)", "builds"),
    Bug("cutover-while-behind", "a cutover does not ask how far the build is", "builds"),
]

POSTGRES = "ReplayPostgres/PostgresWriter.swift"

SEEDS = [
    Seed("ReplaySQLite/Writer.swift", """\
        rows += try write(function) + programs.run(function)
        try CheckpointRows(connection: connection, key: fences.key(function.name)).add(
          function, at: now, command: options.command)
""", """\
        let checkpoint = CheckpointRows(connection: connection, key: fences.key(function.name))
        if SeededBug.isOn("checkpoint-first") {
          try checkpoint.add(function, at: now, command: options.command)
          try connection.run("COMMIT")
          try connection.run("BEGIN IMMEDIATE")
        }
        rows += try write(function) + programs.run(function)
        if SeededBug.isOn("rows-first") {
          try connection.run("COMMIT")
          try connection.run("BEGIN IMMEDIATE")
        }
        if !SeededBug.isOn("checkpoint-first") {
          try checkpoint.add(function, at: now, command: options.command)
        }
"""),
    Seed(POSTGRES, """\
      let (time, command) = (now, options.command)
""", """\
      if SeededBug.isOn("postgres-rows-first") {
        try connection.batch("COMMIT")
        try connection.batch(PostgresWriter.begin)
      }
      let (time, command) = (now, options.command)
"""),
    Seed("ReplayEngine/Attempt.swift", """\
    let own = frontiers.map { $0[segment.partition].map { segment.mark(atOrAfter: $0) } ?? 0 }
""", """\
    let own = frontiers.map { frontier -> UInt64 in
      let mark = frontier[segment.partition].map { segment.mark(atOrAfter: $0) } ?? 0
      if mark > 0, SeededBug.isOn("resume-one-late") { return mark + 1 }
      if mark > 0, SeededBug.isOn("resume-one-early") { return mark - 1 }
      return mark
    }
"""),
    Seed("ReplaySQL/Fences.swift", """\
    // In the same order by all runs""", """\
    if SeededBug.isOn("fence-unchecked") { return nil }
    // In the same order by all runs"""),
    Seed(POSTGRES, """\
    if commits == before { return nil }
""", """\
    if SeededBug.isOn("lost-answer-is-success") { return .committed(rows: rows) }
    if commits == before || SeededBug.isOn("lost-answer-is-failure") { return nil }
"""),
    Seed("ReplaySQL/Builds/BuildSwitch.swift", """\
    for table in OwnTables.ofFunctions where try connection.has(table) {
""", """\
    for table in OwnTables.ofFunctions where try connection.has(table) {
      if table == "_replay_positions", SeededBug.isOn("cutover-without-positions") { continue }
"""),
    Seed("ReplaySQL/Builds/BuildSwitch.swift", "    try verify(old.standing, new.standing)",
         '    if !SeededBug.isOn("cutover-while-behind") { try verify(old.standing, new.standing) }'),
]
