import ReplayTesting

/// One file of an archive that was made, and what is known of it without reading it.
struct ArchiveFile: Sendable {
  enum Role: Sendable { case values, keys, headers, manifest }

  var name: String
  let role: Role
  var partition: Int
  var first: UInt64
  var last: UInt64
  /// Its place among the files where there are no numbers; the hour.
  var order: Int
  /// The text, cut behind its records.
  var parts: [[UInt8]]
  /// The outermost layer's.
  var pieces: [Piece]
  var bytes: [UInt8]
  let coding: Coding

  mutating func set(_ pieces: [Piece]) {
    self.pieces = pieces
    bytes = pieces.flatMap(\.bytes)
  }
}

/// An archive as it was made, and all that its files are made of.
struct MadeArchive: Sendable {
  let layout: Layout
  let coding: Coding
  var files: [ArchiveFile] = []
  /// For each layer, the outermost last: what each piece stands for.
  var tokens: [[[UInt8]: [UInt8]]]
  var events: [SentEvent] = []
  /// What a record's text is: its event's place in `events`.
  var records: [[UInt8]: Int] = [:]

  init(_ layout: Layout, _ coding: Coding, seed: UInt64) {
    self.layout = layout
    self.coding = coding
    tokens = Array(repeating: [:], count: max(1, coding.layers.count))
    var random = SplitMix64(seed: seed)
    for partition in 0..<layout.partitions {
      var next: UInt64 = 0
      for order in 0..<layout.files {
        let count = random.number(3...7)
        let sent = (0..<count).map { place -> SentEvent in
          let number = next + UInt64(place)
          let key = "k\(partition)-\(random.number(0...2))"
          return SentEvent(
            partition: partition, number: number, key: key,
            payload: layout.payload(partition: partition, number: number, key: key), headers: layout.headers(number))
        }
        add(sent, order: order, random: &random)
        next += UInt64(count)
      }
    }
    if let manifest = layout.manifest {
      files.append(
        ArchiveFile(
          name: manifest.name, role: .manifest, partition: 0, first: 0, last: 0, order: 0, parts: [], pieces: [],
          bytes: manifest.bytes, coding: Coding.all[0]))
    }
  }

  private mutating func add(_ sent: [SentEvent], order: Int, random: inout SplitMix64) {
    let texts = sent.map { Array(layout.record($0).utf8) }
    for (event, text) in zip(sent, texts) {
      records[text] = events.count
      events.append(event)
    }
    let file = ArchiveFile(
      name: "", role: .values, partition: sent[0].partition, first: sent[0].number, last: sent[sent.count - 1].number,
      order: order, parts: [], pieces: [], bytes: [], coding: coding)
    add(file, layout.parts(texts), random: &random)
    guard layout.hasKeysFiles else { return }
    for (role, lines) in [
      (ArchiveFile.Role.keys, sent.map { "\"\($0.key)\"" }),
      (.headers, sent.map { "{\"headers\":\($0.headers ?? "[]")}" }),
    ] {
      let beside = ArchiveFile(
        name: "", role: role, partition: file.partition, first: file.first, last: file.last, order: order, parts: [],
        pieces: [], bytes: [], coding: coding)
      add(beside, layout.parts(lines.map { Array($0.utf8) }), random: &random)
    }
  }

  private mutating func add(_ file: ArchiveFile, _ parts: [[UInt8]], random: inout SplitMix64) {
    var file = file
    file.name = name(of: file)
    encode(&file, parts, random: &random)
    files.append(file)
  }

  /// Gives the file these parts, compressed anew, and keeps what its pieces stand for.
  mutating func encode(_ file: inout ArchiveFile, _ parts: [[UInt8]], random: inout SplitMix64) {
    file.parts = parts
    let layers = coding.pieces(parts, random: &random)
    for (layer, pieces) in layers.enumerated() {
      for piece in pieces { tokens[layer][piece.bytes] = piece.plain }
    }
    file.set(layers[layers.count - 1])
  }

  /// The name that its numbers give it.
  func name(of file: ArchiveFile) -> String {
    let name = layout.fileName(
      partition: file.partition, first: file.first, last: file.last, order: file.order, suffix: coding.suffix)
    switch file.role {
    case .values: return name
    case .keys: return name.replacing(".json", with: ".keys.json")
    case .headers: return name.replacing(".json", with: ".headers.json")
    case .manifest: return file.name
    }
  }

  var contents: [String: [UInt8]] { Dictionary(files.map { ($0.name, $0.bytes) }, uniquingKeysWith: { $1 }) }
}

extension Layout {
  /// The file's text, cut behind its records.
  func parts(_ texts: [[UInt8]]) -> [[UInt8]] {
    switch framing {
    case .lines: texts.map { $0 + [10] }
    case .concatenated: texts
    case .array:
      texts.enumerated().map { place, text in
        Array((place == 0 ? "[" : ",").utf8) + [10] + text + (place == texts.count - 1 ? Array("\n]".utf8) : [])
      }
    }
  }
}
