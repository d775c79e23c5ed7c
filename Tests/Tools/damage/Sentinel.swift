import ReplayCore

/// Records every event that it is given: where it is from, its key, and a print of payload and headers. In a merged table a
/// row for each place, in a keyed one a list for each key in the order of the calls.
struct Sentinel: Projection {
  let name = "sentinel"
  private(set) var reads = Reads()
  private let isKeyed: Bool
  private var merged = MergedTable("seen", key: .text("place"), .text("key"))
  private var keyed = KeyedTable("seen", key: "key", rank: "rank")
  private let key: TextField, payload: PayloadField, headers: JSONField
  private let times: SumColumn, least: MinColumn, greatest: MaxColumn
  private let place: ValueColumn, print: ValueColumn

  init(isKeyed: Bool) {
    self.isKeyed = isKeyed
    key = reads.key()
    payload = reads.payload()
    headers = reads.headers()
    times = merged.count("times")
    least = merged.min("least", .integer)
    greatest = merged.max("greatest", .integer)
    place = keyed.column("place", .text)
    print = keyed.column("print", .integer)
  }

  var tables: [any Table] { isKeyed ? [keyed] : [merged] }

  func apply(_ batch: Batch, _ changes: Changes) throws {
    for event in batch {
      let place = "\(event.partition) \(event.position.stored)"
      let print = Applied.print(event[payload].bytes, event[headers].map(\.bytes))
      if isKeyed {
        let rows = try changes[keyed][event]
        let row = rows.insert(at: rows.count)
        try row.set(self.place, to: place)
        try row.set(self.print, to: print)
      } else {
        let row = try changes[merged].row(of: [place, try event[key]])
        try row.add(1, to: times)
        try row.lower(least, to: print)
        try row.raise(greatest, to: print)
      }
    }
  }
}

/// What the sentinel's table says was applied.
struct Seen {
  var events: [String: [Applied]] = [:]
  /// What no table of good events can hold: a place twice, a key's events out of order.
  var fault: String?

  init(_ lines: [String], isKeyed: Bool, isNumbered: Bool) {
    var found: [(partition: String, position: Position, event: Applied)] = []
    var lasts: [String: Position] = [:]
    let rows = lines.map { Row($0, isKeyed: isKeyed) }
    for row in rows.sorted(by: { $0.rank < $1.rank }) {
      let (place, key, print) = (row.place, row.key, row.print)
      if !row.isOnce { fault = "\(place) was applied more than once" }
      let cut = place.lastIndex(of: " ") ?? place.startIndex
      guard let position = Position(stored: String(place[cut...].dropFirst())), let print else {
        fault = "a row that nobody wrote: \(row)"
        continue
      }
      let partition = String(place[..<cut])
      if isKeyed {
        if let last = lasts[partition + key], last >= position { fault = "\(key) at \(place) came too late" }
        lasts[partition + key] = position
      }
      let number = isNumbered ? position.number.low : nil
      found.append((partition, position, Applied(number: number, key: key, print: print)))
    }
    for (partition, own) in Dictionary(grouping: found, by: \.partition) {
      events[partition] = own.sorted { $0.position < $1.position }.map(\.event)
    }
  }
}

/// One row of the sentinel's table, as a store shows it. A damaged key may hold what separates the columns.
private struct Row {
  let key: String
  let place: String
  let print: Int64?
  var rank = 0
  var isOnce = true

  init(_ line: String, isKeyed: Bool) {
    let parts = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
    let last = Array(parts.suffix(3))
    if isKeyed {
      key = parts.dropFirst().dropLast(3).joined(separator: "|")
      (rank, place, print) = (Int(last[0]) ?? 0, last[1], Int64(last[2]))
    } else {
      (place, key) = (parts[1], parts.dropFirst(2).dropLast(3).joined(separator: "|"))
      print = Int64(last[1])
      isOnce = last[0] == "1" && last[1] == last[2]
    }
  }
}
