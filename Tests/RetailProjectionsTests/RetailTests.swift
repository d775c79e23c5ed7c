import ReplayCore
import ReplayTesting
import RetailProjections
import Testing

/// The bundled functions with no engine around them: events in, rows out, worked out by hand.
struct RetailTests {
  private func event(_ type: String, _ time: String, key: String = "c-1", _ data: String) -> String {
    #"{"type":"\#(type)","time":"\#(time)","partitionkey":"\#(key)","data":{\#(data)}}"#
  }

  @Test func shadeVelocitySumsWhatWasSoldInCosmetics() throws {
    let sold = #""category":"cosmetics","shade":"rose","price":24.90,"quantity":2"#
    let rows = try rows(
      of: ShadeVelocity(),
      events: [
        event("retail.item.sold", "2026-03-02T10:00:00Z", sold),
        event(
          "retail.item.sold", "2026-03-01T23:59:59.999Z",
          #""category":"cosmetics","shade":"rose","price":0.05,"quantity":1"#),
        event(
          "retail.item.sold", "2026-03-05T00:00:00Z", #""category":"garden","shade":"rose","price":1.00,"quantity":1"#),
        event("retail.product.viewed", "2026-03-06T00:00:00Z", sold),
      ])
    #expect(rows == ["shade_velocity": [["rose", "3", "4985", "2026-03-01", "2026-03-02"]]])
  }

  /// The columns that hold orders are no part of what a test compares, unless it asks.
  @Test func theTestKitLeavesOrdersOut() throws {
    struct Latest: Projection {
      let name = "latest"
      private(set) var reads = Reads()
      private var latest = MergedTable("latest", key: .text("type"))
      private let type: TextField, time: TimeField, last: LastColumn

      init() {
        type = reads.type()
        time = reads.time()
        last = latest.last("at", .timestamp)
      }

      var tables: [any Table] { [latest] }

      func apply(_ batch: Batch, _ changes: Changes) throws {
        let rows = changes[latest]
        for event in batch { try rows[event[type]].keep(event[time], in: last, by: event[time], of: event) }
      }
    }
    let events = [event("a", "2026-01-02T00:00:00Z", ""), event("a", "2026-01-01T00:00:00Z", "")]
    #expect(try rows(of: Latest(), events: events) == ["latest": [["a", "2026-01-02T00:00:00.000Z"]]])
    #expect(try rows(of: Latest(), events: events, withOrders: true)["latest"]?[0].count == 3)
  }

  @Test func eventCountsCountsByTypeAndUTCDay() throws {
    let rows = try rows(
      of: EventCounts(),
      events: [
        event("a", "2026-01-01T23:30:00-01:00", ""), event("a", "2026-01-02T12:00:00Z", ""),
        event("b", "2026-01-01T00:00:00Z", ""),
      ])
    #expect(rows == ["event_counts": [["a", "2026-01-02", "2"], ["b", "2026-01-01", "1"]]])
  }

  @Test func recentlyViewedKeepsTheLastTenDistinctProducts() throws {
    let views = (1...12).map { "sku-\($0)" } + ["sku-12", "sku-5"]
    let found = try rows(
      of: RecentlyViewed(),
      events: views.enumerated().map { place, sku in
        event("retail.product.viewed", "2026-01-01T00:00:\(10 + place)Z", #""sku":"\#(sku)""#)
      })
    let skus = found["recently_viewed"]?.map { $0[2] }
    #expect(skus == ["sku-5", "sku-12"] + [11, 10, 9, 8, 7, 6, 4, 3].map { "sku-\($0)" })
    #expect(found["recently_viewed"]?[0] == ["c-1", "1", "sku-5", "2026-01-01T00:00:23.000Z"])
  }

  @Test(arguments: [
    #""category":"cosmetics","shade":"rose","price":1.234,"quantity":1"#,
    #""category":"cosmetics","shade":"rose","price":1.00,"quantity":9223372036854775808"#,
    #""category":"cosmetics","price":1.00,"quantity":1"#,
  ])
  func aFieldThatIsNotWhatWasDeclaredIsAnError(data: String) {
    #expect(throws: (any Error).self) {
      try rows(of: ShadeVelocity(), events: [event("retail.item.sold", "2026-01-01T00:00:00Z", data)])
    }
  }
}
