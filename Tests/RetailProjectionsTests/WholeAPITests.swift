import ReplayCore
import ReplayTesting
import Testing

/// Every call that the README's tables name: that they compile and do what is said.
struct Everything: Projection {
  let name = "everything"
  var reads = Reads()
  var table = MergedTable("name", key: .text("a"), .day("b"))
  var basket = KeyedTable("basket", key: "customer", then: .text("sku"))
  let sku: TextField, price: DecimalField, at: TimeField, at2: TimeField, flag: BooleanField, data: JSONField
  let key: TextField, type: TextField, time: TimeField, id: TextField, headers: JSONField
  let units: SumColumn, cents: SumColumn, events: SumColumn, first: MinColumn, last: MaxColumn
  let lastPrice: LastColumn, firstPrice: FirstColumn, skus: RecentColumn, tags: SetColumn, quantity: ValueColumn

  init() {
    reads.only(type: "a", "b")
    reads.only("data.category", is: "cosmetics")
    sku = reads.text("data.sku")
    price = reads.decimal("data.price", scale: 2)
    flag = reads.boolean("data.flag")
    at = reads.time("data.at")
    at2 = reads.time("data.at2", since1970: .milliseconds)
    data = reads.json("data")
    key = reads.key()
    type = reads.type()
    time = reads.time()
    id = reads.id()
    headers = reads.headers()
    units = table.sum("units")
    cents = table.sum("cents", .decimal(scale: 2))
    events = table.count("events")
    first = table.min("first_day", .day)
    last = table.max("last_day", .day)
    lastPrice = table.last("price", .decimal(scale: 2))
    firstPrice = table.first("first_price", .decimal(scale: 2))
    skus = table.recent("skus", .text, limit: 10)
    tags = table.union("tags", .text, limit: 1000)
    quantity = basket.column("quantity", .integer)
  }
  var tables: [any Table] { [table, basket] }
  func apply(_ batch: Batch, _ changes: Changes) throws {
    let rows = changes[table]
    let own = changes[basket]
    for event in batch {
      let day = try event[time].day
      let row = try rows[event[sku], day]
      try row.add(1, to: units)
      try row.add(event[price], to: cents)
      try row.add(1, to: events)
      try row.lower(first, to: day)
      try row.raise(last, to: day)
      try row.keep(event[price], in: lastPrice, by: event[time], of: event)
      try row.keep(event[price], in: firstPrice, by: event[time], of: event)
      try row.keep(event[sku], in: skus, by: event[time], of: event)
      try row.insert(event[id], into: tags)
      if let flag = try event[ifPresent: flag], flag, event[headers] == nil, event[data] != nil {
        _ = try event[ifPresent: at2]
      }
      let mine = try own[event]
      let old = try mine.find("a-7")?.integer(quantity) ?? 0
      try mine.upsert("a-7").set(quantity, to: old + 2)
      if old > 100 { try mine.delete("a-7") }
    }
  }
}

struct WholeAPITests {
  @Test func everyCallOfTheReadme() throws {
    let events = [
      #"{"type":"a","time":"2026-01-02T00:00:00Z","partitionkey":"k","id":"x","#
        + #""data":{"sku":"s1","category":"cosmetics","price":1.5,"flag":true,"at2":1767312000000}}"#,
      #"{"type":"b","time":"2026-01-02T01:00:00Z","partitionkey":"k","id":"y","#
        + #""data":{"sku":"s1","category":"cosmetics","price":2}}"#,
      #"{"type":"c","time":"2026-01-02T01:00:00Z","partitionkey":"k","data":{"category":"cosmetics"}}"#,
    ]
    #expect(
      try rows(of: Everything(), events: events) == [
        "name": [
          [
            "s1", "2026-01-02", "2", "350", "2", "2026-01-02", "2026-01-02", "200", "150", #"["s1","s1"]"#,
            #"["x","y"]"#,
          ]
        ], "basket": [["k", "a-7", "4"]],
      ])
  }
}
