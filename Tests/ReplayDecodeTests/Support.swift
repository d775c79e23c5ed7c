import ReplayCore
import ReplayDecode
import ReplayTesting

/// Ways to cut a file into reads; the result must not depend on them.
let readSizes: [MemoryArchive.ReadSizes] = [
  .fixed(1), .fixed(2), .fixed(3), .fixed(7), .random(seed: 11, limit: 40), .random(seed: 12, limit: 4000), .whole,
]

/// Reads one file with one function that wants these fields, each as raw JSON.
func decode(
  _ bytes: [UInt8], fields: [String] = ["data.n", "data.text"], reads: MemoryArchive.ReadSizes = .whole,
  framing: Framing? = nil, limits: DecodeLimits = DecodeLimits(), range: SegmentRange = SegmentRange(from: [0]),
  anatomy: Anatomy = Anatomy(), dropDuplicates: Bool = false
) -> DecodedSegment {
  var wanted = Reads()
  for field in fields { _ = wanted.json(field) }
  return decode(
    bytes, functions: [wanted], reads: reads, framing: framing, limits: limits, range: range, anatomy: anatomy,
    dropDuplicates: dropDuplicates)
}

func decode(
  _ bytes: [UInt8], functions: [Reads], reads: MemoryArchive.ReadSizes = .whole, framing: Framing? = nil,
  limits: DecodeLimits = DecodeLimits(), range: SegmentRange, anatomy: Anatomy = Anatomy(),
  dropDuplicates: Bool = false
) -> DecodedSegment {
  let archive = MemoryArchive(["segment": bytes], reads: reads)
  guard let entry = archive.entry("segment") else { preconditionFailure("the archive lost its file") }
  let extraction = Extraction(functions, anatomy: anatomy, needsKey: false)
  let segment =
    anatomy.position == nil
    ? Segment.counted(entry) : Segment(entry: entry, partition: Partition(log: "", id: "0"), numbering: .explicit)
  return DecodedSegment(
    segment, in: archive,
    by: ArchiveDecoder(extraction, framing: framing, limits: limits, dropDuplicates: dropDuplicates), range: range)
}

func decode(_ text: String, fields: [String] = ["data.n", "data.text"], framing: Framing? = nil) -> DecodedSegment {
  decode(Array(text.utf8), fields: fields, framing: framing)
}

func limits(blockBytes: Int? = nil, _ change: (inout DecodeLimits) -> Void = { _ in }) -> DecodeLimits {
  var limits = DecodeLimits()
  if let blockBytes { limits.blockBytes = blockBytes }
  change(&limits)
  return limits
}

/// Record `number` of a small archive: plain, escaped, non-ASCII and long texts in turn.
func record(_ number: Int) -> String {
  let texts = ["plain", #"a \"b\" \\ c {[,:"#, "Grüße – 値段 🎉", String(repeating: "x", count: 70), ""]
  return #"{"id":"\#(number)","data":{"n":\#(number),"text":"\#(texts[number % texts.count])"},"more":[1,{"n":2}]}"#
}

func records(_ count: Int) -> [String] { (0..<count).map(record) }

func lines(_ records: [String]) -> String { records.map { $0 + "\n" }.joined() }

/// Pieces of `size` bytes, the last one shorter.
func pieces(_ bytes: [UInt8], of size: Int) -> [ArraySlice<UInt8>] {
  stride(from: 0, to: bytes.count, by: size).map { bytes[$0..<min(bytes.count, $0 + size)] }
}
