import ReplayTesting

/// One independently decompressible piece of a file: a gzip member, a zstd frame; of a file that is not compressed, a line.
struct Piece: Sendable {
  let bytes: [UInt8]
  /// What it stands for one layer below.
  let plain: [UInt8]
}

/// How a file's bytes are compressed.
struct Coding: Sendable {
  enum Layer: Sendable { case gzip, zstd, zstdWithoutChecksum }

  let name: String
  /// The innermost first.
  let layers: [Layer]
  /// Pieces of the outermost layer: one for the file, cut anywhere, or cut behind records.
  enum Cuts: Sendable { case one, anywhere, records }
  let cuts: Cuts
  var skippable = false

  static let all: [Coding] = [
    Coding(name: "none", layers: [], cuts: .records),
    Coding(name: "gzip", layers: [.gzip], cuts: .one),
    Coding(name: "gzip-members", layers: [.gzip], cuts: .anywhere),
    Coding(name: "gzip-member-a-record", layers: [.gzip], cuts: .records),
    Coding(name: "zstd", layers: [.zstd], cuts: .one),
    Coding(name: "zstd-frames", layers: [.zstd], cuts: .anywhere),
    Coding(name: "zstd-frame-a-record", layers: [.zstd], cuts: .records),
    Coding(name: "zstd-no-checksum", layers: [.zstdWithoutChecksum], cuts: .one),
    Coding(name: "zstd-no-checksum-frames", layers: [.zstdWithoutChecksum], cuts: .records),
    Coding(name: "zstd-skippable", layers: [.zstd], cuts: .records, skippable: true),
    Coding(name: "gzip-in-zstd", layers: [.gzip, .zstd], cuts: .anywhere),
    Coding(name: "zstd-in-gzip", layers: [.zstd, .gzip], cuts: .anywhere),
    Coding(name: "gzip-in-zstd-no-checksum", layers: [.gzip, .zstdWithoutChecksum], cuts: .anywhere),
  ]

  /// True where some layer's checksum covers every byte that counts.
  var isProtected: Bool { layers.contains { $0 != .zstdWithoutChecksum } }

  /// As a writer would call it.
  var suffix: String {
    switch layers.last {
    case .gzip: ".gz"
    case .zstd, .zstdWithoutChecksum: ".zst"
    case nil: ""
    }
  }

  /// The file's pieces, layer by layer, the innermost first. `parts`: the text, cut behind its records.
  func pieces(_ parts: [[UInt8]], random: inout SplitMix64) -> [[Piece]] {
    if layers.isEmpty { return [parts.map { Piece(bytes: $0, plain: $0) }] }
    var found: [[Piece]] = []
    var chunks = cuts == .records || layers.count > 1 ? parts : [Array(parts.joined())]
    for (index, layer) in layers.enumerated() {
      let isOutermost = index == layers.count - 1
      if isOutermost, cuts == .anywhere { chunks = Coding.cut(Array(chunks.joined()), random: &random) }
      var pieces = chunks.map { Piece(bytes: Coding.encode($0, layer), plain: $0) }
      if skippable {
        let passed = Piece(
          bytes: Zstd.skippable([UInt8](repeating: 0x28, count: random.number(0...9)), kind: 3), plain: [])
        let empty = Piece(bytes: Zstd.frame([UInt8]()), plain: [])
        pieces = [passed] + pieces + [empty, passed]
      }
      found.append(pieces)
      chunks = pieces.map(\.bytes)
    }
    return found
  }

  static func encode(_ bytes: [UInt8], _ layer: Layer) -> [UInt8] {
    switch layer {
    case .gzip: Gzip.member(bytes, level: 6)
    case .zstd: Zstd.frame(bytes)
    case .zstdWithoutChecksum: Zstd.frame(bytes, checksum: false)
    }
  }

  /// Two to four pieces of any size.
  private static func cut(_ bytes: [UInt8], random: inout SplitMix64) -> [[UInt8]] {
    let places = (0..<random.number(1...3)).map { _ in random.number(0...bytes.count) }.sorted()
    return zip([0] + places, places + [bytes.count]).map { Array(bytes[$0..<$1]) }
  }
}
