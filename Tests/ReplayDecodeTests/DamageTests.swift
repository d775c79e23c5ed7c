import ReplayCore
import ReplayDecode
import ReplayTesting
import Testing

/// A damaged file is never taken for a good one, and nothing wrong is ever called proven.
@Suite struct DamageTests {
  static let originals = records(9)
  static let text = Array(lines(originals).utf8)
  static let gzip = pieces(text, of: 300).map { Gzip.member($0) }
  static let zstd = pieces(text, of: 300).map { Zstd.frame($0) }

  /// Small blocks, so that some are handed out before the damage is met.
  static let limits: DecodeLimits = {
    var limits = DecodeLimits()
    limits.blockBytes = 256
    return limits
  }()

  private func isPrefix(_ decoded: DecodedSegment) -> Bool {
    decoded.raws.prefix(decoded.proven).elementsEqual(Self.originals.prefix(decoded.proven))
  }

  // MARK: Truncation at every byte

  @Test(arguments: [
    ("gzip", Gzip.member(text)), ("gzip, stored", Gzip.member(text, level: 0)), ("zstd", Zstd.frame(text)),
    ("zstd, no checksum", Zstd.frame(text, checksum: false)), ("gzip in gzip", Gzip.member(Gzip.member(text))),
    ("zstd in gzip", Gzip.member(Zstd.frame(text))), ("gzip in zstd", Zstd.frame(Gzip.member(text))),
    ("skippable first", Zstd.skippable([7, 7, 7, 7]) + Zstd.frame(text)),
  ])
  func truncated(_ name: String, _ bytes: [UInt8]) {
    // An empty file (cut at 0) has no records and says nothing of what it was; a skippable frame alone neither.
    let silent = name == "skippable first" ? [12] : []
    for cut in 1..<bytes.count where !silent.contains(cut) {
      for limits in [DecodeLimits(), Self.limits] {
        let decoded = decode(Array(bytes[..<cut]), limits: limits)
        #expect(decoded.error is ReplayError, "\(name) cut at byte \(cut) of \(bytes.count)")
        #expect((decoded.error as? ReplayError)?.code == .data)
        #expect(isPrefix(decoded), "\(name) cut at byte \(cut)")
      }
    }
  }

  /// Where several frames are cut between two of them the format says nothing: what comes is whole, to the frame.
  @Test(arguments: [gzip, zstd]) func truncatedBetweenFrames(_ frames: [[UInt8]]) {
    let bytes = Array(frames.joined())
    var boundaries: [Int: Int] = [0: 0]
    var end = 0
    for (place, frame) in frames.enumerated() {
      end += frame.count
      boundaries[end] = place + 1
    }
    for cut in 1...bytes.count {
      let decoded = decode(Array(bytes[..<cut]), limits: Self.limits)
      if let whole = boundaries[cut] {
        // Where a record goes on in the next frame, its first half shows the cut after all.
        let endsInside = Self.text.prefix(whole * 300).last != UInt8(ascii: "\n")
        #expect((decoded.error != nil) == endsInside, "cut behind frame \(whole)")
        #expect(decoded.raws == Array(Self.originals.prefix(decoded.raws.count)))
      } else {
        #expect(decoded.error != nil, "cut at byte \(cut) of \(bytes.count)")
      }
      #expect(isPrefix(decoded), "cut at byte \(cut)")
    }
  }

  /// JSON without compression shows a cut unless it falls between two records; an array always does.
  @Test func truncatedText() {
    for (separator, framing) in [("\n", Framing.lines), ("", .concatenated), (",", .array)] {
      let text = (framing == .array ? "[" : "") + Self.originals.joined(separator: separator)
      let bytes = Array(text.utf8) + (framing == .array ? [UInt8(ascii: "]")] : [])
      let wholes = (0...9).map { Self.originals.prefix($0).joined(separator: separator).utf8.count }
      for cut in 1..<bytes.count {
        let decoded = decode(Array(bytes[..<cut]), framing: framing, limits: Self.limits)
        let whole =
          framing == .array
          ? nil : wholes.firstIndex(of: cut) ?? wholes.dropFirst().firstIndex(of: cut - separator.utf8.count)
        #expect((decoded.error == nil) == (whole != nil), "\(framing) cut at byte \(cut)")
        if let whole { #expect(decoded.raws == Array(Self.originals.prefix(whole))) }
        #expect(isPrefix(decoded), "\(framing) cut at byte \(cut)")
      }
    }
  }

  // MARK: Every bit flipped

  @Test(arguments: [
    ("gzip", Gzip.member(text)), ("gzip, stored", Gzip.member(text, level: 0)), ("gzip, members", Array(gzip.joined())),
    ("zstd", Zstd.frame(text)), ("zstd, frames", Array(zstd.joined())), ("zstd in gzip", Gzip.member(Zstd.frame(text))),
  ])
  func everyBit(_ name: String, _ good: [UInt8]) {
    var bytes = good
    for bit in 0..<bytes.count * 8 {
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      let decoded = decode(bytes, limits: Self.limits)
      if decoded.error == nil { #expect(decoded.raws == Self.originals, "\(name), bit \(bit), no error") }
      #expect(isPrefix(decoded), "\(name), bit \(bit): wrong records in a proven block")
      bytes[bit / 8] = good[bit / 8]
    }
  }

  /// Bytes that belong to nothing, behind, between and before frames.
  @Test(arguments: [gzip, zstd]) func garbage(_ frames: [[UInt8]]) {
    let whole = Array(frames.joined())
    for junk in [
      [1], [0x1f], [0x1f, 0x8b], Array("{}\n".utf8), [0x28, 0xb5, 0x2f], [UInt8](repeating: 0, count: 9) + [1],
    ] {
      for bytes in [whole + junk, frames[0] + junk + frames[1], junk + whole] {
        let decoded = decode(bytes, limits: Self.limits)
        #expect(decoded.error != nil, "junk \(junk)")
        // Junk at the front that is JSON makes the file one of plain JSON, with one good record.
        if !bytes.starts(with: Array("{}".utf8)) { #expect(isPrefix(decoded), "junk \(junk)") }
      }
    }
  }

  /// Zero bytes behind the last gzip member are padding; between two members they are an error.
  @Test func zeros() {
    let zeros = [UInt8](repeating: 0, count: 512)
    #expect(decode(Self.gzip.joined() + zeros).raws == Self.originals)
    #expect(decode(Self.gzip[0] + zeros + Self.gzip[1]).error != nil)
    #expect(decode(Self.zstd.joined() + zeros).error != nil)
  }

  /// What the device does is told as it is.
  @Test func sourceFaults() {
    var archive = MemoryArchive(["a": Array(Self.gzip.joined())], reads: .fixed(10))
    let entry = archive.entry("a")
    let decoder = ArchiveDecoder(Extraction([Reads()], anatomy: Anatomy(), needsKey: false))
    for byte in 0..<archive.files["a", default: []].count {
      for (fault, code) in [
        (MemoryArchive.Fault.fails(atByte: byte), ReplayError.Code.unavailable), (.changes(atByte: byte), .data),
      ] {
        archive.faults["a"] = fault
        guard let entry else { continue }
        let decoded = DecodedSegment(.counted(entry), in: archive, by: decoder, range: SegmentRange(from: [0]))
        #expect((decoded.error as? ReplayError)?.code == code, "\(fault)")
      }
    }
  }
}
