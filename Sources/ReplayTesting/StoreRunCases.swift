import ReplayCore

extension StoreConformance {
  static let runCases: [Case] = [
    Case(description: "the newest run owns the function; an older one's commit writes nothing") { subject, _ in
      try fenced(subject)
    },
    Case(description: "an older run is refused also where it writes nothing, or only deletes") { subject, _ in
      try fencedWithout(subject)
    },
    Case(description: "a run is told that another one took its function, with nothing to commit") { subject, _ in
      try takenOver(subject)
    },
    Case(description: "losing one function keeps back the whole commit") { subject, _ in try fencedHalf(subject) },
    Case(description: "a refresh empties the function and still fences older runs") { subject, _ in
      try refreshed(subject)
    },
  ]

  private static func expectFenced(_ store: any Store, _ change: EpochCommit, _ what: String) throws {
    let outcome = try store.commit(change)
    guard case .fenced(let function, let owner) = outcome, !owner.isEmpty,
      change.functions.contains(where: { $0.name == function })
    else { throw violation("\(what): expected to be refused by name, found \(outcome)") }
  }

  static func fenced(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let partition = Partition(log: "orders", id: "0")
    let touches = [Touch(account: "a", amount: 1)]
    let change = epoch(ledger.function, [try ledger.fold(touches)], at: [partition: Position(1)], events: 1)
    let first = try subject.run([ledger.function]).store
    try expect(try first.commit(change), is: .committed(rows: 1), "the only run's commit")
    let (second, checkpoints) = try subject.run([ledger.function])
    try expect(checkpoints[0].frontier, is: [partition: Position(1)], "what the second run finds")
    let late = epoch(ledger.function, [try ledger.fold(touches)], at: [partition: Position(2)], events: 1)
    for _ in 0..<2 { try expectFenced(first, late, "the first run's commit") }
    try subject.expectRows(ledger.expected(touches), "rows after the first run was refused")
    try expect(try second.commit(late), is: .committed(rows: 1), "the second run's commit")
    try expectFenced(first, late, "the first run's commit after the second's")
    try subject.expectRows(ledger.expected(touches + touches), "rows of both runs")
    try first.close()
    try second.close()
    let checkpoint = try subject.checkpoint(ledger.function)
    try expect(checkpoint.frontier, is: [partition: Position(2)], "the position after both runs")
    try expect([checkpoint.events, checkpoint.epochs], is: [2, 2], "events and commits of both runs")
  }

  static func takenOver(_ subject: StoreUnderTest) throws {
    let mine = Ledger(name: "mine", table: "mine")
    let shared = Ledger(name: "shared", table: "shared")
    let first = try subject.run([mine.function, shared.function]).store
    try expect(try first.takenOver(), is: nil, "who owns the only run's functions")
    let second = try subject.run([shared.function]).store
    for _ in 0..<2 {
      let taken = try first.takenOver()
      guard taken?.function == "shared", taken?.owner.isEmpty == false else {
        throw violation("after another run opened a function: expected to be told who took it, found \(taken as Any)")
      }
    }
    try expect(try second.takenOver(), is: nil, "who owns the newest run's function")
    try first.close()
    try second.close()
  }

  static func fencedWithout(_ subject: StoreUnderTest) throws {
    let shop = Shop()
    let texts = StoreTexts()
    let rows = KeyedRows(shop.profiles.schema)
    let first = try subject.run([shop.function]).store
    try eachKey(["ann"], of: rows) { own in try own.upsert().set(shop.nick, to: texts.text("nick")) }
    try first.write(shop.function, [rows.snapshot()])
    try eachKey(["ann"], of: rows) { own in try own.delete() }
    let onlyDeletes = rows.snapshot()
    let nothing = KeyedRows(shop.profiles.schema).snapshot()
    let second = try subject.run([shop.function]).store
    try expectFenced(first, epoch(shop.function, [onlyDeletes]), "a commit of deletes only")
    try expectFenced(first, epoch(shop.function, [nothing]), "a commit of an empty table")
    try expectFenced(first, epoch(shop.function, []), "a commit of nothing")
    try subject.expectRows(["profiles|ann|nick"], "rows after an older run's deletes")
    try expect(try second.commit(epoch(shop.function, [])), is: .committed(rows: 0), "the owner's commit of nothing")
    try expect(
      try second.commit(epoch(shop.function, [onlyDeletes])), is: .committed(rows: 1), "the owner's deletes")
    try expect(
      try second.commit(epoch(shop.function, [onlyDeletes])), is: .committed(rows: 1), "deletes of rows already gone")
    try subject.expectRows([], "rows after the owner's deletes")
    try first.close()
    try second.close()
  }

  static func fencedHalf(_ subject: StoreUnderTest) throws {
    let mine = Ledger(name: "mine", table: "mine")
    let shared = Ledger(name: "shared", table: "shared")
    let touches = [Touch(account: "a", amount: 1)]
    let first = try subject.run([mine.function, shared.function]).store
    let second = try subject.run([shared.function]).store
    var both = try epoch(mine.function, [mine.fold(touches)])
    both.functions += try epoch(shared.function, [shared.fold(touches)]).functions
    try expectFenced(first, both, "a commit with one function lost")
    try subject.expectRows([], "rows of a commit with one function lost")
    try first.write(mine.function, [mine.fold(touches)])
    try subject.expectRows(mine.expected(touches), "rows of the function still owned")
    try first.close()
    try second.close()
  }

  static func refreshed(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let other = Ledger(name: "other", table: "other")
    let partition = Partition(log: "orders", id: "0")
    let touches = [Touch(account: "a", amount: 1)]
    let settled = SettledSegment(
      partition: partition, entry: SegmentEntry(name: "x", size: 1, version: ""), digest: 1, records: 1,
      end: Position(1))
    let first = try subject.run([ledger.function, other.function]).store
    let change = epoch(
      ledger.function, [try ledger.fold(touches)], at: [partition: Position(1)], settled: [settled], events: 1)
    _ = try first.commit(change)
    try first.write(other.function, [other.fold(touches)])
    let (second, checkpoints) = try subject.run([ledger.function], refresh: true)
    try expectEmpty(checkpoints[0])
    try subject.expectRows(other.expected(touches), "rows after a refresh: only the other function's")
    try expectFenced(first, change, "a commit of the run before the refresh")
    try expect(try second.commit(change), is: .committed(rows: 1), "a commit after the refresh")
    try subject.expectRows(ledger.expected(touches) + other.expected(touches), "rows after the refresh and a commit")
    try first.close()
    try second.close()
    try expect(subject.checkpoint(ledger.function).epochs, is: 1, "commits since the refresh")
  }
}
