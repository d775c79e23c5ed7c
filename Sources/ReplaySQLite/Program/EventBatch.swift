import ReplayCore

/// Events that a program's statements run over at once: consecutive rows of one lane, or of several lanes one after
/// another.
struct EventBatch {
  struct Part {
    let rows: GatheredRows
    let start: Int
    let end: Int
    var count: Int { end - start }
  }

  private(set) var parts: [Part] = []
  private(set) var count = 0

  /// Rows that a batch holds at most: statements sort it in memory.
  static let maxRows = 65_536

  /// All rows, in batches.
  static func split(_ lanes: [GatheredRows], maxRows: Int = EventBatch.maxRows) -> [EventBatch] {
    var batches: [EventBatch] = []
    var batch = EventBatch()
    for rows in lanes {
      var start = 0
      while start < rows.count {
        let end = min(rows.count, start + maxRows - batch.count)
        batch.add(Part(rows: rows, start: start, end: end))
        start = end
        guard batch.count == maxRows else { continue }
        batches.append(batch)
        batch = EventBatch()
      }
    }
    return batch.count > 0 ? batches + [batch] : batches
  }

  private mutating func add(_ part: Part) {
    parts.append(part)
    count += part.count
  }

  /// The first `count` of its events.
  func prefix(_ count: Int) -> EventBatch {
    var shorter = EventBatch()
    for part in parts where shorter.count < count {
      shorter.add(
        Part(rows: part.rows, start: part.start, end: min(part.end, part.start + count - shorter.count)))
    }
    return shorter
  }

  /// The lane's rows that hold the event at `place`, and where in them it is; nil behind the end.
  func row(_ place: Int) -> (rows: GatheredRows, index: Int)? {
    var before = 0
    for part in parts {
      if place < before + part.count { return (part.rows, part.start + place - before) }
      before += part.count
    }
    return nil
  }
}
