import ReplayArchive
import ReplayCore
import Testing

@Suite struct DetectionTests {
  static let uuid = "0123abcd-4567-89ef-0000-00000000ffff"
  static let rows: [(names: [String], expected: LayoutKind)] = [
    (["t/partition=0/t+0+0.json", "t/partition=0/t+0+9.json"], .confluent),
    (["orders-0-0.gz", "orders-0-10.gz", "orders-1-0.gz"], .aiven),
    (["t/0/000000000009.json", "t/0/000000000019.json"], .lenses),
    (["s-1-2024-05-17-03-04-05-\(uuid)"], .firehose),
    (["2015-01-01-9.json.gz", "2015-01-01-10.json.gz"], .gharchive),
    (["kcr-a-20200102-030405/a-0", "kcr-a-20200102-030405/a.manifest"], .kcr),
    (["a-0", "a.manifest"], .kcr),
    (["events-2024-05-17.json", "events-2024-10-17.json"], .plain),
    (["events-2024-10-17.json", "events-2024-11-30.json"], .plain),
    (["part-0-0", "part-0-1"], .plain), (["2024/10/17.json", "2024/10/18.json"], .plain),
    (["logs/2024/10.json", "logs/2024/11.json"], .plain), (["x.manifest"], .plain),
    (["9.json", "10.json"], .plain),
  ]

  @Test(arguments: rows)
  func recognises(_ row: (names: [String], expected: LayoutKind)) throws {
    let record = RecordSample(members: ["headers", "timestamp", "partition", "offset", "key", "value"])
    let found = try detect(row.names, sample: row.expected == .kcr ? record : cloudEvent)
    #expect(found.layout == row.expected)
    #expect(found.evidence.count >= 4)
  }

  @Test func mixedNamesAreNamed() {
    let error = failure { _ = try detect(["orders-0-0.gz", "orders-0-10.gz", "README.md", "a.txt"]) }
    #expect(error?.code == .data)
    #expect(error?.details.contains("README.md") ?? false)
    #expect(error?.next?.contains("--segment-pattern") ?? false)
  }

  @Test func aNamedLayoutMustFitAll() {
    let bad = (0..<7).map { "x\($0).json" }
    let error = failure { _ = try detect(["t+0+0.json"] + bad, layout: .confluent) }
    #expect(error?.details == ["expected: \(LayoutKind.confluent.expected)"] + bad.prefix(5) + ["and 2 more"])
  }

  @Test func otherFailures() {
    #expect(failure { _ = try detect([]) }?.code == .missing)
    #expect(failure { _ = try detect(["t+0+0.keys.json"]) }?.code == .missing)
    #expect(failure { _ = try detect(["a"], layout: .pattern) }?.code == .usage)
    #expect(failure { _ = try detect(["a"], layout: .aiven, pattern: "{start}") }?.code == .usage)
    let tombstones = ["topics/t/partition=0/t+0+0.json", "topics/t/tombstone/t+0+1.keys.avro"]
    #expect(failure { _ = try detect(tombstones) }?.summary.contains("cannot be replayed") ?? false)
    #expect(failure { _ = try detect(["kcr-a-1/a-0"], sample: cloudEvent) }?.code == .data)
  }

  static let contents: [(bytes: [UInt8], word: String)] = [
    (Array("Obj\u{1}".utf8), "Avro"), (Array("PAR1".utf8), "Parquet"), (Array("aGVsbG8=,d29ybGQ=\n".utf8), "CSV"),
    ([0, 1, 2], "unknown"),
  ]

  @Test(arguments: contents)
  func foreignContent(_ row: (bytes: [UInt8], word: String)) {
    let sample = RecordSample(members: [], isObject: false, framing: nil, beginning: row.bytes)
    let error = failure { _ = try detect(["orders-0-0.gz"], sample: sample) }
    #expect(error?.summary.contains("not supported yet") ?? false)
    #expect(error?.details.first?.contains(row.word) ?? false)
  }

  @Test func emptyFilesAreNotTheSample() throws {
    var asked: [String] = []
    _ = try LayoutDetector.detect(entries: entries("t-0-10", "t-0-9", "t-0-11")) { entry in
      asked.append(entry.name)
      return entry.name == "t-0-11" ? cloudEvent : nil
    }
    #expect(asked == ["t-0-9", "t-0-10", "t-0-11"])
    #expect(try detect(["t-0-9"], sample: nil).evidence.contains { $0.hasPrefix("no record was seen") })
  }
}

@Suite struct AnatomyTests {
  static let envelope = RecordSample(
    members: ["key", "value", "offset", "timestamp"], nested: ["value": ["type", "time", "id"]])

