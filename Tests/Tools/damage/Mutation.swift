import ReplayTesting

/// What can happen to an archive between its writer and its reader.
enum Damage: String, CaseIterable, Sendable {
  case flippedBit = "flipped bit"
  case flippedBits = "flipped bits"
  case overwritten = "bytes overwritten"
  case zeroed = "block of zeros"
  case exchangedBlocks = "blocks exchanged"
  case insertedBytes = "bytes inserted"
  case removedBytes = "bytes removed"
  case cutAtByte = "cut at a byte"
  case cutAtPiece = "cut between frames"
  case removedPiece = "frame removed"
  case doubledPiece = "frame doubled"
  case exchangedPieces = "frames exchanged"
  case removedRecord = "record removed"
  case doubledRecord = "record doubled"
  case exchangedRecords = "records exchanged"
  case appendedZeros = "zeros appended"
  case appendedGarbage = "garbage appended"
  case doubledContent = "content doubled"
  case emptied = "file emptied"
  case exchangedFiles = "files exchanged"
  case copiedOver = "file copied over another"
  case removedFile = "file removed or late"
  case removedPartition = "partition removed"
  case copiedFile = "file copied under a later name"
  case renumbered = "name's number changed"
  case otherSuffix = "other suffix"

  /// True where frames stay whole and change their places.
  var movesPieces: Bool {
    switch self {
    case .cutAtPiece, .removedPiece, .doubledPiece, .exchangedPieces: true
    default: false
    }
  }

  /// True where bytes become others than anybody wrote.
  var makesNewBytes: Bool {
    switch self {
    case .flippedBit, .flippedBits, .overwritten, .zeroed, .exchangedBlocks, .insertedBytes, .removedBytes: true
    default: false
    }
  }
}

/// One damaged archive.
struct Damaged: Sendable {
  let damage: Damage
  var files: [ArchiveFile]
  /// The file that was touched, as it was before.
  var touched: ArchiveFile?
  /// The first byte that became another.
  var byte = 0
  var note = ""
}

/// Makes damage by chance. Needs the archive itself, since what is compressed anew is one of its pieces then.
struct Damager {
  var archive: MadeArchive
  var random: SplitMix64

  /// Nil where this archive cannot be damaged in that way.
  mutating func damaged(by damage: Damage) -> Damaged? {
    let usable = archive.files.indices.filter { archive.files[$0].role != .manifest }
    let place = random.one(of: usable)
    var result = Damaged(damage: damage, files: archive.files, touched: archive.files[place])
    result.note = archive.files[place].name
    let isDone =
      switch damage {
      case .flippedBit, .flippedBits, .overwritten, .zeroed, .exchangedBlocks, .insertedBytes, .removedBytes,
        .cutAtByte, .appendedZeros, .appendedGarbage, .doubledContent, .emptied:
        bytes(&result, place)
      case .cutAtPiece, .removedPiece, .doubledPiece, .exchangedPieces: pieces(&result, place)
      case .removedRecord, .doubledRecord, .exchangedRecords: records(&result, place)
      default: files(&result, place)
      }
    return isDone ? result : nil
  }

  private mutating func bytes(_ result: inout Damaged, _ place: Int) -> Bool {
    var bytes = result.files[place].bytes
    guard !bytes.isEmpty else { return false }
    let at = random.number(0...bytes.count - 1)
    result.byte = at
    result.note += " at byte \(at) of \(bytes.count)"
    let length = min(random.number(1...16), bytes.count - at)
    switch result.damage {
    case .flippedBit: bytes[at] ^= 1 << UInt8(random.number(0...7))
    case .flippedBits:
      result.byte = bytes.count
      for _ in 0..<random.number(2...8) {
        let one = random.number(0...bytes.count - 1)
        bytes[one] ^= 1 << UInt8(random.number(0...7))
        result.byte = min(result.byte, one)
      }
    case .overwritten: for one in at..<at + length { bytes[one] = UInt8(random.number(0...255)) }
    case .zeroed: for one in at..<min(bytes.count, at + length * 4) { bytes[one] = 0 }
    case .exchangedBlocks:
      guard bytes.count >= 64 else { return false }
      let half = bytes.count / 2
      let (a, b) = (random.number(0...half - 16), half + random.number(0...half - 16))
      for one in 0..<16 { bytes.swapAt(a + one, b + one) }
      result.byte = a
    case .insertedBytes: bytes.insert(contentsOf: (0..<length).map { _ in UInt8(random.number(0...255)) }, at: at)
    case .removedBytes: bytes.removeSubrange(at..<at + length)
    case .cutAtByte: bytes.removeSubrange(at...)
    case .appendedZeros: bytes += [UInt8](repeating: 0, count: random.number(1...600))
    case .appendedGarbage:
      let known: [[UInt8]] = [[0x1f], [0x1f, 0x8b, 8], [0x28, 0xb5, 0x2f, 0xfd], Array("{}\n".utf8), Array("x".utf8)]
      bytes += random.once(in: 2) ? random.one(of: known) : (0..<length).map { _ in UInt8(random.number(0...255)) }
    case .doubledContent: bytes += bytes
    default: bytes = []
    }
    let isOther = bytes != result.files[place].bytes
    result.files[place].bytes = bytes
    return isOther
  }

