import ReplayCore
import ReplayEngine
import ReplaySQL
import ReplaySQLite

/// The rows of one key on both sides.
struct RowPair {
  let a: [[TableValue]]
  let b: [[TableValue]]
  var differs: Bool { a != b }
}

/// Which rows are looked at: those of one key in one table.
struct RowQuestion {
  let table: String
  let key: [String]
  let values: [TableValue]
  /// The columns that count, beside the key.
  let columns: [String]

  /// Of the first row that differs; nil where none does, or nothing says which rows belong together.
  init?(_ found: TableDifference) {
    guard let key = found.key, let first = found.first else { return nil }
    (table, self.key, values, columns) = (found.left.table, key, first.key, found.columns)
  }

  func ask(_ path: String) throws -> [[TableValue]] {
    try SQLiteInspector(path).rows(of: table, key: key, values, columns: columns)
  }
}

/// Looks for the event behind which a row first differs, by replaying the archive up to one place after another.
///
/// A reading goes on from copies of the stores of the last place at which the row was the same on both sides: so all
/// readings together apply about as many events as the archive has, however many there are. (Within a segment, each
/// decompresses it from its start.)
struct EventSearch {
  enum Outcome {
    /// Event `number` of the cuts, and the row before it, where both have the same, and behind it.
    case event(number: UInt64, before: RowPair, after: RowPair)
    /// It is one of the events from `first` to `last`; no cut can be made between them.
    case between(first: UInt64, last: UInt64)
    /// Read again up to this event, the rows were the same: they depend on more than the events.
    case notAgain(number: UInt64)
  }

  /// A cut's stores, one for each side.
  private struct Stores {
    let paths: [String]
    let events: UInt64
  }

  /// The archive cannot be cut there.
  private struct NoCut: Error {}

  let sides: [DiffSide]
  let run: ScratchRun
  let cuts: ArchiveCuts
  let question: RowQuestion
  let scratch: ScratchStores
  /// Told how many events are between the two places that are known.
  let observe: (UInt64) -> Void

  /// The row differs once all events are read.
  func find() throws -> Outcome {
    var bisection = Bisection(low: 0, high: cuts.count, ends: cuts.ends)
    var (low, known): (Stores?, RowPair) = (nil, RowPair(a: [], b: []))
    while let place = bisection.next {
      observe(bisection.high - bisection.low)
      let (stores, pair): (Stores, RowPair)
      do { (stores, pair) = try look(place, from: low) } catch is NoCut {
        return .between(first: bisection.low, last: bisection.high - 1)
      }
      bisection.answer(pair.differs)
      if pair.differs {
        drop(stores)
      } else {
        drop(low)
        (low, known) = (stores, pair)
      }
    }
    // Once more with this one event alone: what was seen before was seen behind other readings.
    let (stores, pair) = try look(bisection.high, from: low)
    drop(stores)
    drop(low)
    return pair.differs ? .event(number: bisection.low, before: known, after: pair) : .notAgain(number: bisection.low)
  }

  /// The row with the first `events` events.
  private func look(_ events: UInt64, from low: Stores?) throws -> (Stores, RowPair) {
    let readings = cuts.readings(upTo: events)
    let paths = try sides.indices.map { index in
      let path = scratch.path()
      if let low { try scratch.copy(low.paths[index], to: path) }
      var read = low?.events ?? 0
      for reading in readings {
        read += try sides[index].replay(reading, run, into: path).functions.reduce(0) { $0 + $1.total.read }
      }
      if read != events { throw NoCut() }
      return path
    }
    return (Stores(paths: paths, events: events), RowPair(a: try question.ask(paths[0]), b: try question.ask(paths[1])))
  }

  private func drop(_ stores: Stores?) { for path in stores?.paths ?? [] { scratch.remove(path) } }
}
