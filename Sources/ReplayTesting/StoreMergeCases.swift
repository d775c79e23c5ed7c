import ReplayCore

/// A merged table with one column of each merge and type that a store can get wrong.
struct Ledger {
  var name = "books"
  private(set) var table: MergedTable
  private let count: SumColumn
  private let total: SumColumn
  private let least: MinColumn
  private let most: MaxColumn
  private let earliest: MinColumn
  private let latest: MaxColumn
  private let lowest: MinColumn
  private let highest: MaxColumn

  init(name: String = "books", table: String = "ledger") {
    self.name = name
    self.table = MergedTable(table, key: .text("account"), .day("day"))
    count = self.table.count("touches")
    total = self.table.sum("total", .decimal(scale: 2))
    least = self.table.min("least", .integer)
    most = self.table.max("most", .integer)
    earliest = self.table.min("earliest", .timestamp)
    latest = self.table.max("latest", .timestamp)
    lowest = self.table.min("lowest", .text)
    highest = self.table.max("highest", .text)
  }

  var function: StoreFunction { StoreFunction(name: name, tables: [table]) }

  /// The touches as one epoch's rows.
  func fold(_ touches: [Touch]) throws -> RowSet {
    let rows = MergedRows(table.schema)
    let texts = StoreTexts()
    for touch in touches {
      let row = try rows[texts.text(touch.account), Day(number: touch.day)]
      try row.add(1, to: count)
      try row.add(FixedDecimal(unscaled: Int128(touch.amount), scale: 2), to: total)
      if let number = touch.number {
        try row.lower(least, to: number)
        try row.raise(most, to: number)
      }
      if let time = touch.time {
        try row.lower(earliest, to: time)
        try row.raise(latest, to: time)
      }
      if let word = touch.word {
        try row.lower(lowest, to: texts.text(word))
        try row.raise(highest, to: texts.text(word))
      }
    }
    return rows.sorted()
  }

  /// The lines that all the touches together must leave, worked out without any of the product's code for merging.
  func expected(_ touches: [Touch]) -> [String] {
    let groups = Dictionary(grouping: touches) { [$0.account, Day(number: $0.day).description] }
    return groups.map { key, touches in
      let numbers = touches.compactMap(\.number)
      let times = touches.compactMap(\.time)
      let words = touches.compactMap(\.word).sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
      let sum = touches.reduce(Int128(0)) { $0 + Int128($1.amount) }
      let values: [String?] = [
        "\(touches.count)", "\(sum)", numbers.min().map { "\($0)" }, numbers.max().map { "\($0)" },
        times.min()?.description, times.max()?.description, words.first, words.last,
      ]
      return StoreConformance.line(table.schema.name, key + values.map { $0 ?? StoreConformance.null })
    }
  }
}

/// What one event does to the ledger.
struct Touch {
  var account: String
  var day: Int64 = 20_484
  var amount: Int64
  var number: Int64?
  var time: Timestamp?
  var word: String?
}

extension StoreConformance {
  static let mergeCases: [Case] = [
    Case(description: "the same rows in 1, 2 or 7 commits of any order give the same table") { subject, seed in
      try commute(subject, seed)
    },
    Case(description: "sums reach both ends of 64 bits") { subject, _ in try boundaries(subject) },
    Case(description: "a sum beyond 64 bits is an error and leaves nothing") { subject, _ in try overflow(subject) },
    Case(description: "a text with U+0000 is kept as it is, or is an error and leaves nothing") { subject, _ in
      try nul(subject)
    },
  ]

  private static let words = [
    "", "a", "A", "twelve bytes", "thirteen byte", "a text that is longer than a cell can hold inline", "é", "ß|x",
    "日本語のテキスト",
    "\u{1F600}", "z\u{0}z", "Z",
  ]

  static func commute(_ subject: StoreUnderTest, _ seed: UInt64) throws {
    var random = StoreRandom(seed: seed)
    let ledger = Ledger()
    let words = words.filter { subject.holdsNUL || !$0.unicodeScalars.contains("\u{0}") }
    var touches = (0..<200).map { _ in touch(words, &random) }
    for commits in [1, 2, 7] {
      touches.shuffle(using: &random)
      let store = try subject.run([ledger.function], refresh: true).store
      for part in 0..<commits {
        let share = touches.indices.filter { $0 % commits == part }.map { touches[$0] }
        try store.write(ledger.function, [try ledger.fold(share)])
      }
      try store.close()
      try subject.expectRows(ledger.expected(touches), "seed \(seed), \(commits) commits")
    }
  }

