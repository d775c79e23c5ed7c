import Foundation
import ReplayCore
import ReplayDecode
import ReplayTesting
import Synchronization
import Testing

/// Threads that help change nothing: the same records, blocks, summaries and errors as without them. What is expected
/// comes from reading alone, and from whoever made the data.
@Suite struct AheadTests {
  private final class Done: Sendable { let flag = Atomic<Bool>(false) }

  /// Runs `body` while `count` threads help.
  private func helped<Result>(_ count: Int, _ ahead: ReadAhead, _ body: () throws -> Result) rethrows -> Result {
    let done = Done()
    let group = DispatchGroup()
    for _ in 0..<count {
      group.enter()
      Thread {
        while !done.flag.load(ordering: .acquiring) {
          if !ahead.help() { sched_yield() }
        }
        group.leave()
      }.start()
    }
    defer {
      done.flag.store(true, ordering: .releasing)
      group.wait()
    }
    return try body()
  }

  private func decode(
    _ bytes: [UInt8], helpers: Int, sizes: MemoryArchive.ReadSizes, limits: DecodeLimits, ahead: ReadAhead,
    range: SegmentRange = SegmentRange(from: [0]), fault: MemoryArchive.Fault? = nil
  ) throws -> DecodedSegment {
    var archive = MemoryArchive(["segment": bytes], reads: sizes)
    archive.faults["segment"] = fault
    let entry = try #require(archive.entry("segment"))
    var reads = Reads()
    _ = reads.json("data.n")
    let decoder = ArchiveDecoder(
      Extraction([reads], anatomy: Anatomy(), needsKey: false), limits: limits, ahead: ahead)
    return helped(helpers, ahead) { DecodedSegment(.counted(entry), in: archive, by: decoder, range: range) }
  }

  private func expectSame(_ a: DecodedSegment, _ b: DecodedSegment, isBounded: Bool = false, _ what: String) {
    #expect(a.records == b.records, "\(what)")
    #expect(a.proven == b.proven, "\(what)")
    #expect(a.blocks == b.blocks, "\(what)")
    #expect(a.error.map { "\($0)" } == b.error.map { "\($0)" }, "\(what)")
    var (one, other) = (a.summary, b.summary)
    // Of a file that is not read to its end the digest says nothing.
    if isBounded { (one.digest, other.digest) = (0, 0) }
    #expect("\(one)" == "\(other)", "\(what)")
  }

  /// Frames of random sizes, cut anywhere, with all that may stand between them.
  private struct File {
    var bytes: [UInt8] = []
    var records: [String] = []
    var frames = 0
    var withoutChecksum = 0

    init(_ random: inout SplitMix64, gzip: Bool) {
      records = (0..<random.number(1...700)).map { record($0) }
      let text = Array(lines(records).utf8)
      let longest = random.one(of: [60, 2000, 40_000, text.count])
      var at = 0
      while at < text.count || random.once(in: 3) {
        let end = min(text.count, at + random.number(0...longest))
        add(text[at..<end], &random, gzip: gzip)
        at = end
      }
    }

    private mutating func add(_ content: ArraySlice<UInt8>, _ random: inout SplitMix64, gzip: Bool) {
      frames += 1
      if gzip {
        bytes += Gzip.member(content, level: Int32(random.number(0...9)))
        return
      }
      if random.once(in: 5) {
        bytes += Zstd.skippable(
          [UInt8](repeating: 7, count: random.number(0...300)), kind: UInt8(random.number(0...15)))
      }
      let hasChecksum = !random.once(in: 4)
      if !hasChecksum { withoutChecksum += 1 }
      bytes += Zstd.frame(
        content, checksum: hasChecksum, windowLog: random.one(of: [nil, 10, 17]), level: random.one(of: [1, 3, -5]))
    }
  }

  private static func reading(_ random: inout SplitMix64) -> (MemoryArchive.ReadSizes, DecodeLimits, () -> ReadAhead) {
    let seed = random.next()
    let sizes: MemoryArchive.ReadSizes =
      random.one(of: [.whole, .fixed(7), .fixed(4096), .random(seed: seed, limit: 3000)])
    let limits = limits(blockBytes: random.one(of: [200, 4000, 64 << 10]))
    let chunk = random.one(of: [1, 100, 3000, 64 << 10])
    let run = random.one(of: [1, 500, 20_000] as [UInt64])
    let held = random.one(of: [0, 1000, 50_000, 8 << 20])
    return (sizes, limits, { ReadAhead(readAheadBytes: held, chunkBytes: chunk, minRunBytes: run) })
  }

