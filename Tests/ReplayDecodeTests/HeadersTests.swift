import ReplayArchive
import ReplayCore
import ReplayDecode
import ReplayTesting
import Testing

/// The stream's headers, from the envelope or from the file beside the segment.
struct HeadersTests {
  /// Reads the headers of each record of `values`.
  private func headers(_ files: [String: String], anatomy: Anatomy = Anatomy()) throws -> [String] {
    let archive = MemoryArchive(files.mapValues { Array($0.utf8) })
    let values = try #require(archive.entry("v"))
    let segment = Segment(
      entry: values, partition: Partition(log: "t", id: "0"), numbering: .counted(from: WideNumber(low: 0)),
      headersEntry: archive.entry("h"))
    var reads = Reads()
    _ = reads.headers()
    let decoder = ArchiveDecoder(Extraction([reads], anatomy: anatomy, needsKey: false))
    let decoded = DecodedSegment(segment, in: archive, by: decoder, range: SegmentRange(from: [0]))
    if let error = decoded.error { throw error }
    return decoded.records.map { $0.fields[0].kind == .missing ? "missing" : $0.fields[0].text }
  }

  @Test func fromTheFileBesideTheSegment() throws {
    let found = try headers([
      "v": #"{"a":1,"headers":"the payload's own"}"# + "\n" + #"{"a":2}"# + "\n",
      "h": #"{"headers":[{"key":"trace","value":"x"}]}"# + "\n" + #"{"headers":[]}"# + "\n",
    ])
    #expect(found == [#"[{"key":"trace","value":"x"}]"#, "[]"])
  }

  @Test func fromTheEnvelope() throws {
    var anatomy = Anatomy(payload: JSONPath("value"))
    anatomy.headers = JSONPath("headers")
    let found = try headers(
      ["v": #"{"value":{"a":1},"headers":[{"key":"h","value":"dg=="}]}"# + "\n" + #"{"value":{"a":1}}"#],
      anatomy: anatomy)
    #expect(found == [#"[{"key":"h","value":"dg=="}]"#, "missing"])
  }

  /// Found by `damage`: neither has a path where the record is the payload, and both got the headers.
  @Test(arguments: [true, false]) func besideThePayload(headersFirst: Bool) throws {
    let archive = MemoryArchive(["v": Array(#"{"a":1}"#.utf8), "h": Array(#"{"headers":[1]}"#.utf8)])
    let segment = Segment(
      entry: try #require(archive.entry("v")), partition: Partition(log: "t", id: "0"),
      numbering: .counted(from: WideNumber(low: 0)), headersEntry: archive.entry("h"))
    var reads = Reads()
    if headersFirst { _ = reads.headers() }
    _ = reads.payload()
    if !headersFirst { _ = reads.headers() }
    let decoder = ArchiveDecoder(Extraction([reads], anatomy: Anatomy(), needsKey: false))
    let decoded = DecodedSegment(segment, in: archive, by: decoder, range: SegmentRange(from: [0]))
    let fields = decoder.extraction.functions[0].columns.map { decoded.records[0].fields[$0] }
    #expect(
      fields == (headersFirst ? [.init(.array, "[1]"), .init(.missing)] : [.init(.missing), .init(.array, "[1]")]))
  }

  @Test func nowhereIsMissing() throws {
    #expect(try headers(["v": #"{"headers":1,"\u0000":2}"#]) == ["missing"])
  }

  @Test(arguments: ["", #"{"headers":[]}"#, #"{"headers":[]}"# + "\n\n\n{}\n", "[]\n[]\n"])
  func aFileThatDoesNotMatchIsAnError(headers beside: String) {
    let error = #expect(throws: ReplayError.self) { try headers(["v": "{}\n{}\n", "h": beside]) }
    #expect(error?.code == .data && error?.summary.contains(": h") == true, "\(error?.description ?? "")")
  }
}