  private static func touch(_ words: [String], _ random: inout StoreRandom) -> Touch {
    // Times with and without microseconds, close together: as text they do not sort as they do in time.
    let time = Timestamp(microseconds: 1_769_847_153_123_000 + .random(in: -3...3, using: &random) * 100)
    return Touch(
      account: words.randomElement(using: &random) ?? "", day: .random(in: -2...2, using: &random),
      amount: .random(in: -1_000_000...1_000_000, using: &random),
      number: Bool.random(using: &random) ? .random(in: .min ... .max, using: &random) : nil,
      time: Bool.random(using: &random) ? time : nil,
      word: Bool.random(using: &random) ? words.randomElement(using: &random) : nil)
  }

  static func nul(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let partition = Partition(log: "orders", id: "0")
    let good = [Touch(account: "good", amount: 1)]
    let store = try subject.run([ledger.function]).store
    try store.write(ledger.function, [try ledger.fold(good)], at: [partition: Position(1)], events: 1)
    let bad = [
      (Touch(account: "a\u{0}b", amount: 1), "account"), (Touch(account: "z", amount: 1, word: "\u{0}"), "lowest"),
    ]
    for (touch, column) in bad where !subject.holdsNUL {
      let error = try expectError(.data, "a text with U+0000") {
        try store.write(ledger.function, [try ledger.fold(good + [touch])], at: [partition: Position(2)], events: 1)
      }
      for part in ["ledger", column, "NUL"] where !"\(error)".contains(part) {
        throw violation("the error does not say \(part): \(error)")
      }
    }
    let more = subject.holdsNUL ? bad.map(\.0) : good
    try store.write(ledger.function, [try ledger.fold(more)], at: [partition: Position(2)], events: 1)
    try subject.expectRows(ledger.expected(good + more), "rows with and after texts with U+0000")
    try store.close()
    try expect(subject.checkpoint(ledger.function).epochs, is: 2, "commits without the failed ones")
  }

  static func boundaries(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let touches = [
      Touch(account: "top", amount: .max - 7, number: .max), Touch(account: "top", amount: 7, number: .max - 1),
      Touch(account: "bottom", amount: .min + 7, number: .min), Touch(account: "bottom", amount: -7, number: .min + 1),
    ]
    let store = try subject.run([ledger.function]).store
    for touch in touches { try store.write(ledger.function, [try ledger.fold([touch])]) }
    try subject.expectRows(ledger.expected(touches), "sums at both ends of 64 bits")
    try store.close()
  }

  static func overflow(_ subject: StoreUnderTest) throws {
    let ledger = Ledger()
    let partition = Partition(log: "orders", id: "0")
    let before = [Touch(account: "top", amount: .max), Touch(account: "bottom", amount: .min)]
    let store = try subject.run([ledger.function]).store
    try store.write(ledger.function, [try ledger.fold(before)], at: [partition: Position(1)], events: 2)
    let bad: [[Touch]] = [
      [Touch(account: "top", amount: 1)], [Touch(account: "bottom", amount: -1)],
      [Touch(account: "top", amount: .max)], [Touch(account: "bottom", amount: .min)],
      // Too much before it reaches the database.
      [Touch(account: "top", amount: .max), Touch(account: "top", amount: 1)],
    ]
    for touches in bad {
      let all = [Touch(account: "another", amount: 1)] + touches + [Touch(account: "zz", amount: 1)]
      let error = try expectError(.data, "a sum beyond 64 bits") {
        try store.write(ledger.function, [try ledger.fold(all)], at: [partition: Position(2)], events: 3)
      }
      guard "\(error)".contains("ledger"), "\(error)".contains(touches[0].account) else {
        throw violation("the error names neither table nor row: \(error)")
      }
      try subject.expectRows(ledger.expected(before), "rows after a sum beyond 64 bits")
    }
    let after = [Touch(account: "top", amount: -1)]
    try store.write(ledger.function, [try ledger.fold(after)], at: [partition: Position(2)], events: 1)
    try subject.expectRows(ledger.expected(before + after), "rows after the next good commit")
    try store.close()
    let checkpoint = try subject.checkpoint(ledger.function)
    try expect(checkpoint.frontier, is: [partition: Position(2)], "the position after failed commits")
    try expect([checkpoint.events, checkpoint.epochs], is: [3, 2], "events and commits without the failed ones")
  }
}
