import ReplayCore

/// Sales velocity by blush colour: for each shade of cosmetics, how many units were sold, for how much, and from which
/// day to which.
public struct ShadeVelocity: Projection {
  public let name = "shade-velocity"
  public private(set) var reads = Reads()
  private var velocity = MergedTable("shade_velocity", key: .text("shade"))
  private let shade: TextField, price: DecimalField, quantity: IntegerField, time: TimeField
  private let units: SumColumn, revenue: SumColumn, firstDay: MinColumn, lastDay: MaxColumn

  public init() {
    reads.only(type: "retail.item.sold")
    reads.only("data.category", is: "cosmetics")
    shade = reads.text("data.shade")
    price = reads.decimal("data.price", scale: 2)
    quantity = reads.integer("data.quantity")
    time = reads.time()
    units = velocity.sum("units")
    revenue = velocity.sum("revenue_cents", .decimal(scale: 2))
    firstDay = velocity.min("first_day", .day)
    lastDay = velocity.max("last_day", .day)
  }

  public var tables: [any Table] { [velocity] }

  public func apply(_ batch: Batch, _ changes: Changes) throws {
    let shades = changes[velocity]
    for sale in batch {
      let sold = try sale[quantity]
      let day = try sale[time].day
      let row = try shades[sale[shade]]
      try row.add(sold, to: units)
      try row.add(sale[price] * sold, to: revenue)
      try row.lower(firstDay, to: day)
      try row.raise(lastDay, to: day)
    }
  }
}

extension ShadeVelocity {
  public var views: [(name: String, select: String)] {
    [
      (
        "shade_velocity_per_day",
        """
        SELECT shade, units, revenue_cents, first_day, last_day,
          units * 1.0 / (julianday(last_day) - julianday(first_day) + 1) AS units_per_day,
          revenue_cents / (julianday(last_day) - julianday(first_day) + 1) AS revenue_cents_per_day
        FROM shade_velocity
        """
      )
    ]
  }

  /// There a day less a day is a whole number.
  public var postgresViews: [(name: String, select: String)] {
    [
      (
        "shade_velocity_per_day",
        """
        SELECT shade, units, revenue_cents, first_day, last_day,
          units / (last_day - first_day + 1)::double precision AS units_per_day,
          revenue_cents / (last_day - first_day + 1)::double precision AS revenue_cents_per_day
        FROM shade_velocity
        """
      )
    ]
  }
}
