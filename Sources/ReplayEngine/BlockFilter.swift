import ReplayCore

/// Takes out of a block what the run's filter leaves out, by columns that the decoder has extracted already: nothing
/// behind it sees such a record. The same for the archive's blocks and the stream's.
public struct BlockFilter: Sendable {
  private let filter: EventFilter
  private let typeColumn: Int
  private let keyColumn: Int
  private let timeColumn: Int
  /// Where the time is, for messages.
  private let timePath: JSONPath
  /// For each function, whether the decoder leaves out other types for the filter: see `Extraction.Function.isFiltered`.
  let isDecoded: [Bool]

  /// Nil where the filter leaves nothing out. `extraction` was made for it.
  public init?(_ filter: EventFilter, _ extraction: Extraction) {
    if filter.isNone { return nil }
    self.filter = filter
    typeColumn = filter.readsType ? extraction.typeColumn : -1
    keyColumn = filter.readsKey ? extraction.keyColumn : -1
    timeColumn = filter.readsTime ? extraction.timeColumn : -1
    timePath = extraction.anatomy.time
    isDecoded = extraction.functions.map(\.isFiltered)
  }

  /// Answers for each function how many of its records were taken out. Throws `.data` at the first record that has to
  /// have a time and has none.
  @discardableResult public func apply(to block: RecordBlock) throws -> [UInt64] {
    let marks = marks(of: block.segment)
    var taken = Array(repeating: UInt64(0), count: isDecoded.count)
    var kept = 0
    for record in 0..<block.count {
      if try admits(record, of: block, marks) {
        if kept < record { block.move(record, to: kept) }
        kept += 1
        continue
      }
      var bits = block.masks[record]
      while bits != 0 {
        taken[bits.trailingZeroBitCount] += 1
        bits &= bits - 1
      }
    }
    block.count = kept
    return taken
  }

  /// The marks of the segment's records that lie in the range of positions.
  private func marks(of segment: Segment) -> Range<UInt64>? {
    let (from, to) = filter.positions(of: segment.partition)
    if from == nil, to == nil { return nil }
    let first = from.map { segment.mark(atOrAfter: $0) } ?? 0
    return first..<max(first, to.map { segment.mark(atOrAfter: $0) } ?? .max)
  }

  private func admits(_ record: Int, of block: RecordBlock, _ marks: Range<UInt64>?) throws -> Bool {
    if let marks, !marks.contains(block.marks[record]) { return false }
    let fields = block.fields + record * block.fieldCount
    if typeColumn >= 0 {
      let slice = fields[typeColumn]
      guard filter.admits(type: slice.kind == .string ? block.text(slice) : nil) else { return false }
    }
    if keyColumn >= 0 {
      let slice = fields[keyColumn]
      let isKey = (slice.kind == .string || slice.kind == .number) && slice.count > 0
      guard filter.admits(key: isKey ? block.text(slice) : nil) else { return false }
    }
    if timeColumn >= 0 {
      let slice = fields[timeColumn]
      guard let time = EventTime.read(slice.kind, block.text(slice)) else { throw timeless(record, block, slice) }
      return filter.admits(time: time)
    }
    return true
  }

  private func timeless(_ record: Int, _ block: RecordBlock, _ slice: Slice) -> ReplayError {
    let excerpt = slice.kind == .missing ? "" : " " + ReplayError.excerpt(block.text(slice))
    return ReplayError(
      .data, "an event has no time, so --from and --to cannot say whether it is wanted",
      details: [
        "\(block.place(of: record))",
        "expected: a time in RFC 3339, or a number since 1970, at \(timePath)", "found:    \(slice.kind)\(excerpt)",
      ],
      next:
        "say with --time where it is; or give --from and --to as positions, or without a time; or leave such events "
        + "out with --types or --keys"
    ).at(block.segment, ordinal: block.ordinal(of: record))
  }
}
