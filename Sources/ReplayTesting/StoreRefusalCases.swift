import ReplayCore

extension StoreConformance {
  static let refusalCases: [Case] = [
    Case(description: "another version is refused with both values") { subject, _ in try version(subject) },
    Case(description: "other tables are refused with both values") { subject, _ in try shape(subject) },
    Case(description: "a table belongs to one function") { subject, _ in try shared(subject) },
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