  @Test(arguments: 1...40 as ClosedRange<UInt64>) func sameAsAlone(_ seed: UInt64) throws {
    print("ahead property seed: \(seed)")
    var random = SplitMix64(seed: seed)
    let file = File(&random, gzip: random.once(in: 4))
    let (sizes, limits, ahead) = Self.reading(&random)
    let alone = try decode(file.bytes, helpers: 0, sizes: sizes, limits: limits, ahead: ahead())
    #expect(alone.error == nil)
    #expect(alone.raws == file.records)
    #expect(alone.proven == file.records.count)
    #expect(alone.summary.frames == file.frames)
    #expect(alone.summary.framesWithoutChecksum == file.withoutChecksum)
    var digest = Digest()
    file.bytes.withUnsafeBytes { digest.add($0) }
    #expect(alone.summary.digest == digest.value)
    let range = SegmentRange(from: [0], untilOrdinal: UInt64(random.number(0...file.records.count)))
    let bounded = try decode(file.bytes, helpers: 0, sizes: sizes, limits: limits, ahead: ahead(), range: range)
    for helpers in [1, 2, 4] {
      let together = try decode(file.bytes, helpers: helpers, sizes: sizes, limits: limits, ahead: ahead())
      expectSame(alone, together, "seed \(seed), \(helpers) helpers")
      let part = try decode(
        file.bytes, helpers: helpers, sizes: sizes, limits: limits, ahead: ahead(), range: range)
      expectSame(bounded, part, isBounded: true, "seed \(seed), \(helpers) helpers, bound \(range.untilOrdinal)")
    }
  }

  /// A damaged, cut or unreadable file: told as if nobody had helped.
  @Test(arguments: 1...40 as ClosedRange<UInt64>) func sameFault(_ seed: UInt64) throws {
    print("ahead fault seed: \(seed)")
    var random = SplitMix64(seed: seed &+ 1000)
    let file = File(&random, gzip: random.once(in: 4))
    let (sizes, limits, ahead) = Self.reading(&random)
    for _ in 0..<6 {
      var bytes = file.bytes
      var fault: MemoryArchive.Fault?
      switch random.number(0...4) {
      case 0: bytes.removeLast(random.number(1...bytes.count))
      case 1: bytes += [UInt8](repeating: UInt8(random.number(0...255)), count: random.number(1...40))
      case 2: fault = .fails(atByte: random.number(0...bytes.count - 1))
      default: bytes[random.number(0...bytes.count - 1)] ^= 1 << UInt8(random.number(0...7))
      }
      let alone = try decode(bytes, helpers: 0, sizes: sizes, limits: limits, ahead: ahead(), fault: fault)
      for helpers in [1, 2, 4] {
        let together = try decode(
          bytes, helpers: helpers, sizes: sizes, limits: limits, ahead: ahead(), fault: fault)
        expectSame(alone, together, "seed \(seed), \(helpers) helpers")
      }
    }
  }

  /// A reader that goes away while others help leaves nothing behind.
  @Test func leftInTheMiddle() throws {
    let text = Array(lines(records(3000)).utf8)
    let archive = MemoryArchive(
      ["segment": pieces(text, of: 9000).flatMap { Zstd.frame($0) }], reads: .fixed(1000))
    let entry = try #require(archive.entry("segment"))
    let ahead = ReadAhead(chunkBytes: 1000, minRunBytes: 100)
    let decoder = ArchiveDecoder(
      Extraction([Reads()], anatomy: Anatomy(), needsKey: false), limits: limits(blockBytes: 2000), ahead: ahead)
    try helped(3, ahead) {
      for blocks in 0..<60 {
        let reader = try decoder.open(.counted(entry), in: archive, range: SegmentRange(from: [0]))
        let block = decoder.makeBlock(for: .counted(entry))
        for _ in 0..<blocks { guard try reader.next(block) else { break } }
      }
    }
    #expect(ahead.help() == false)
  }

  /// The ceiling is measured with the same help.
  @Test(arguments: [0, 1, 3]) func decompressOnly(_ helpers: Int) throws {
    let text = Array(lines(records(3000)).utf8)
    let archive = MemoryArchive(["segment": pieces(text, of: 9000).flatMap { Zstd.frame($0) }], reads: .fixed(5000))
    let entry = try #require(archive.entry("segment"))
    let ahead = ReadAhead(chunkBytes: 2000, minRunBytes: 100)
    let bytes = try helped(helpers, ahead) { try DecompressOnly.run(entry, in: archive, ahead: ahead) }
    #expect(bytes == UInt64(text.count))
  }
}
