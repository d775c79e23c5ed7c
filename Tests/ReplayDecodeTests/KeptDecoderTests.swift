import ReplayCore
import ReplayDecode
import Testing

/// An event that was kept is what it was when it is decoded again, without its archive or stream.
struct KeptDecoderTests {
  private struct Asked {
    var reads = Reads()
    let key: TextField, value: IntegerField, id: TextField, record: RecordField
    init() {
      key = reads.key()
      value = reads.integer("value")
      id = reads.id()
      record = reads.record()
    }
  }

  private func decoded(
    _ record: String, key: String, position: Position, numbering: Numbering, side: Side = .archive,
    anatomy: Anatomy = Anatomy(), usesKeysFiles: Bool = false, again: Int = 2
  ) throws -> [String] {
    let asked = Asked()
    let extraction = Extraction([asked.reads], anatomy: anatomy, needsKey: true)
    let decoder = KeptDecoder(extraction, usesKeysFiles: usesKeysFiles)
    let segment = Segment(
      entry: SegmentEntry(name: "a/b.json", size: 0, version: ""), partition: Partition(log: "o", side: side, id: "3"),
      numbering: numbering)
    let place = EventPlace(segment: segment, ordinal: 41, position: position)
    let event = LeftEvent(
      place: place, state: .parked, key: Array(key.utf8), record: Array(record.utf8), error: "x", attempts: 1)
    var found: [String] = []
    // Its memory is used again.
    for _ in 0..<again {
      let block = try decoder.block(of: KeptEvent(number: 1, event: event))
      found = []
      try extraction.functions[0].columns.withUnsafeBufferPointer { columns in
        let base = try #require(columns.baseAddress)
        for event in Batch(block: block, columns: base, mask: 1, keyColumn: extraction.keyColumn) {
          found = [
            "\(String(try event[asked.key]))", "\(try event[asked.value])",
            "\(try event[ifPresent: asked.id].map { String($0) } ?? "-")",
            "\(event.position)", "\(event.partition)", "\(event.place.ordinal)", String(event[asked.record]),
          ]
        }
      }
    }
    return found
  }

  @Test func counted() throws {
    let record = #"{"partitionkey":"k","value":7,"id":"i"}"#
    for number in [WideNumber(low: 12), WideNumber(high: 1 << 40, middle: 5, low: 12)] {
      let found = try decoded(record, key: "k", position: Position(number: number), numbering: .counted(from: number))
      #expect(found == ["k", "7", "i", "\(number)", "o/3", "41", record])
    }
  }

  @Test func withItsOwnNumber() throws {
    var anatomy = Anatomy(payload: JSONPath("value"), key: JSONPath("key"), id: JSONPath("value.id"))
    anatomy.position = JSONPath("offset")
    let record = #"{"offset":99,"key":"k","value":{"value":7,"id":"i"}}"#
    let found = try decoded(record, key: "k", position: Position(99), numbering: .explicit, anatomy: anatomy)
    #expect(found == ["k", "7", "i", "99", "o/3", "41", record])
  }

  /// Where the source has no numbers, an event without an id has one of file and place.
  @Test func placeInAFile() throws {
    let record = #"{"partitionkey":"k","value":7}"#
    let number = WideNumber(low: 20_260_131)
    let found = try decoded(record, key: "k", position: Position(number: number, index: 5), numbering: .place(number))
    #expect(found == ["k", "7", "a/b.json#5", "20260131:5", "o/3", "41", record])
  }

  /// The key was in a file of its own.
  @Test func keyBeside() throws {
    let record = #"{"value":7}"#
    let found = try decoded(
      record, key: "beside", position: Position(3), numbering: .counted(from: WideNumber(low: 3)), usesKeysFiles: true)
    #expect(found == ["beside", "7", "-", "3", "o/3", "41", record])
  }

  @Test func ofAStream() throws {
    let anatomy = Anatomy(payload: JSONPath("value"), key: JSONPath("key"), id: JSONPath("value.id"))
    let record = "{\"value\":7,\n \"id\":\"i\"}"
    let found = try decoded(
      record, key: "k", position: Position(8), numbering: .explicit, side: .live, anatomy: anatomy)
    #expect(found == ["k", "7", "i", "8", "o/3", "41", record])
  }

  /// Of a payload in hexadecimal digits the bytes are kept.
  @Test func hexadecimal() throws {
    let anatomy = Anatomy(
      payload: JSONPath("data"), payloadEncoding: .hex, key: JSONPath("data.k"), id: JSONPath("data.id"))
    let record = #"{"value":7,"k":"k","id":"i"}"#
    let found = try decoded(
      record, key: "k", position: Position(8), numbering: .counted(from: WideNumber(low: 8)), anatomy: anatomy)
    #expect(found == ["k", "7", "i", "8", "o/3", "41", record])
  }
}
