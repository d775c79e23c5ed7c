import ReplayCore
import ReplayDecode
import ReplayEngine
import ReplayTesting
import Testing

/// What each shade brought in and what each customer paid, in order: a function that has changed every table before it
/// finds that an event's price is no number.
struct PriceBook: Projection {
  /// Which tables it has.
  enum Kind: String, CaseIterable { case merged, keyed, both }

  let name = "price-book"
  let kind: Kind
  /// Takes such a price for 7 cents.
  let isHealed: Bool
  private(set) var reads = Reads()
  private var shades = MergedTable("shades", key: .text("shade"))
  private var paid = KeyedTable("paid", key: "customer", then: .text("sku"))
  private var last = KeyedTable("latest", key: "customer", rank: "rank")
  private let shade: TextField, sku: TextField, price: JSONField
  private let events: SumColumn, cents: SumColumn, skus: SetColumn
  private let times: ValueColumn, sum: ValueColumn, amount: ValueColumn

  struct NoNumber: Error, CustomStringConvertible { let description: String }

  init(_ kind: Kind, isHealed: Bool = false) {
    self.kind = kind
    self.isHealed = isHealed
    shade = reads.text("data.shade")
    sku = reads.text("data.sku")
    price = reads.json("data.price")
    events = shades.count("events")
    cents = shades.sum("cents")
    skus = shades.union("skus", .text)
    times = paid.column("times", .integer)
    sum = paid.column("cents", .integer)
    amount = last.column("cents", .integer)
  }

  var tables: [any Table] {
    switch kind {
    case .merged: [shades]
    case .keyed: [paid, last]
    case .both: [shades, paid, last]
    }
  }

  func apply(_ batch: Batch, _ changes: Changes) throws {
    for event in batch { try apply(event, changes) }
  }

  func apply(_ event: Event, _ changes: Changes) throws {
    if kind != .keyed {
      let row = try changes[shades][event[shade]]
      try row.add(1, to: events)
      try row.insert(event[sku], into: skus)
    }
    if kind != .merged {
      let row = try changes[paid][event].upsert(event[sku])
      try row.set(times, to: row.integer(times) + 1)
      let list = try changes[last][event]
      _ = list.insert(at: 0)
      list.keep(first: 3)
      // What is made and taken away again leaves nothing either.
      _ = try changes[paid][event].upsert("none")
      try changes[paid][event].delete("none")
    }
    let paidNow = try number(event)
    if kind != .keyed { try changes[shades][event[shade]].add(paidNow, to: cents) }
    if kind != .merged {
      let row = try changes[paid][event].upsert(event[sku])
      try row.set(sum, to: row.integer(sum) + paidNow)
      try changes[last][event][0].set(amount, to: paidNow)
    }
  }

  private func number(_ event: Event) throws -> Int64 {
    guard let text = event[price] else { return 0 }
    if let value = ValueParsing.decimal(text, scale: 2) { return Int64(value.unscaled) }
    if isHealed { return 7 }
    throw NoNumber(description: "no number: \(String(text))")
  }

  /// The rows by plain dictionaries, from the sales that are applied.
  static func model(_ kind: Kind, _ sales: [Sale]) -> [String] {
    var shades: [String: (events: Int, cents: Int, skus: Set<String>)] = [:]
    var paid: [String: (times: Int, cents: Int)] = [:]
    var last: [String: [Int]] = [:]
    for sale in sales {
      let cents = sale.isPoisoned ? 7 : sale.cents
      let old = shades[sale.shade] ?? (0, 0, [])
      shades[sale.shade] = (old.events + 1, old.cents + cents, old.skus.union([sale.sku]))
      let before = paid["\(sale.customer)|\(sale.sku)"] ?? (0, 0)
      paid["\(sale.customer)|\(sale.sku)"] = (before.times + 1, before.cents + cents)
      last[sale.customer] = Array(([cents] + last[sale.customer, default: []]).prefix(3))
    }
    var lines: [String] = []
    if kind != .keyed {
      lines += shades.map { shade, row in
        "shades|\(shade)|\(row.events)|\(row.cents)|[" + row.skus.sorted().map { "\"\($0)\"" }.joined(separator: ",")
          + "]"
      }
    }
    if kind != .merged {
      lines += paid.map { "paid|\($0)|\($1.times)|\($1.cents)" }
      lines += last.flatMap { customer, list in
        list.enumerated().map { "latest|\(customer)|\($0 + 1)|\($1)" }
      }
    }
    return lines.sorted()
  }
}

/// What is to become of sales, one after the other.
struct LeftModel {
  var applied: [Sale] = []
  /// By customer, the sequence numbers of what is kept, and whether each was tried.
  var kept: [String: [String]] = [:]
  var parkedKeys: Set<[UInt8]> = []

  init(_ sales: [[Sale]], _ choice: FailurePolicy.Choice, parked: Set<String> = []) {
    var parked = parked
    for sale in sales.flatMap({ $0 }) {
      if parked.contains(sale.customer) {
        kept[sale.customer, default: []].append("\(sale.sequence) parked behind")
      } else if sale.isPoisoned {
        kept[sale.customer, default: []].append("\(sale.sequence) \(choice == .park ? "parked" : "dead") tried")
        if choice == .park { parked.insert(sale.customer) }
      } else {
        applied.append(sale)
      }
    }
    parkedKeys = Set(parked.map { Array($0.utf8) })
  }

  /// The same of what a database keeps.
  static func kept(_ database: MemoryDatabase, _ isOrdered: Bool = true) -> [String: [String]] {
    var events = database.kept(of: "price-book").map(\.event)
    if !isOrdered { events.sort { $0.place.position < $1.place.position } }
    return Dictionary(grouping: events) { String(decoding: $0.key, as: UTF8.self) }.mapValues { own in
      own.map { "\($0.place.position.number.low) \($0.state.rawValue) \($0.error == nil ? "behind" : "tried")" }
    }
  }
}

extension [[Sale]] {
  /// Some of them with a price that is no number.
  func poisoned(oneIn rate: Int, seed: UInt64) -> [[Sale]] {
    var chance = SplitMix64(seed: seed)
    return map { list in
      list.map { sale in
        var sale = sale
        sale.isPoisoned = chance.number(1...rate) == 1
        return sale
      }
    }
  }
}

/// Tries again what a database keeps of a function.
@discardableResult func retry(
  _ function: PriceBook, in database: MemoryDatabase, _ filter: KeptFilter = KeptFilter(), commitEvents: Int = 7
) throws -> RetryRun.Report {
  let store = MemoryStore(database)
  let number = try store.open([FunctionIdentity(function)], range: .all, refresh: false)[0].run
  let extraction = Extraction([function.reads], anatomy: Anatomy(), needsKey: true)
  let decoder = KeptDecoder(extraction, usesKeysFiles: false)
  return try RetryRun(
    function, extraction, store: store, number: number, policy: FailurePolicy(), stop: StopRequest(),
    commitEvents: commitEvents,
    decode: decoder.block
  ).run(filter)
}
