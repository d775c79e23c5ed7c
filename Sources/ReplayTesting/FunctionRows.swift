import ReplayCore
import ReplayDecode

/// The rows that a function makes of these events, with no engine and no store around it: for unit tests of functions.
///
/// Each event is the text of one JSON record, in order; the real decoder reads them. Answers every table's rows by its
/// name, as text and sorted by key: NULL as `NULL`, a decimal as its whole number of smallest units, days and times
/// in ISO form. The columns that hold orders (`<name>_order`) are left out unless `withOrders` asks for them. Throws
/// `ReplayError` with the event's number and the field's name.
public func rows(
  of projection: any Projection, events: [String], anatomy: Anatomy = Anatomy(), withOrders: Bool = false
) throws -> [String: [[String]]] {
  if projection.program != nil { throw ReplayError.noPrograms(projection.name, in: "none, only a unit test") }
  let archive = MemoryArchive(["events": Array(events.joined(separator: "\n").utf8)])
  let extraction = Extraction([projection.reads], anatomy: anatomy, needsKey: !projection.isMergeOnly)
  let decoder = ArchiveDecoder(extraction, framing: .concatenated)
  let segment = Segment(
    entry: try archive.list()[0], partition: Partition(log: "", id: "0"), numbering: .counted(from: WideNumber(low: 0)))
  let opened = try decoder.open(segment, in: archive, range: SegmentRange(from: [0]))
  let block = decoder.makeBlock(for: segment)
  let changes = Changes(tables: projection.tables.map(\.schema))
  while try opened.next(block) {
    // One more column than the function declared, so that there is an address where it declared none.
    try (extraction.functions[0].columns + [0]).withUnsafeBufferPointer { columns in
      guard let columns = columns.baseAddress else { return }
      var place = 0
      try withUnsafeMutablePointer(to: &place) { cursor in
        let batch = Batch(
          block: block, columns: columns, mask: 1, keyColumn: extraction.keyColumn, cursor: cursor)
        do { try projection.apply(batch, changes) } catch {
          let number = block.firstOrdinal + UInt64(block.ordinals[cursor.pointee])
          let what = (error as? FieldError)?.text(of: projection.reads) ?? "\(error)"
          throw ReplayError(
            .data, "the function \(projection.name) could not apply event \(number) (counted from 0)", details: [what])
        }
      }
    }
  }
  var answer: [String: [[String]]] = [:]
  for set in changes.merged.map({ $0.sorted() }) + changes.keyed.map({ $0.snapshot() }) {
    let shown = set.schema.columns.indices.filter { withOrders || set.schema.columns[$0].merge != .order }
    answer[set.schema.name] = texts(of: set).map { row in shown.map { row[$0] } }
  }
  return answer
}

/// The rows of a set as a store shows them, sorted by key.
public func texts(of set: RowSet) -> [[String]] {
  let types = set.schema.columns.map(\.type)
  let keys = set.schema.keys.count
  var rows: [[MemoryValue]] = []
  for index in 0..<set.count {
    guard let start = set[index].baseAddress else { continue }
    rows.append(types.indices.map { MemoryValue(start + $0, types[$0]) })
  }
  rows.sort { a, b in
    let difference = (0..<keys).first { a[$0] != b[$0] }
    return difference.map { a[$0].precedes(b[$0]) } ?? false
  }
  return rows.map { row in zip(row, types).map { $0.text($1) } }
}
