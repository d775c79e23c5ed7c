import ReplayCore

extension StoreConformance {
  static let loadCases: [Case] = [
    Case(description: "load answers what was committed, in key order") { subject, _ in try loaded(subject) },
    Case(description: "load sees no row before its commit, nor after a failed one") { subject, _ in
      try loadedBefore(subject)
    },
    Case(description: "rows loaded by the next run are changed and deleted in place") { subject, _ in
      try carriedOn(subject)
    },
  ]

  /// New rows of a table, as the store has them for these keys.
  private static func load(_ table: KeyedTable, _ keys: [String], from store: any Store) throws -> KeyedRows {
    let texts = StoreTexts()
    let rows = KeyedRows(table.schema)
    try store.load(table.schema, keys: keys.map { texts.text($0) }, into: rows)
    for key in keys where !rows.holds(texts.text(key)) { throw violation("load gave nothing for the key \(key)") }
    return rows
  }

  static func loaded(_ subject: StoreUnderTest) throws {
    let shop = Shop()
    let texts = StoreTexts()
    let rows = KeyedRows(shop.lines.schema)
    let times = [1_000_000, 1_000_500, 1_001_000].map { Timestamp(microseconds: $0) }
    let store = try subject.run([shop.function]).store
    try eachKey(["alice"], of: rows) { own in
      for line in [11, -2, 3] as [Int64] {
        for time in times.reversed() {
          let row = try own.upsert(line, time)
          try row.set(shop.amount, to: FixedDecimal(unscaled: Int128(line) * 100, scale: 2))
          try row.set(shop.on, to: Day(number: line))
          try row.set(shop.at, to: time)
          try row.set(shop.note, to: texts.text(line == 3 ? "" : "the note of line \(line)"))
        }
      }
    }
    try store.write(shop.function, [rows.snapshot()])
    let found = try load(shop.lines, ["bob", "alice"], from: store)
    try eachKey(["alice"], of: found) { own in
      try expect(own.count, is: 9, "rows loaded for alice")
      for place in 0..<9 {
        let (row, line, time) = (own[place], [-2, 3, 11][place / 3] as Int64, times[place % 3])
        let numbers = [row.integer(shop.amount), row.integer(shop.on), row.integer(shop.at)]
        try expect(numbers, is: [line * 100, line, time.microseconds], "the numbers of loaded row \(place)")
        try expect(row.string(shop.note), is: line == 3 ? "" : "the note of line \(line)", "its note")
        try expect(row.isNull(shop.payload), is: true, "its NULL")
      }
      try expect(own.find(3, times[1]) != nil, is: true, "a loaded row is found by its key")
    }
    try eachKey(["bob"], of: found) { own in try expect(own.count, is: 0, "rows loaded for bob, who has none") }
    try store.close()
  }

  static func loadedBefore(_ subject: StoreUnderTest) throws {
    let shop = Shop()
    let ledger = Ledger(name: shop.function.name)
    let function = StoreFunction(name: "shop", tables: shop.function.tables + [ledger.table])
    let texts = StoreTexts()
    let store = try subject.run([function]).store
    let count = { (expected: Int, what: String) in
      let found = try load(shop.profiles, ["ann"], from: store)
      try eachKey(["ann"], of: found) { own in try expect(own.count, is: expected, what) }
    }
    try count(0, "rows loaded before any commit")
    let rows = KeyedRows(shop.profiles.schema)
    try eachKey(["ann"], of: rows) { own in try own.upsert().set(shop.nick, to: texts.text("nick")) }
    let set = rows.snapshot()
    let tooMuch = try ledger.fold([Touch(account: "a", amount: .max), Touch(account: "a", amount: .max)])
    _ = try expectError(.data, "a sum beyond 64 bits") { try store.write(function, [set, tooMuch]) }
    try count(0, "rows loaded after a failed commit")
    try store.write(function, [set])
    try count(1, "rows loaded after the commit")
    try store.close()
  }

  static func carriedOn(_ subject: StoreUnderTest) throws {
    let shop = Shop()
    let texts = StoreTexts()
    let first = try subject.run([shop.function]).store
    let rows = KeyedRows(shop.recent.schema)
    try eachKey(["alice", "bob"], of: rows) { own in
      for item in ["three", "two", "one"] { try own.insert(at: 0).set(shop.item, to: texts.text(item)) }
    }
    try first.write(shop.function, [rows.snapshot()])
    try first.close()
    let second = try subject.run([shop.function]).store
    let found = try load(shop.recent, ["alice"], from: second)
    try eachKey(["alice"], of: found) { own in
      try expect(own.count, is: 3, "a list loaded by the next run")
      try expect(own.firstIndex(where: shop.item, is: texts.text("two")), is: 1, "the second of the list")
      own.remove(at: 0)
      own.keep(first: 1)
    }
    try second.write(shop.function, [found.snapshot()])
    let bob = ["one", "two", "three"].enumerated().map { "recent|bob|\($0 + 1)|\($1)" }
    try subject.expectRows(["recent|alice|1|two"] + bob, "lists after the next run")
    try second.close()
  }
}
