import ArgumentParser
import ReplayArchive
import ReplayCore
import ReplayDecode

struct Cat: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print events of an archive as JSON lines, partition by partition, in order.",
    discussion: """
      Each event is printed as the bytes that were archived, one a line. A record that was written over several lines \
      is put on one: the line ends between its tokens are left out, nothing else is changed. Where the payload is in \
      another encoding (Nordstrom's cassettes), the decoded payload is printed.
      The chain is not examined: that is replay check. An event is printed before the checksum of its frame is verified; damage is an error at its place (exit 65).
      """)

  @OptionGroup(title: "Archive") var archive: ArchiveOptions
  @Option(help: "Only events of this partition key. (--key says where in the payload the key is.)")
  var onlyKey: String?
  @Option(help: "Only this partition, by its name or by log/name.")
  var partition: String?
  @Option(
    help: "Begin at this position of the partition, e.g. 412 or, by file and line, 7:23.",
    transform: { text in
      guard let position = Position(argument: text) else { throw ValidationError("it is no position") }
      return position
    })
  var from: Position?
  @Option(help: "Stop after so many events.")
  var limit: UInt64?
  @Flag(
    name: [.customShort("J"), .long], help: "Print each event in an envelope with its file, place, position and key.")
  var envelope = false
  @OptionGroup(title: "Output") var output: OutputOptions

  func run() throws {
    output.apply()
    Signals.endAtOnce()
    let opened = try OpenedArchive(archive)
    for line in opened.description { Console.shared.detail(line) }
    var printing = Printing(self, opened)
    do {
      try printing.run(try chosen(opened.plan))
      if printing.printed == 0 {
        let hint = onlyKey == nil && archive.key != nil ? "; --key is where the key is, --only-key is which one" : ""
        Console.shared.say("replay: no event fits\(hint)")
      }
    } catch is ByteOutput.Closed {
      // The reader has seen enough.
    }
  }

  /// The partitions to print; `.usage` where the choice fits none, or a position fits several.
  private func chosen(_ plan: ArchivePlan) throws -> [PartitionPlan] {
    let names = plan.partitions.map(\.partition.description)
    let chosen = plan.partitions.filter { part in
      partition.map { part.partition.name == $0 || part.partition.description == $0 } ?? true
    }
    let list = names.prefix(10).joined(separator: ", ") + (names.count > 10 ? "…" : "")
    if chosen.isEmpty {
      throw ReplayError(
        .usage, "the archive has no partition \(partition ?? "")", details: ["its partitions: \(list)"])
    }
    if from != nil, chosen.count > 1 {
      throw ReplayError(
        .usage, "a position counts within one partition only", details: ["partitions: \(list)"],
        next: "name one with --partition")
    }
    return chosen
  }
}

/// Prints events until the limit.
private struct Printing {
  private let command: Cat
  private let archive: OpenedArchive
  private let decoder: ArchiveDecoder
  private let key: [UInt8]?
  private let isEnveloped: Bool
  private var out = ByteOutput()
  private var left: UInt64
  private(set) var printed: UInt64 = 0

  init(_ command: Cat, _ archive: OpenedArchive) {
    self.command = command
    self.archive = archive
    key = command.onlyKey.map { Array($0.utf8) }
    isEnveloped = command.envelope || command.output.json
    left = command.limit ?? .max
    // The payload itself is asked for in the place of the id, which nobody needs here.
    var anatomy = archive.plan.anatomy
    var reads = Reads()
    if isEnveloped, let payload = anatomy.payload, anatomy.payloadEncoding == .json {
      anatomy.id = payload
      _ = reads.id()
    }
    let extraction = Extraction([reads], anatomy: anatomy, needsKey: key != nil || isEnveloped)
    decoder = ArchiveDecoder(extraction, framing: command.archive.format, limits: command.archive.limits)
  }

  mutating func run(_ partitions: [PartitionPlan]) throws {
    do {
      for partition in partitions {
        for (index, segment) in partition.segments.enumerated() {
          if left == 0 { break }
          if let from = command.from, index + 1 < partition.segments.count,
            let next = partition.segments[index + 1].begins, next <= from
          {
            continue
          }
          try print(segment)
        }
      }
    } catch let error as ReplayError {
      try out.flush()
      throw error
    }
    try out.flush()
  }

  private mutating func print(_ segment: Segment) throws {
    let mark = command.from.map { segment.mark(atOrAfter: $0) } ?? 0
    if mark == .max { return }
    let reader = try RecordReader(segment, in: archive.source, decoder: decoder, range: SegmentRange(from: [mark]))
    while left > 0, try reader.next() {
      for record in 0..<reader.block.count where left > 0 {
        let found = keyText(record, reader.block)
        if let key, !(found.map { Text($0.bytes) == key } ?? false) { continue }
        if isEnveloped { putEnvelope(record, reader, segment) } else { out.putOnOneLine(raw(record, reader.block)) }
        try out.endLine()
        left -= 1
        printed += 1
      }
    }
  }

  private func raw(_ record: Int, _ block: RecordBlock) -> UnsafeRawBufferPointer {
    block.text(block.records[record]).bytes
  }

  private func keyText(_ record: Int, _ block: RecordBlock) -> Text? {
    let column = decoder.extraction.keyColumn
    guard column >= 0 else { return nil }
    let slice = block.fields[record * block.fieldCount + column]
    return slice.kind == .string || slice.kind == .number ? block.text(slice) : nil
  }

  private mutating func putEnvelope(_ record: Int, _ reader: RecordReader, _ segment: Segment) {
    let head: [(String, JSONText)] = [
      ("file", .string(segment.name)), ("record", .number(reader.ordinal(of: record) + 1)),
      ("byte", reader.byteOffset(of: record).map { .number($0) } ?? .null),
      ("partition", .string(segment.partition.description)),
      ("position", .string(reader.block.position(at: record).description)),
      ("key", .optional(keyText(record, reader.block).map { String($0) })),
    ]
    out.put(String(JSONText.object(head).text.dropLast()))
    out.put(",\"payload\":")
    putPayload(record, reader.block)
    out.put("}")
  }

  /// The payload's own bytes: the whole record where there is no envelope around it.
  private mutating func putPayload(_ record: Int, _ block: RecordBlock) {
    guard let column = decoder.extraction.functions[0].columns.first else {
      return out.putOnOneLine(raw(record, block))
    }
    let slice = block.fields[record * block.fieldCount + column]
    switch slice.kind {
    case .missing, .null: out.put("null")
    case .string: out.put(JSONText.quoted(String(block.text(slice))))
    case .number, .boolean, .object, .array: out.putOnOneLine(block.text(slice).bytes)
    }
  }
}

extension Text {
  fileprivate static func == (a: Text, b: [UInt8]) -> Bool { a.bytes.elementsEqual(b) }
}
