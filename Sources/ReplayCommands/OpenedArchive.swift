import ReplayArchive
import ReplayCore
import ReplayDecode

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// An archive that was listed, recognised and planned.
struct OpenedArchive {
  let source: DirectorySource
  let layout: DetectedLayout
  var plan: ArchivePlan
  let ignored: [IgnoredReason: Int]
  let codecs: [String]

  init(_ options: ArchiveOptions) throws {
    source = DirectorySource(try OpenedArchive.location(options), followSymlinks: options.followSymlinks)
    let listing = try source.scan()
    ignored = listing.ignored
    let (source, limits) = (source, options.limits)
    var codecs: [String] = []
    layout = try OpenedArchive.naming(source) {
      try LayoutDetector.detect(entries: listing.entries, options: try options.layoutOptions) { entry in
        guard let first = try FirstRecord.read(entry, in: source, framing: options.format, limits: limits) else {
          return nil
        }
        codecs = first.codecs.map(\.rawValue)
        return RecordSample(
          members: first.members, nested: first.nested, isObject: first.isObject, framing: first.framing,
          beginning: first.beginning)
      }
    }
    self.codecs = codecs
    plan = try ArchivePlanner.plan(listing.entries, layout: layout)
  }

  private static func location(_ options: ArchiveOptions) throws -> ArchiveLocation {
    if let archive = options.archive { return try ArchiveLocation.find(archive) }
    let from = options.filesFrom ?? "-"
    return .list(try lines(of: from), root: ".")
  }

  /// Adds the archive's name to an error about all of it.
  private static func naming<Result>(_ source: DirectorySource, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch var error as ReplayError {
      error.details.append("archive: \(source.name)")
      throw error
    }
  }

  /// The lines of a file; `-` is standard input.
  static func lines(of path: String) throws -> [String] {
    let descriptor = path == "-" ? 0 : open(path, O_RDONLY)
    guard descriptor >= 0 else {
      throw ReplayError(.missing, "cannot read the list of files: \(path)", details: [String(cString: strerror(errno))])
    }
    defer { if descriptor != 0 { close(descriptor) } }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      guard count >= 0 else {
        throw ReplayError(
          .missing, "cannot read the list of files: \(path)", details: [String(cString: strerror(errno))])
      }
      if count == 0 { break }
      bytes += buffer[..<count]
    }
    // The system would end a path there, and open another file than the list names.
    if let place = bytes.firstIndex(of: 0) {
      throw ReplayError(
        .usage, "the list of files has a NUL: \(path)", details: ["at byte \(place)"], effect: "nothing was read",
        next: "list one name a line; no file's name has a NUL, so a list that is parted by them needs line ends")
    }
    return bytes.split(separator: 10).map { line in
      String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self)
    }.filter { !$0.isEmpty }
  }

  func chain(_ options: ChainOptions) -> ArchiveChain {
    // Holes exist only where every number was filled: to allow them says that.
    let positions = options.allowHoles && options.positions == .unstated ? .dense : options.positions
    return ArchiveChain(plan: plan, layout: layout.layout, positions: positions, allow: options.allowed)
  }

  func decoder(
    _ reads: [Reads], needsKey: Bool, filter: EventFilter = EventFilter(), _ options: ArchiveOptions,
    _ chain: ChainOptions
  ) throws -> ArchiveDecoder {
    let extraction = Extraction(reads, anatomy: plan.anatomy, needsKey: needsKey, filter: filter)
    try plan.checkHeaders(for: extraction)
    return ArchiveDecoder(
      extraction, framing: options.format, limits: options.limits, dropDuplicates: chain.allowDuplicates)
  }

  /// Where the parts of an event are; nil where no record was seen that could tell.
  var seenAnatomy: Anatomy? { layout.framing == nil ? nil : plan.anatomy }

  /// CRC-64 of a segment's first `count` compressed bytes, read anew.
  func digest(of segment: Segment, bytes count: UInt64) throws -> UInt64 {
    try Digest(first: count, of: source.open(segment.entry)).value
  }

  /// What may be missing without anything to prove it: whole partitions, and what is before the first segment.
  var warnings: [String] {
    var lines: [String] = []
    if !plan.absentPartitions.isEmpty {
      let names = plan.absentPartitions.map(\.description).joined(separator: ", ")
      lines.append("warning: the archive has no files of \(names), though it has some of higher numbers")
    }
    let late = plan.partitions.filter { partition in
      guard case .counted(let start)? = partition.segments.first?.numbering else { return false }
      return start > WideNumber(low: 0)
    }
    if let first = late.first, case .counted(let start)? = first.segments.first?.numbering {
      let others = late.count > 1 ? ", and so on for \(Words.plural(late.count, "partition"))" : ""
      lines.append("warning: the archive of \(first.partition) begins at position \(start), not at 0\(others)")
    }
    return lines
  }

  /// Lines for a person: what was found and how.
  var description: [String] {
    let codec = codecs.isEmpty ? "not compressed" : codecs.joined(separator: " in ")
    let framing = layout.framing.map { ", \($0.rawValue)" } ?? ""
    var lines = [
      "archive   \(source.name): \(Words.plural(plan.segmentCount, "segment")), "
        + "\(Words.plural(plan.partitions.count, "partition")), \(Words.bytes(plan.bytes)) \(codec)\(framing)"
    ]
    lines += layout.evidence.enumerated().map { ($0 == 0 ? "layout    " : "          ") + $1 }
    for (reason, count) in ignored.sorted(by: { "\($0.key)" < "\($1.key)" }) where count > 0 {
      lines.append("          left out: \(Words.plural(count, "file")) (\(reason.rawValue))")
    }
    return lines
  }
}

extension ArchiveOptions {
  var layoutOptions: LayoutOptions {
    get throws {
      LayoutOptions(
        layout: layout, pattern: try segmentPattern.map { try NamePattern($0) },
        overrides: AnatomyOverrides(key: key, type: type, time: time, position: position, id: id))
    }
  }
}
