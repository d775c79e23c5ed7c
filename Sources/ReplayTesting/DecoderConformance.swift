import ReplayCore

/// The contract of `Decoder` as a list of cases that any implementation must pass, on small archives of JSON lines.
public enum DecoderConformance {
  public typealias Maker = (_ extraction: Extraction) throws -> any Decoder

  public struct Case: Sendable, CustomStringConvertible {
    public let description: String
    public let run: @Sendable (Maker) throws -> Void
  }

  public static let all: [Case] = [
    Case(description: "every record comes once, in order, with its place", run: recordsInOrder),
    Case(description: "read sizes change nothing", run: readSizes),
    Case(description: "what a function has settled is left out and counted", run: leavesOutSettled),
    Case(description: "nothing is looked at from the bound on", run: stopsAtBound),
    Case(description: "each function has its own bit", run: masks),
    Case(description: "a malformed record is an error with its place", run: malformed),
    Case(description: "an error of the source is passed on", run: sourceFails),
  ]

  static func record(_ number: Int) -> String {
    #"{"type":"\#(number % 3 == 0 ? "a" : "b")","partitionkey":"k\#(number % 7)","data":{"n":\#(number)}}"#
  }

  static let count = 500
  static let bytes = Array((0..<count).map { record($0) + "\n" }.joined().utf8)

  /// The first function wants all, the second only type `a`.
  static var reads: [Reads] {
    var all = Reads()
    _ = all.integer("data.n")
    var some = Reads()
    some.only(type: "a")
    _ = some.integer("data.n")
    return [all, some]
  }

  static func decode(
    _ make: Maker, _ bytes: [UInt8] = bytes, reads sizes: MemoryArchive.ReadSizes = .whole,
    fault: MemoryArchive.Fault? = nil, range: SegmentRange = SegmentRange(from: [0, 0])
  ) throws -> DecodedSegment {
    var archive = MemoryArchive(["segment": bytes], reads: sizes)
    archive.faults["segment"] = fault
    guard let entry = archive.entry("segment") else { throw violated("the archive lost its file") }
    let decoder = try make(Extraction(reads, anatomy: Anatomy(), needsKey: true))
    return DecodedSegment(.counted(entry), in: archive, by: decoder, range: range)
  }

  static func recordsInOrder(_ make: Maker) throws {
    let decoded = try decode(make)
    if let error = decoded.error { throw violated("a good segment was refused: \(error)") }
    try require(decoded.raws, is: (0..<count).map(record), "the records")
    try require(decoded.records.map(\.ordinal), is: (0..<UInt64(count)).map { $0 }, "the ordinals")
    try require(decoded.records.map(\.mark), is: (0..<UInt64(count)).map { $0 }, "the marks")
    try require(decoded.summary.records, is: UInt64(count), "the summary's records")
    try require(decoded.scanned, is: UInt64(count), "the blocks' scanned records together")
    try require(decoded.proven, is: count, "the records proven at the end")
  }

  static func readSizes(_ make: Maker) throws {
    let whole = try decode(make)
    for sizes in [MemoryArchive.ReadSizes.fixed(1), .fixed(7), .random(seed: 7, limit: 99)] {
      try require(try decode(make, reads: sizes).records, is: whole.records, "the records by reads of \(sizes)")
    }
  }

  static func leavesOutSettled(_ make: Maker) throws {
    let decoded = try decode(make, range: SegmentRange(from: [200, 300]))
    try require(decoded.below, is: [200, 300], "settled records per function")
    let first = decoded.records.filter { $0.mask & 1 != 0 }
    let second = decoded.records.filter { $0.mask & 2 != 0 }
    try require(first.map(\.ordinal), is: (200..<500).map { UInt64($0) }, "what the first function gets")
    try require(second.map(\.ordinal), is: (300..<500).filter { $0 % 3 == 0 }.map { UInt64($0) }, "the second one's")
    try require(decoded.scanned, is: UInt64(count), "the scanned records")
  }

  static func stopsAtBound(_ make: Maker) throws {
    for bound in [0, 1, 77, 499, 500, 9999] {
      let decoded = try decode(make, range: SegmentRange(from: [0, 0], untilOrdinal: UInt64(bound)))
      if let error = decoded.error { throw violated("bound \(bound): \(error)") }
      try require(decoded.raws, is: (0..<min(bound, count)).map(record), "the records before the bound \(bound)")
      try require(decoded.summary.records, is: UInt64(min(bound, count)), "the summary before the bound \(bound)")
    }
  }

  static func masks(_ make: Maker) throws {
    for record in try decode(make).records {
      try require(record.mask, is: record.ordinal % 3 == 0 ? 3 : 1, "the mask of record \(record.ordinal)")
    }
  }

  static func malformed(_ make: Maker) throws {
    let bad = (0..<count).map { ($0 == 123 ? #"{"type":"a""# : record($0)) + "\n" }.joined()
    let decoded = try decode(make, Array(bad.utf8))
    try require(decoded.failedOrdinal, is: 123, "the ordinal of the malformed record")
    let before = try decode(make, Array(bad.utf8), range: SegmentRange(from: [0, 0], untilOrdinal: 123))
    if let error = before.error { throw violated("what is before a malformed record was refused: \(error)") }
    try require(before.records.count, is: 123, "the records before the malformed one")
  }

  static func sourceFails(_ make: Maker) throws {
    for byte in [0, 1, 1000, bytes.count - 1] {
      let decoded = try decode(make, reads: .fixed(100), fault: .fails(atByte: byte))
      guard let error = decoded.error as? ReplayError else {
        throw violated("no error where byte \(byte) cannot be read")
      }
      try require(error.code, is: .unavailable, "the error's code at byte \(byte)")
    }
  }
}
