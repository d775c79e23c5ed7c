import ReplayCore

/// The last ten distinct products that each customer viewed, the newest first.
public struct RecentlyViewed: Projection {
  public let name = "recently-viewed"
  public private(set) var reads = Reads()
  private var recent = KeyedTable("recently_viewed", key: "customer", rank: "rank")
  private let product: TextField, time: TimeField
  private let sku: ValueColumn, viewedAt: ValueColumn

  public init() {
    reads.only(type: "retail.product.viewed")
    product = reads.text("data.sku")
    time = reads.time()
    sku = recent.column("sku", .text)
    viewedAt = recent.column("viewed_at", .timestamp)
  }

  public var tables: [any Table] { [recent] }

  public func apply(_ batch: Batch, _ changes: Changes) throws {
    let customers = changes[recent]
    for view in batch {
      let views = try customers[view]
      if let before = views.firstIndex(where: sku, is: try view[product]) { views.remove(at: before) }
      let newest = views.insert(at: 0)
      try newest.set(sku, to: view[product])
      try newest.set(viewedAt, to: view[time])
      views.keep(first: 10)
    }
  }
}
