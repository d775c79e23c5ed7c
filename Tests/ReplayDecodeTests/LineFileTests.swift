import ReplayCore
import ReplayDecode
import ReplayTesting
import Testing

/// Keys from the file beside a segment, and payloads in hexadecimal: each line belongs to exactly one record.
struct LineFileTests {
  private func read(
    _ values: [UInt8], keys: [UInt8], limits: DecodeLimits = DecodeLimits()
  ) throws -> DecodedSegment {
    let archive = MemoryArchive(["v": values, "k": keys])
    let segment = Segment(
      entry: try #require(archive.entry("v")), partition: Partition(log: "t", id: "0"),
      numbering: .counted(from: WideNumber(low: 0)), keysEntry: archive.entry("k"))
    let extraction = Extraction([Reads()], anatomy: Anatomy(), needsKey: true)
    return DecodedSegment(
      segment, in: archive, by: ArchiveDecoder(extraction, limits: limits), range: SegmentRange(from: [0]))
  }

  private func keys(_ lines: String) throws -> [String]? {
    let count = lines.utf8.count { $0 == 10 }
    let decoded = try read(Array(String(repeating: "{}\n", count: count).utf8), keys: Array(lines.utf8))
    return decoded.error == nil ? decoded.records.map { $0.fields[0].text } : nil
  }

  @Test func keysAreUnescapedTextsAndNumbers() throws {
    #expect(try keys("\"a\"\n 17 \n\"\\u00e9\\n\"\r\n\"\"\n") == ["a", "17", "é\n", ""])
  }

  @Test(arguments: [
    "nope", "{\"id\":1}", "xyz", "1 2", "\"un\"closed\"", "\"a\tb\"", "01", "\"a\\u0000b\"", "[1]", "true",
  ])
  func whatIsNoKeyIsAnError(line: String) throws { #expect(try keys(line + "\n") == nil) }

  @Test func invalidUTF8IsAnError() throws {
    #expect(try read(Array("{}\n".utf8), keys: [34, 0xc3, 0x28, 34, 10]).error != nil)
  }

  /// A function that reads the key gets it from the file, whether a keyed table is in the run or not.
  @Test func whoReadsTheKeyGetsIt() throws {
    var reads = Reads()
    _ = reads.key()
    let archive = MemoryArchive(["v": Array("{}\n".utf8), "k": Array("\"beside\"\n".utf8)])
    let segment = Segment(
      entry: try #require(archive.entry("v")), partition: Partition(log: "t", id: "0"),
      numbering: .counted(from: WideNumber(low: 0)), keysEntry: archive.entry("k"))
    let extraction = Extraction([reads], anatomy: Anatomy(), needsKey: false)
    let decoded = DecodedSegment(
      segment, in: archive, by: ArchiveDecoder(extraction), range: SegmentRange(from: [0]))
    #expect(decoded.records.map { $0.fields[0].text } == ["beside"])
  }

  /// Where the source has no numbers, an event without an id gets one of file and place; elsewhere it has none.
  @Test func idsAreMadeOfFileAndPlace() throws {
    var reads = Reads()
    _ = reads.id()
    let archive = MemoryArchive(["v": Array("{}\n{\"id\":\"own\"}\n{}\n".utf8)])
    let extraction = Extraction([reads], anatomy: Anatomy(), needsKey: false)
    func ids(_ numbering: Numbering) throws -> [String] {
      let segment = Segment(
        entry: try #require(archive.entry("v")), partition: Partition(log: "", id: "all"), numbering: numbering)
      return DecodedSegment(segment, in: archive, by: ArchiveDecoder(extraction), range: SegmentRange(from: [0]))
        .records.map { $0.fields[0].text }
    }
    #expect(try ids(.place(WideNumber(low: 7))) == ["v#0", "own", "v#2"])
    #expect(try ids(.counted(from: WideNumber(low: 0))) == ["", "own", ""])
  }

  /// The keys' own checksum counts too: nothing is proven before it.
  @Test func keysOfAnUnverifiedFrameAreNotProven() throws {
    let values = Array(String(repeating: "{\"a\":1}\n", count: 2000).utf8)
    var keys = Gzip.member(String(repeating: "\"key\"\n", count: 2000), level: 0)
    keys[keys.count / 2] ^= 1
    var limits = DecodeLimits()
    limits.blockBytes = 1024
    let decoded = try read(values, keys: keys, limits: limits)
    #expect(decoded.error != nil && decoded.proven == 0)
  }

  @Test func aLineHasALimit() throws {
    var limits = DecodeLimits()
    limits.maxRecordBytes = 1 << 17
    let decoded = try read(Array("{}\n".utf8), keys: [UInt8](repeating: 34, count: 1 << 20), limits: limits)
    #expect((decoded.error as? ReplayError)?.summary.contains("limit") == true)
  }

  // MARK: Hexadecimal payloads

  private func payloads(_ payloads: [String]) -> DecodedSegment {
    let lines = payloads.enumerated().map { number, payload in
      let hex = payload.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      return #"{"offset":\#(number),"key":"k\#(number)","value":"\#(hex)"}"# + "\n"
    }
    let anatomy = Anatomy(
      payload: JSONPath("value"), payloadEncoding: .hex, key: JSONPath("key"), position: JSONPath("offset"))
    var reads = Reads()
    _ = reads.json("n")
    let archive = MemoryArchive(["v": Array(lines.joined().utf8)])
    let segment = Segment(
      entry: archive.entry("v") ?? SegmentEntry(name: "v", size: 0, version: ""),
      partition: Partition(log: "t", id: "0"),
      numbering: .explicit)
    let extraction = Extraction([reads], anatomy: anatomy, needsKey: true)
    return DecodedSegment(segment, in: archive, by: ArchiveDecoder(extraction), range: SegmentRange(from: [0]))
  }

  @Test func aPayloadMayGoOverLines() {
    let decoded = payloads(["{\"n\":\n0}\n", "null", "{\"n\":2}"])
    #expect(decoded.error == nil)
    #expect(decoded.records.map { $0.fields[0].text } == ["k0", "k1", "k2"])
    #expect(decoded.records.map { $0.fields[1].text } == ["0", "", "2"])
  }

  /// A blank payload, or two values in one, would give the payloads behind it to other keys.
  @Test(arguments: ["", " \n", "{\"n\":1}\n{\"n\":9}", "{\"n\":1} x", "{"]) func aPayloadIsOneValue(payload: String) {
    let decoded = payloads(["{\"n\":0}", payload, "{\"n\":2}"])
    #expect(decoded.failedOrdinal == 1)
    #expect((decoded.error as? ReplayError)?.code == .data)
  }
}