  @Test func aivenEnvelope() throws {
    let found = try detect(["t-0-0"], sample: Self.envelope)
    #expect(found.numberingKind == .explicit && found.endStrength == .exact && found.orderStrength == .exact)
    #expect(found.anatomy.payload == JSONPath("value") && found.anatomy.key == JSONPath("key"))
    #expect(found.anatomy.type == JSONPath("value.type") && found.anatomy.position == JSONPath("offset"))
    #expect(found.partitionsSeparateKeys)
  }

  @Test func aivenValueOnly() throws {
    let found = try detect(["t-0-0"])
    #expect(found.numberingKind == .counted && found.endStrength == .lowerBound)
    #expect(found.anatomy == Anatomy())
    let fields = RecordSample(members: ["key", "value"], nested: ["value": ["type"]])
    #expect(try detect(["t-0-0"], sample: fields).numberingKind == .counted)
    #expect(try detect(["t-0-0"], sample: RecordSample(members: ["value"])).anatomy.payload == nil)
  }

  @Test func lenses() throws {
    let sample = RecordSample(
      members: ["key", "value", "headers", "metadata"],
      nested: ["value": ["type"], "metadata": ["offset", "partition"], "headers": []])
    let found = try detect(["t/0/000000000009.json"], sample: sample)
    #expect(found.anatomy.position == JSONPath("metadata.offset") && found.anatomy.payload == JSONPath("value"))
    let partition = try ArchivePlanner.plan(entries("t/0/000000000009.json"), layout: found).partitions[0]
    #expect(partition.segments[0].numbering == .explicit && partition.segments[0].lastNumber == number(9))
    let counted = try plan(["t/0/000000000009.json", "t/0/000000000019.json"]).partitions[0].segments
    #expect(counted.map(\.numbering) == [.counted(from: number(0)), .counted(from: number(10))])
  }

  @Test func cassette() throws {
    let sample = RecordSample(members: ["headers", "timestamp", "partition", "offset", "key", "value"])
    let anatomy = try detect(["kcr-a-1/a-0"], sample: sample).anatomy
    #expect(anatomy.payloadEncoding == .hex && anatomy.payload == JSONPath("value"))
    #expect(anatomy.key == JSONPath("key") && anatomy.position == JSONPath("offset"))
    #expect(anatomy.id == JSONPath("value.id"))
  }

  @Test func gharchiveAndFirehose() throws {
    let github = try detect(["2015-01-01-9.json.gz"])
    #expect(github.anatomy.key == JSONPath("repo.name") && github.anatomy.time == JSONPath("created_at"))
    #expect(github.evidence.contains { $0.contains("actor.login") })
    let firehose = try detect(["s-1-2024-05-17-03-04-05-\(DetectionTests.uuid)"], sample: Self.envelope)
    #expect(firehose.orderStrength == .none && firehose.endStrength == .none && firehose.numberingKind == .place)
    #expect(!firehose.partitionsSeparateKeys && firehose.anatomy.position == nil)
  }

  @Test func confluentIsValuesOnly() throws {
    #expect(try detect(["t+0+0.json"], sample: Self.envelope).anatomy.payload == nil)
    let schema = RecordSample(members: ["schema", "payload"], nested: ["payload": ["type"]])
    #expect(try detect(["t+0+0.json"], sample: schema).anatomy.type == JSONPath("payload.type"))
  }

  @Test func overrides() throws {
    let paths = AnatomyOverrides(
      key: JSONPath("data.customer"), time: JSONPath("at"), position: JSONPath("meta.seq"))
    let found = try detect(["t-0-0"], sample: Self.envelope, overrides: paths)
    #expect(found.anatomy.key == JSONPath("value.data.customer") && found.anatomy.time == JSONPath("value.at"))
    #expect(found.anatomy.position == JSONPath("meta.seq") && found.anatomy.type == JSONPath("value.type"))
    #expect(!found.partitionsSeparateKeys)
    #expect(try detect(["a.json"], overrides: paths).numberingKind == .explicit)
  }

  @Test func keysFiles() throws {
    let names = ["t+0+0.json", "t+0+0.keys.json", "t+0+0.headers.avro"]
    let found = try plan(names)
    #expect(found.segmentCount == 1 && found.partitions[0].segments[0].keysEntry?.name == "t+0+0.keys.json")
    #expect(failure { _ = try plan(names + ["t+0+9.json"]) }?.summary.contains("no keys file") ?? false)
    #expect(failure { _ = try plan(names + ["t+0+9.keys.json"]) }?.summary.contains("without the segment") ?? false)
    let avro = ["t+0+0.json", "t+0+0.keys.avro"]
    #expect(try plan(avro).partitions[0].segments[0].keysEntry == nil)
    let bare = RecordSample(members: ["n"])
    #expect(failure { _ = try plan(avro, sample: bare) }?.next?.contains("--key") ?? false)
    #expect(try !detect(avro, sample: bare, overrides: AnatomyOverrides(key: JSONPath("n"))).usesKeysFiles)
  }
}
