import ReplayCore
import ReplayDecode
import ReplayTesting
import Testing

@testable import ReplayEngine

/// Events that are held back come out each once, in order per key, as what they were.
struct HeldEventsTests {
  /// What a function can know of an event.
  private struct Seen: Hashable {
    let key: String
    let value: String
    let position: String
    let partition: UInt32
    let segment: String
    let ordinal: UInt64
  }

  private struct Asked {
    var reads = Reads()
    let value: JSONField
    init() { value = reads.json("value") }
  }

  /// Few keys, whose parts fill several times; very many; and values that need more room than a part begins with.
  @Test(arguments: [(7, 30), (5_000, 30), (40, 2_000)], [UInt64(1), 2, 3])
  func eachOnceInOrder(shape: (keys: Int, longest: Int), seed: UInt64) throws {
    var chance = SplitMix64(seed: seed)
    let asked = Asked()
    let extraction = Extraction([asked.reads], anatomy: Anatomy(), needsKey: true)
    var source = MemoryArchive()
    var wanted: [String: [Seen]] = [:]
    for number in 0..<12 {
      var lines = ""
      for ordinal in 0..<2_000 {
        let key = "k\(chance.number(0...shape.keys - 1))"
        // Values of every kind; a missing one too.
        let text = String(repeating: "x", count: chance.number(0...shape.longest))
        let value = chance.one(of: ["\"\(text)\"", "-1.50", "{\"a\":[]}", "true", ""])
        lines += "{\"partitionkey\":\"\(key)\"" + (value.isEmpty ? "" : ",\"value\":\(value)") + "}\n"
        wanted[key, default: []].append(
          Seen(
            key: key, value: value, position: "\(number * 2_000 + ordinal)", partition: UInt32(number % 3),
            segment: "s\(number)", ordinal: UInt64(ordinal)))
      }
      source.files["s\(number)"] = Array(lines.utf8)
    }

    var seen: [String: [Seen]] = [:]
    let held = HeldEvents(columns: extraction.functions[0].columns, keyColumn: extraction.keyColumn) {
      block, columns, keyColumn in
      let cursor = UnsafeMutablePointer<Int>.allocate(capacity: 1)
      defer { cursor.deallocate() }
      for event in Batch(block: block, columns: columns, mask: .max, keyColumn: keyColumn, cursor: cursor) {
        let key = String(try event.key)
        let record = cursor.pointee
        let slice = block.fields[record * block.fieldCount + columns[0]]
        let value = event[asked.value].map(String.init) ?? ""
        seen[key, default: []].append(
          Seen(
            key: key, value: slice.kind == .string ? "\"\(value)\"" : value,
            position: "\(event.position)", partition: block.partitionIndex(of: record),
            segment: block.segment(of: record).name, ordinal: block.ordinal(of: record)))
      }
    }
    let decoder = ArchiveDecoder(extraction)
    for number in 0..<12 {
      let segment = Segment(
        entry: try #require(source.entry("s\(number)")), partition: Partition(log: "", id: "\(number % 3)"),
        numbering: .counted(from: WideNumber(low: UInt64(number * 2_000))))
      let reading = try decoder.open(segment, in: source, range: SegmentRange(from: [0]))
      let block = decoder.makeBlock(for: segment)
      while try reading.next(block) {
        block.partitionIndex = UInt32(number % 3)
        try held.take(block, nil, mask: 1)
      }
    }
    #expect(held.byteCount > 0)
    try held.settle()
    #expect(held.byteCount == 0)
    #expect(seen == wanted, "seed \(seed)")
  }

  /// An event without a key, and with nothing in its fields, is the function's to refuse: it is not lost.
  @Test func emptyFields() throws {
    let asked = Asked()
    let extraction = Extraction([asked.reads], anatomy: Anatomy(), needsKey: true)
    let source = MemoryArchive(["s": Array("{}\n{\"partitionkey\":\"\"}\n{}\n".utf8)])
    var count = 0
    let held = HeldEvents(columns: extraction.functions[0].columns, keyColumn: extraction.keyColumn) {
      block, columns, keyColumn in
      for _ in Batch(block: block, columns: columns, mask: .max, keyColumn: keyColumn) { count += 1 }
    }
    let segment = Segment(
      entry: try #require(source.entry("s")), partition: Partition(log: "", id: "0"),
      numbering: .counted(from: WideNumber(low: 0)))
    let reading = try ArchiveDecoder(extraction).open(segment, in: source, range: SegmentRange(from: [0]))
    let block = RecordBlock(segment: segment)
    while try reading.next(block) { try held.take(block, nil, mask: 1) }
    try held.settle()
    #expect(count == 3)
  }
}
