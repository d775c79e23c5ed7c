import Replay

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The tool with functions that cannot apply an event whose price is no number, until FAILING_TOOL_HEALED is set: so that
/// `replay failed retry` has something to heal.
@main
struct FailingTool: ReplayTool {
  static let functions: [any Projection] = [Revenue(), Purchases()]
}

private let isHealed = getenv("FAILING_TOOL_HEALED") != nil

struct NoNumber: Error, CustomStringConvertible { let description: String }

/// Cents of a price; of one that is no number 7 once healed.
func cents(_ text: Text) throws -> Int64 {
  if let price = ValueParsing.decimal(text, scale: 2) { return Int64(price.unscaled) }
  if isHealed { return 7 }
  throw NoNumber(description: "the price is no number: \(String(text))")
}

/// A merged table: what each sku brought in. Counts the event before it looks at the price.
struct Revenue: Projection {
  let name = "revenue"
  private(set) var reads = Reads()
  private var revenue = MergedTable("revenue", key: .text("sku"))
  private let sku: TextField, price: JSONField
  private let events: SumColumn, sum: SumColumn

  init() {
    sku = reads.text("sku")
    price = reads.json("price")
    events = revenue.count("events")
    sum = revenue.sum("cents")
  }

  var tables: [any Table] { [revenue] }

  func apply(_ batch: Batch, _ changes: Changes) throws {
    for event in batch {
      let row = try changes[revenue][event[sku]]
      try row.add(1, to: events)
      guard let text = event[price] else { throw NoNumber(description: "the price is missing") }
      try row.add(try cents(text), to: sum)
    }
  }
}

/// A keyed table: how many events each customer has, the sum, and the last event's number, which only order makes right.
struct Purchases: Projection {
  let name = "purchases"
  private(set) var reads = Reads()
  private var purchases = KeyedTable("purchases", key: "customer")
  private let number: IntegerField, price: JSONField
  private let events: ValueColumn, sum: ValueColumn, last: ValueColumn

  init() {
    number = reads.integer("number")
    price = reads.json("price")
    events = purchases.column("events", .integer)
    sum = purchases.column("cents", .integer)
    last = purchases.column("last", .integer)
  }

  var tables: [any Table] { [purchases] }

  func apply(_ batch: Batch, _ changes: Changes) throws {
    for event in batch {
      let row = try changes[purchases][event].upsert()
      try row.set(events, to: row.integer(events) + 1)
      try row.set(last, to: event[number])
      guard let text = event[price] else { throw NoNumber(description: "the price is missing") }
      try row.set(sum, to: row.integer(sum) + cents(text))
    }
  }
}