  private mutating func pieces(_ result: inout Damaged, _ place: Int) -> Bool {
    var pieces = result.files[place].pieces
    guard pieces.count > 1 else { return false }
    let (one, other) = (random.number(0...pieces.count - 1), random.number(0...pieces.count - 1))
    result.note += " piece \(one) of \(pieces.count)"
    switch result.damage {
    case .cutAtPiece: pieces.removeSubrange(max(1, one)...)
    case .removedPiece: pieces.remove(at: one)
    case .doubledPiece: pieces.insert(pieces[one], at: other)
    default: pieces.swapAt(one, other)
    }
    let before = result.files[place].bytes
    result.files[place].set(pieces)
    return result.files[place].bytes != before
  }

  /// Whole records, and the file compressed anew: checksums and lengths are right.
  private mutating func records(_ result: inout Damaged, _ place: Int) -> Bool {
    var texts = result.files[place].parts
    if archive.layout.framing == .array {
      texts = texts.map { Array($0.dropFirst(2)) }
      texts[texts.count - 1].removeLast(2)
    }
    let (one, other) = (random.number(0...texts.count - 1), random.number(0...texts.count - 1))
    result.note += " record \(one) of \(texts.count)"
    switch result.damage {
    case .removedRecord: texts.remove(at: one)
    case .doubledRecord: texts.insert(texts[one], at: other)
    default: texts.swapAt(one, other)
    }
    guard !texts.isEmpty else { return false }
    if archive.layout.framing == .array { texts = archive.layout.parts(texts) }
    guard texts != result.files[place].parts else { return false }
    archive.encode(&result.files[place], texts, random: &random)
    return true
  }

  private mutating func files(_ result: inout Damaged, _ place: Int) -> Bool {
    let others = result.files.indices.filter {
      $0 != place && result.files[$0].role == result.files[place].role
    }
    let file = result.files[place]
    switch result.damage {
    case .removedFile: result.files.remove(at: place)
    case .removedPartition: result.files.removeAll { $0.partition == file.partition && $0.role != .manifest }
    case .exchangedFiles, .copiedOver:
      guard let other = others.randomElement(using: &random) else { return false }
      result.note += " and \(result.files[other].name)"
      let content = result.files[other]
      (result.files[other].bytes, result.files[other].pieces) = (file.bytes, file.pieces)
      if result.damage == .exchangedFiles {
        (result.files[place].bytes, result.files[place].pieces) = (content.bytes, content.pieces)
      }
      return file.bytes != content.bytes
    case .copiedFile: copy(&result, file)
    case .renumbered:
      let step = UInt64(random.number(1...9))
      let isDown = random.once(in: 2) && file.first >= step
      result.files[place].first = isDown ? file.first - step : file.first + step
      result.files[place].last = isDown ? file.last - step : file.last + step
      result.files[place].order += random.number(1...3) + archive.layout.files
      return rename(&result, place)
    default:
      let suffix = random.one(of: [".gz", ".zst", ".json", ".tmp", ".1"])
      let name =
        file.name.hasSuffix(archive.coding.suffix) ? file.name.dropLast(archive.coding.suffix.count) : file.name[...]
      result.files[place].name = name + suffix
      result.note += " named \(result.files[place].name)"
      return result.files[place].name != file.name
    }
    return true
  }

  private mutating func rename(_ result: inout Damaged, _ place: Int) -> Bool {
    let before = result.files[place].name
    result.files[place].name = archive.name(of: result.files[place])
    result.note += " named \(result.files[place].name)"
    return result.files.count { $0.name == result.files[place].name } == 1 && result.files[place].name != before
  }

  /// A copy, where the partition goes on behind its last file; often of the last file, so that its number fits.
  private mutating func copy(_ result: inout Damaged, _ file: ArchiveFile) {
    let own = result.files.filter { $0.partition == file.partition && $0.role == file.role }
    guard let last = own.max(by: { ($0.first, $0.order) < ($1.first, $1.order) }) else { return }
    var copy = random.once(in: 2) ? last : file
    let count = copy.last - copy.first
    copy.first = last.last + 1
    copy.last = copy.first + count
    copy.order = last.order + 1
    copy.name = archive.name(of: copy)
    result.note += " as \(copy.name)"
    result.files.removeAll { $0.name == copy.name }
    result.files.append(copy)
  }
}
