import ReplayCore

/// What the stream's events are recognised by, their ids and times among it. Used by one thread.
public final class EventSigner {
  private let decoder: LiveDecoder
  private let block: RecordBlock

  /// `stream`: its name, for messages.
  public init(_ anatomy: Anatomy, of stream: String, log: String, limits: DecodeLimits) {
    let extraction = Extraction(
      fields: EventSigner.fields(anatomy), functions: [Extraction.Function(conditions: [], columns: [])],
      anatomy: anatomy)
    decoder = LiveDecoder(extraction, of: stream, key: .asInArchive, limits: limits)
    block = RecordBlock(segment: Segment(live: Partition(log: log, side: .live, id: []), of: stream))
  }

  /// Throws `ReplayError` where a payload is not one JSON object, or null.
  public func signs(of messages: LiveMessages) throws -> [EventSign] {
    var signs = messages.signs(PayloadPrinter.print)
    var range = 0..<messages.count
    while !range.isEmpty {
      let count = try decoder.decode(messages, range, settled: [.zero], into: block)
      for record in 0..<block.count {
        let place = range.lowerBound + Int(block.ordinals[record])
        signs[place] = EventSigner.sign(block, record, print: signs[place].print)
      }
      range = range.dropFirst(count)
    }
    return signs
  }

  /// Id, time, and what the id is unique in: CloudEvents 1.0 has a source beside it.
  static func fields(_ anatomy: Anatomy) -> [JSONPath] {
    [anatomy.id, anatomy.time, JSONPath(members: anatomy.id.members.dropLast() + ["source"])]
  }

  /// `block`'s first fields are those of `fields`.
  static func sign(_ block: RecordBlock, _ record: Int, print: PayloadPrint) -> EventSign {
    let first = record * block.fieldCount
    let (id, time, source) = (block.fields[first], block.fields[first + 1], block.fields[first + 2])
    var hash: UInt64?
    if id.kind == .string || id.kind == .number, id.count > 0 { hash = KeyHash.hash(block.text(id)) }
    if let own = hash, source.kind == .string { hash = KeyHash.combine(own, KeyHash.hash(block.text(source))) }
    return EventSign(
      print: print, id: hash, time: EventTime.read(time.kind, block.text(time)).map { $0.microseconds / 1000 })
  }
}
