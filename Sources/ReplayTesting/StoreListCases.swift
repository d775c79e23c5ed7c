import ReplayCore

/// A merged table whose columns depend on an order of the events, or hold lists.
struct Shelf {
  private(set) var table = MergedTable("shelf", key: .text("account"))
  private let opening: FirstColumn
  private let closing: LastColumn
  private let latest: RecentColumn
  private let amounts: SetColumn
  private let words: SetColumn

  init(limit: Int = 1_000) {
    opening = table.first("opening", .text)
    closing = table.last("closing", .integer)
    latest = table.recent("latest", .text, limit: 3)
    amounts = table.union("amounts", .integer, limit: limit)
    words = table.union("words", .text)
  }

  var function: StoreFunction { StoreFunction(name: "shelves", tables: [table]) }

  /// The notes as one epoch's rows, folded by two lanes.
  func fold(_ notes: [Note]) throws -> RowSet {
    let lanes = [MergedRows(table.schema), MergedRows(table.schema)]
    let texts = StoreTexts()
    for (place, note) in notes.enumerated() {
      try withEvent(in: note.partition, at: note.position) { event in
        let row = try lanes[place % 2][texts.text(note.account)]
        try row.keep(texts.text(note.word), in: opening, by: note.order, of: event)
        try row.keep(note.amount, in: closing, by: note.order, of: event)
        try row.keep(texts.text(note.word), in: latest, by: note.order, of: event)
        try row.insert(note.amount, into: amounts)
        try row.insert(texts.text(note.word), into: words)
      }
    }
    try lanes[0].absorb(lanes[1])
    return lanes[0].sorted()
  }

  /// The columns that all the notes together must leave, without those that hold orders; by sorting, not by merging.
  func expected(_ notes: [Note]) -> [String] {
    Dictionary(grouping: notes, by: \.account).map { account, notes in
      let rising = notes.sorted {
        if $0.order != $1.order { return $0.order < $1.order }
        return $0.partition != $1.partition ? $0.partition < $1.partition : $0.position < $1.position
      }
      let quoted = { (word: String) in
        "\"" + word.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\"") + "\""
      }
      let recent = rising.reversed().prefix(3).map { quoted($0.word) }
      let amounts = Set(notes.map(\.amount)).sorted().map { "\($0)" }
      let words = Set(notes.map(\.word)).map(quoted).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      let lists = [recent, amounts, words].map { "[" + $0.joined(separator: ",") + "]" }
      return ["shelf", account, rising[0].word, "\(rising[rising.count - 1].amount)"] + lists
    }.map { $0.joined(separator: "|") }
  }

  /// A dumped line without the columns that hold orders.
  static func plain(_ line: String) -> String {
    let parts = line.split(separator: "|", omittingEmptySubsequences: false)
    return [0, 1, 2, 4, 6, 8, 9].filter { $0 < parts.count }.map { String(parts[$0]) }.joined(separator: "|")
  }
}

/// What one event does to the shelf.
struct Note {
  var account: String
  var order: Int64
  var word: String
  var amount: Int64
  var partition: Partition
  var position: Position
}

/// Lends an event of this place.
func withEvent(in partition: Partition, at position: Position, _ body: (Event) throws -> Void) throws {
  let segment = Segment(
    entry: SegmentEntry(name: "made", size: 1, version: ""), partition: partition,
    numbering: .place(position.number))
  let block = RecordBlock(segment: segment)
  block.count = 1
  try withUnsafePointer(to: UInt32(1)) { masks in
    try withUnsafePointer(to: position.index) { marks in
      block.masks = masks
      block.marks = marks
      var column = 0
      let batch = Batch(block: block, columns: &column, mask: 1, keyColumn: 0)
      try withExtendedLifetime(block) { for event in batch { try body(event) } }
    }
  }
}

extension StoreConformance {
  static let listCases: [Case] = [
    Case(description: "first, last, recent and set give the same rows in 1, 2 or 7 commits of any order") {
      subject, seed in
      try commuteOrdered(subject, seed)
    },
    Case(description: "a set beyond its limit is an error and leaves nothing") { subject, _ in try fullSet(subject) },
  ]

  static func commuteOrdered(_ subject: StoreUnderTest, _ seed: UInt64) throws {
    var random = StoreRandom(seed: seed)
    let shelf = Shelf()
    let words = ["a", "B", "with \"quotes\" and, commas", "[7]", "日本語のテキスト", "thirteen byte"]
    // Below 124, the byte of `|`, which parts the columns of a dumped line.
    var notes = (0..<120).map { number in
      // Few orders, so that many events tie and log, partition and position decide.
      Note(
        account: "account \(Int.random(in: 0...5, using: &random))", order: .random(in: -2...2, using: &random),
        word: words.randomElement(using: &random) ?? "", amount: .random(in: -12...12, using: &random),
        partition: Partition(log: ["orders", "views"].randomElement(using: &random) ?? "", id: "\(number % 3)"),
        position: Position(number: WideNumber(high: UInt64(number % 2), low: UInt64(number)), index: UInt64(number)))
    }
    for commits in [1, 2, 7] {
      notes.shuffle(using: &random)
      let store = try subject.run([shelf.function], refresh: true).store
      for part in 0..<commits {
        let share = notes.indices.filter { $0 % commits == part }.map { notes[$0] }
        try store.write(shelf.function, [try shelf.fold(share)])
      }
      try store.close()
      let found = try subject.dump().map(Shelf.plain).sorted()
      try expect(found, is: shelf.expected(notes).sorted(), "seed \(seed), \(commits) commits")
    }
  }

  static func fullSet(_ subject: StoreUnderTest) throws {
    let shelf = Shelf(limit: 2)
    let note = { (amount: Int64) in
      Note(
        account: "full", order: amount, word: "w", amount: amount, partition: Partition(log: "orders", id: "0"),
        position: Position(UInt64(amount)))
    }
    let store = try subject.run([shelf.function]).store
    try store.write(shelf.function, [try shelf.fold([note(1), note(2)])])
    let error = try expectError(.data, "a set beyond its limit") {
      try store.write(shelf.function, [try shelf.fold([note(3)])])
    }
    guard "\(error)".contains("shelf") else { throw violation("the error does not name the table: \(error)") }
    try expect(
      try subject.dump().map(Shelf.plain), is: shelf.expected([note(1), note(2)]), "rows after a set that was full")
    try store.close()
  }
}
