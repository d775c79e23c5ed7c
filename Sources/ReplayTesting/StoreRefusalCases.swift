import ReplayCore

extension StoreConformance {
  static let refusalCases: [Case] = [
    Case(description: "another version is refused with both values") { subject, _ in try version(subject) },
    Case(description: "other tables are refused with both values") { subject, _ in try shape(subject) },
    Case(description: "a table belongs to one function") { subject, _ in try shared(subject) },
    Case(description: "another filter is refused with both, and the edges stay") { subject, _ in try filter(subject) },
  ]

  private static func expectBoth(_ error: ReplayError, _ stored: String, _ new: String) throws {
    for value in [stored, new] where !"\(error)".contains(value) {
      throw violation("the message does not say \(value): \(error)")
    }
  }

  static func version(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let touches = [Touch(account: "a", amount: 1)]
    let first = try subject.run([ledger.function]).store
    try first.write(ledger.function, [try ledger.fold(touches)])
    var newer = ledger.function
    newer.version = 2
    let error = try expectError(.config, "another version") { _ = try subject.run([newer]) }
    try expectBoth(error, "version 1", "version 2")
    try subject.expectRows(ledger.expected(touches), "rows after a refused version")
    try first.write(ledger.function, [try ledger.fold(touches)])
    try first.close()
    let (second, checkpoints) = try subject.run([newer], refresh: true)
    try expectEmpty(checkpoints[0])
    try second.close()
    try expect(subject.checkpoint(newer).isFresh, is: true, "the new version opens after a refresh")
    _ = try expectError(.config, "the old version after a refresh") { _ = try subject.run([ledger.function]) }
  }

  static func shape(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let touches = [Touch(account: "a", amount: 1)]
    let first = try subject.run([ledger.function]).store
    try first.write(ledger.function, [try ledger.fold(touches)])
    try first.close()
    var wider = ledger.table
    _ = wider.sum("another_column")
    let changed = StoreFunction(name: ledger.name, tables: [wider])
    let error = try expectError(.config, "a table with another column") { _ = try subject.run([changed]) }
    try expectBoth(error, FunctionIdentity(ledger.function).shape, FunctionIdentity(changed).shape)
    try subject.expectRows(ledger.expected(touches), "rows after a refused shape")
    try subject.run([changed], refresh: true).store.close()
    try subject.expectRows([], "rows after a refresh with another shape")
  }

  /// Until something is committed a run's filter takes the place of the one before it.
  static func filter(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let open = { (filter: FilterStatement?, refresh: Bool) -> (store: any Store, checkpoint: Checkpoint) in
      let store = try subject.make()
      let identity = FunctionIdentity(ledger.function, filter: filter)
      return (store, try store.open([identity], range: .all, refresh: refresh)[0])
    }
    let (narrow, wide) = (FilterStatement(words: "1% of the keys", edges: "a"), FilterStatement(words: "types b"))
    try open(wide, false).store.close()
    let first = try open(narrow, false)
    try expect(first.checkpoint.filter, is: narrow, "the filter of a run before any commit")
    try first.store.write(ledger.function, [try ledger.fold([Touch(account: "a", amount: 1)])])
    for (other, words) in [(wide, "types b"), (FilterStatement(), "every event")] {
      let error = try expectError(.config, "another filter") { _ = try open(other, false) }
      try expectBoth(error, "1% of the keys", words)
    }
    try first.store.write(ledger.function, [])
    try first.store.close()
    for again in [FilterStatement(words: narrow.words, edges: "b"), nil] {
      let run = try open(again, false)
      try expect(run.checkpoint.filter, is: narrow, "the filter as it was first")
      try run.store.close()
    }
    let anew = try open(FilterStatement(), true)
    try expect(anew.checkpoint.filter, is: FilterStatement(), "no filter after a refresh without one")
    try anew.store.write(ledger.function, [])
    try anew.store.close()
    _ = try expectError(.config, "a filter where every event is in the tables") { _ = try open(narrow, false) }
  }

  static func shared(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let thief = StoreFunction(name: "thief", tables: [ledger.table])
    let touches = [Touch(account: "a", amount: 1)]
    let first = try subject.run([ledger.function]).store
    try first.write(ledger.function, [try ledger.fold(touches)])
    for refresh in [false, true] {
      _ = try expectError(.config, "another function's table") { _ = try subject.run([thief], refresh: refresh) }
    }
    let alone = Ledger(name: "alone", table: "twice")
    let again = StoreFunction(name: "again", tables: [alone.table])
    _ = try expectError(.config, "two functions with one table") { _ = try subject.run([alone.function, again]) }
    try subject.expectRows(ledger.expected(touches), "rows after refusals")
    try first.write(ledger.function, [])
    try first.close()
  }
}
