import ReplayCore

/// Keyed tables: rows with a key behind the partition key, one row a key, and a ranked list.
struct Shop {
  private(set) var lines: KeyedTable
  let note: ValueColumn
  let amount: ValueColumn
  let at: ValueColumn
  let on: ValueColumn
  let payload: ValueColumn
  private(set) var profiles: KeyedTable
  let nick: ValueColumn
  private(set) var recent: KeyedTable
  let item: ValueColumn

  init() {
    lines = KeyedTable("lines", key: "customer", then: .integer("line"), .timestamp("since"))
    note = lines.column("note", .text)
    amount = lines.column("amount", .decimal(scale: 2))
    at = lines.column("at", .timestamp)
    on = lines.column("on", .day)
    payload = lines.column("payload", .json)
    profiles = KeyedTable("profiles", key: "customer")
    nick = profiles.column("nick", .text)
    recent = KeyedTable("recent", key: "customer", rank: "rank")
    item = recent.column("item", .text)
  }

  var function: StoreFunction { StoreFunction(name: "shop", tables: [lines, profiles, recent]) }
}

extension StoreConformance {
  static let keyedCases: [Case] = [
    Case(description: "keyed rows are replaced whole and deleted rows are gone") { subject, _ in try replaced(subject)
    },
    Case(description: "a row deleted and made again is the new one") { subject, _ in try deletedAndMade(subject) },
    Case(description: "a ranked list grows, shrinks and empties") { subject, _ in try ranked(subject) },
  ]

  static func replaced(_ subject: StoreUnderTest) throws {
    let shop = Shop()
    let texts = StoreTexts()
    let rows = KeyedRows(shop.lines.schema)
    let since = Timestamp(microseconds: 0)
    let store = try subject.run([shop.function]).store
    try eachKey(["alice", "bob"], of: rows) { own in
      for line in 1...3 {
        let row = try own.upsert(line, since)
        try row.set(shop.note, to: texts.text("a note that is longer than twelve bytes"))
        try row.set(shop.amount, to: FixedDecimal(unscaled: -2490, scale: 2))
      }
    }
    try store.write(shop.function, [rows.snapshot()])
    let whole = "a note that is longer than twelve bytes|-2490|NULL|NULL|NULL"
    let all = ["alice", "bob"].flatMap { who in (1...3).map { "lines|\(who)|\($0)|1970-01-01T00:00:00.000Z|\(whole)" } }
    try subject.expectRows(all, "keyed rows once written")

    try eachKey(["alice"], of: rows) { own in
      let row = try own.upsert(2, since)
      row.setNull(shop.amount)
      try row.set(shop.note, to: texts.text(""))
      try row.set(shop.on, to: Day(number: 20_484))
      try row.set(shop.at, to: Timestamp(microseconds: 1))
      try row.set(shop.payload, to: texts.text(#"{"a":[1.50]}"#))
      try own.delete(3, since)
    }
    try store.write(shop.function, [rows.snapshot()])
    let replaced = "lines|alice|2|1970-01-01T00:00:00.000Z||NULL|1970-01-01T00:00:00.000001Z|2026-01-31|{\"a\":[1.50]}"
    try subject.expectRows([all[0], replaced] + all[3...], "keyed rows once one was replaced and one deleted")
    try store.close()
  }

  static func deletedAndMade(_ subject: StoreUnderTest) throws {
    let shop = Shop()
    let texts = StoreTexts()
    let rows = KeyedRows(shop.profiles.schema)
    let store = try subject.run([shop.function]).store
    try eachKey(["ann", "åse with a name longer than twelve"], of: rows) { own in
      try own.upsert().set(shop.nick, to: texts.text("first"))
    }
    try store.write(shop.function, [rows.snapshot()])
    try eachKey(["ann", "åse with a name longer than twelve"], of: rows) { own in try own.delete() }
    try eachKey(["ann"], of: rows) { own in try own.upsert().set(shop.nick, to: texts.text("second")) }
    try store.write(shop.function, [rows.snapshot()])
    try subject.expectRows(["profiles|ann|second"], "rows once both were deleted and one made again")
    try store.close()
  }

  static func ranked(_ subject: StoreUnderTest) throws {
    let shop = Shop()
    let texts = StoreTexts()
    let rows = KeyedRows(shop.recent.schema)
    let store = try subject.run([shop.function]).store
    let expect = { (items: [String], what: String) in
      try store.write(shop.function, [rows.snapshot()])
      try subject.expectRows(items.enumerated().map { "recent|alice|\($0 + 1)|\($1)" }, what)
    }
    try eachKey(["alice"], of: rows) { own in
      for item in ["one", "two", "three", "four", "five"] {
        try own.insert(at: 0).set(shop.item, to: texts.text(item))
      }
    }
    try expect(["five", "four", "three", "two", "one"], "a list of five")
    try eachKey(["alice"], of: rows) { own in
      own.remove(at: 1)
      own.keep(first: 2)
    }
    try expect(["five", "three"], "a list shortened to two")
    try eachKey(["alice"], of: rows) { own in try own.insert(at: 1).set(shop.item, to: texts.text("six")) }
    try expect(["five", "six", "three"], "a list with one put between")
    try eachKey(["alice"], of: rows) { own in own.keep(first: 0) }
    try expect([], "an empty list")
    try store.close()
  }
}
