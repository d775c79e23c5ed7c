import ReplayCore
import ReplayDecode
import ReplayTesting
import Testing

/// A limit that is reached is an error, never a truncation.
@Suite struct LimitTests {
  private func sized(_ bytes: Int) -> String {
    let frame = #"{"data":{"text":""}}"#
    return #"{"data":{"text":""# + String(repeating: "y", count: bytes - frame.utf8.count) + #""}}"#
  }

  /// Records much longer than a block make their block longer.
  @Test(arguments: Framing.allCases) func recordsLongerThanABlock(_ framing: Framing) {
    let many = [record(1), sized(5000), record(2), sized(100_000), sized(3000), record(3)]
    let text =
      switch framing {
      case .lines: lines(many)
      case .concatenated: many.joined()
      case .array: "[" + many.joined(separator: ",") + "]"
      }
    for reads in readSizes where reads != .fixed(1) {
      let decoded = decode(Gzip.member(text), reads: reads, limits: limits(blockBytes: 1 << 10))
      #expect(decoded.error == nil)
      #expect(decoded.raws == many, "\(framing), reads \(reads)")
    }
  }

  @Test(arguments: Framing.allCases) func maxRecordBytes(_ framing: Framing) {
    for (bytes, fits) in [(4000, true), (20_000, false)] {
      let many = [record(0), sized(bytes), record(2)]
      let text =
        switch framing {
        case .lines: lines(many)
        case .concatenated: many.joined()
        case .array: "[" + many.joined(separator: ",") + "]"
        }
      let decoded = decode(Array(text.utf8), limits: limits(blockBytes: 1 << 10) { $0.maxRecordBytes = 8 << 10 })
      #expect((decoded.error == nil) == fits, "\(framing) \(bytes): \(decoded.error.map { "\($0)" } ?? "")")
      if !fits {
        #expect(decoded.failedOrdinal == 1, "\(framing)")
        #expect("\(decoded.error.map { "\($0)" } ?? "")".contains("--max-record-bytes"))
      }
    }
  }

  @Test func windowLog() {
    let big = Zstd.frame(Array(lines(records(20)).utf8), windowLog: 21)
    #expect(decode(big).raws == records(20))
    let refused = decode(big, limits: limits { $0.maxWindowLog = 20 })
    #expect(
      (refused.error as? ReplayError)?.next?.contains("--max-window-log") == true,
      "\(refused.error.map { "\($0)" } ?? "none")")
    #expect(refused.records.isEmpty)
  }

  @Test func layers() {
    var bytes = Array(lines(records(3)).utf8)
    for _ in 0..<4 { bytes = Gzip.member(bytes) }
    #expect(decode(bytes).raws == records(3))
    #expect(decode(Gzip.member(bytes)).error != nil)
  }

  /// A frame above `maxUnprovenBytes` is proved by a pass of its own, so that blocks inside it count as proven.
  @Test(arguments: [true, false]) func maxUnprovenBytes(_ isGzip: Bool) {
    let many = records(2000)
    let text = Array(lines(many).utf8)
    let frame = isGzip ? Gzip.member(text) : Zstd.frame(text)
    let tight = limits(blockBytes: 4 << 10) { $0.maxUnprovenBytes = 1000 }
    let whole = ProvenBlocks(frame, limits: limits(blockBytes: 4 << 10))
    #expect(whole.count > 5)
    #expect(whole.proven == [false], "without the pass nothing is proven before the frame's end: \(whole.proven)")
    #expect(ProvenBlocks(frame, limits: tight).proven.contains(true))
    for reads in readSizes where reads != .fixed(1) {
      #expect(decode(frame + frame, reads: reads, limits: tight).raws == many + many)
    }
    // Damage at the frame's very end: not one block of it may have been called proven.
    for damaged in [frame.count - 1, frame.count - 5, frame.count / 2] {
      var bad = frame
      bad[damaged] ^= 0x10
      let decoded = decode(frame + bad, limits: tight)
      #expect(decoded.error != nil)
      #expect(decoded.proven <= many.count, "\(decoded.proven) records proven, byte \(damaged) damaged")
      #expect(decoded.failedOrdinal.map { $0 <= UInt64(many.count) } == true)
    }
  }
}

/// Which kinds of blocks there were but for those at a file's end: proven when they were handed out, or not.
struct ProvenBlocks {
  private(set) var proven: Set<Bool> = []
  private(set) var count = 0

  init(_ bytes: [UInt8], limits: DecodeLimits) {
    let archive = MemoryArchive(["a": bytes])
    let extraction = Extraction([Reads()], anatomy: Anatomy(), needsKey: false)
    guard let entry = archive.entry("a") else { return }
    let decoder = ArchiveDecoder(extraction, limits: limits)
    let block = decoder.makeBlock(for: .counted(entry))
    guard let opened = try? decoder.open(.counted(entry), in: archive, range: SegmentRange(from: [0])) else { return }
    var last: Bool?
    while (try? opened.next(block)) == true {
      if let last { proven.insert(last) }
      last = block.isProven
      count += 1
    }
  }
}
