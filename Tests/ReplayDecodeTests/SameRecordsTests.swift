import ReplayCore
import ReplayDecode
import ReplayTesting
import Testing

/// However an archive file is framed, compressed and cut into reads, it gives the same records.
@Suite struct SameRecordsTests {
  static let originals = records(12)

  /// The same twelve records as different tools would write them. Each record's raw text must come back unchanged.
  static let framings: [(name: String, text: String)] = [
    ("lines", lines(originals)),
    ("lines, no last newline", originals.joined(separator: "\n")),
    ("CRLF", originals.map { $0 + "\r\n" }.joined()),
    ("CRLF, no last one", originals.joined(separator: "\r\n")),
    ("blank lines", "\n\n" + originals.map { $0 + "\n \n\t\n" }.joined() + "\n  "),
    ("byte order mark", "\u{feff}" + lines(originals)),
    ("byte order mark, then a blank line", "\u{feff}\r\n" + lines(originals)),
    ("spaces around lines", originals.map { " \t" + $0 + " \n" }.joined()),
    ("concatenated", originals.joined()),
    ("concatenated, spaces between", originals.joined(separator: " \t ")),
    ("array", "[" + originals.joined(separator: ",") + "]"),
    ("array over lines", "\n[\n  " + originals.joined(separator: ",\n  ") + "\n]\n"),
    ("array, white space everywhere", " \r\n[ \t" + originals.joined(separator: " \n , \r ") + " ] \n"),
    ("byte order mark, then an array", "\u{feff}[" + originals.joined(separator: ",") + "]\n"),
  ]

  /// Ways to compress; none may be told from another by the records.
  static let codecs: [(name: String, encode: @Sendable ([UInt8]) -> [UInt8])] = [
    ("none", { $0 }),
    ("gzip", { Gzip.member($0) }),
    ("gzip, stored", { Gzip.member($0, level: 0) }),
    ("gzip, a member every 5 bytes", { pieces($0, of: 5).flatMap { Gzip.member($0) } }),
    ("gzip, a member every 1000 bytes", { pieces($0, of: 1000).flatMap { Gzip.member($0) } }),
    (
      "gzip, empty members",
      { bytes in
        Gzip.member([]) + pieces(bytes, of: 200).flatMap { Gzip.member($0) + Gzip.member([]) } + Gzip.member([])
      }
    ),
    ("gzip, zeros behind", { Gzip.member($0) + [UInt8](repeating: 0, count: 1000) }),
    ("zstd", { Zstd.frame($0) }),
    ("zstd, no checksum", { Zstd.frame($0, checksum: false) }),
    ("zstd, a frame every 7 bytes", { pieces($0, of: 7).flatMap { Zstd.frame($0) } }),
    (
      "zstd, empty frames",
      { bytes in
        Zstd.frame([]) + pieces(bytes, of: 300).flatMap { Zstd.frame($0) + Zstd.frame([]) }
      }
    ),
    (
      "zstd, skippable front, middle, end",
      { bytes in
        let pieces = pieces(bytes, of: 400).map { Zstd.frame($0) }
        return Zstd.skippable([1, 2, 3]) + Zstd.skippable([], kind: 15)
          + pieces.joined(separator: Zstd.skippable([UInt8](repeating: 9, count: 300), kind: 7)) + Zstd.skippable([0])
      }
    ),
    ("gzip in gzip", { bytes in pieces(Gzip.member(bytes), of: 60).flatMap { Gzip.member($0) } }),
    ("zstd in gzip", { bytes in Gzip.member(pieces(bytes, of: 100).flatMap { Zstd.frame($0) }) }),
    ("gzip in zstd", { bytes in Zstd.frame(pieces(bytes, of: 100).flatMap { Gzip.member($0) }) }),
  ]

  @Test(arguments: codecs.indices) func sameRecords(codec: Int) {
    let (name, encode) = Self.codecs[codec]
    let plain = decode(lines(Self.originals))
    for framing in Self.framings {
      let bytes = encode(Array(framing.text.utf8))
      for reads in readSizes {
        let decoded = decode(bytes, reads: reads)
        let what: Comment = "\(name), \(framing.name), reads \(reads)"
        #expect(decoded.error == nil, what)
        #expect(decoded.raws == Self.originals, what)
        #expect(decoded.records == plain.records, what)
        #expect(decoded.proven == Self.originals.count, what)
        #expect(decoded.summary.records == 12, what)
        #expect(decoded.summary.framesWithoutChecksum == (name == "zstd, no checksum" ? 1 : 0), what)
      }
    }
  }

  /// Pretty-printed values come back with their own white space.
  @Test func prettyPrinted() {
    let pretty = (0..<5).map { "{\n  \"data\" : {\r\n\t\"n\": \($0) ,\n\"text\"\n:\n\"}{\" }\n}" }
    for text in [pretty.joined(separator: "\n"), pretty.joined(), "[\n" + pretty.joined(separator: ",\n") + "\n]"] {
      for reads in readSizes {
        let decoded = decode(Array(text.utf8), reads: reads)
        #expect(decoded.error == nil)
        #expect(decoded.raws == pretty, "reads \(reads): \(text.prefix(40))")
      }
    }
  }

  /// Files without a record are no error, and not one record either.
  @Test(arguments: ["", "\n", " \r\n\t\n", "\u{feff}", "\u{feff}\n", "[]", " [ \n ] \n"]) func noRecords(_ text: String)
  {
    for encode in Self.codecs.map(\.encode) {
      for reads in readSizes {
        let decoded = decode(encode(Array(text.utf8)), reads: reads)
        #expect(decoded.error == nil, "reads \(reads)")
        #expect(decoded.records.isEmpty && decoded.summary.records == 0)
      }
    }
  }

  /// A `null` where a record should be is a tombstone: a record for functions without conditions.
  @Test func tombstones() {
    let decoded = decode(#"{"data":{"n":1}}"# + "\nnull\n" + #"{"data":{"n":2}}"# + "\n")
    #expect(decoded.error == nil)
    #expect(decoded.raws == [#"{"data":{"n":1}}"#, "null", #"{"data":{"n":2}}"#])
    #expect(decoded.records[1].fields.map(\.kind) == [.missing, .missing])
  }

  @Test(arguments: [1 << 10, 1500, 4 << 10, 64 << 10, 1 << 20]) func blockSizes(_ blockBytes: Int) {
    let many = records(3000)
    let bytes = Array(lines(many).utf8)
    for encoded in [bytes, Gzip.member(bytes), pieces(bytes, of: 777).flatMap { Zstd.frame($0) }] {
      let decoded = decode(encoded, limits: limits(blockBytes: blockBytes))
      #expect(decoded.error == nil)
      #expect(decoded.raws == many)
      #expect(decoded.records.map(\.ordinal) == (0..<3000).map { UInt64($0) })
    }
    for text in [many.joined(), "[" + many.joined(separator: " , ") + "]"] {
      #expect(decode(Array(text.utf8), limits: limits(blockBytes: blockBytes)).raws == many)
    }
  }

  @Test func countsFrames() {
    let bytes = Array(lines(Self.originals).utf8)
    #expect(decode(pieces(bytes, of: 100).flatMap { Gzip.member($0) }).summary.frames == (bytes.count + 99) / 100)
    let mixed = decode(Zstd.frame(bytes) + Zstd.frame(bytes, checksum: false) + Zstd.skippable([1]))
    #expect(mixed.summary.frames == 2 && mixed.summary.framesWithoutChecksum == 1)
    #expect(decode(bytes).summary.decompressedBytes == UInt64(bytes.count))
  }
}
