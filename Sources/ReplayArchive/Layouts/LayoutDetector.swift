import ReplayCore

/// Finds out which tool wrote an archive: by all its names and the first record.
public enum LayoutDetector {
  /// Asks `sample` for the beginning of one file (nil: it has no records), the next where it is empty, at most 64
  /// times.
  ///
  /// Throws `.missing` for an empty archive, `.data` where names or content do not fit, `.usage` where options
  /// contradict.
  public static func detect(
    entries: [SegmentEntry], options: LayoutOptions = LayoutOptions(),
    sample: (SegmentEntry) throws -> RecordSample?
  ) throws -> DetectedLayout {
    guard !entries.isEmpty else {
      let next = "check the path, and that the files are not hidden"
      throw ReplayError(.missing, "the archive holds no segments", next: next)
    }
    let named = try options.named()
    let survey = try named.map { try asked($0, options, entries) } ?? recognise(entries)
    let seen = try firstRecord(survey.segments, sample)
    let found = survey.names.layout == .plain ? "as no name fits another layout" : "recognised by its names"
    let how = named == nil ? found : "as asked for"
    let first = "layout \(survey.names.layout.rawValue) (\(survey.names.layout.writer)), \(how)"
    return try LayoutMeaning(survey: survey, overrides: options.overrides, entry: seen?.entry, sample: seen?.sample)
      .detected(evidence: [first])
  }

  /// The first record of the first file, in natural order, that has a good one. Where there are only damaged ones, the
  /// first of these without its members: reading it says where the damage is.
  private static func firstRecord(
    _ segments: [SegmentEntry], _ sample: (SegmentEntry) throws -> RecordSample?
  ) throws -> (entry: SegmentEntry, sample: RecordSample)? {
    var left = segments
    var damaged: (entry: SegmentEntry, sample: RecordSample)?
    for _ in 0..<64 {
      guard let entry = left.min(by: { NaturalOrder.precedes($0.name, $1.name) }) else { break }
      if let found = try sample(entry) {
        if found.isObject { return (entry, found) }
        guard found.isDamaged else { throw unsupported(entry, found) }
        damaged = damaged ?? (entry, RecordSample(members: [], framing: found.framing, beginning: found.beginning))
      }
      left.removeAll { $0.name == entry.name }
    }
    return damaged
  }

  /// A layout that somebody named must fit every file.
  private static func asked(
    _ layout: LayoutKind, _ options: LayoutOptions, _ entries: [SegmentEntry]
  ) throws -> NameSurvey {
    let names = LayoutNames(layout, pattern: options.pattern, names: entries.map(\.name))
    let survey = NameSurvey(names, entries)
    try survey.throwRefused()
    if survey.fitsAll { return survey }
    let expected = options.pattern.map { shown($0.text) } ?? layout.expected
    guard !survey.foreign.isEmpty else { throw noSegments(layout) }
    throw ReplayError(
      .data, "\(counted(survey.foreign.count, "name")) of \(entries.count) do not fit the layout \(layout.rawValue)",
      details: ["expected: \(expected)"] + firstFive(survey.foreign),
      next: "take these files out, or name another --layout or a --segment-pattern")
  }

  /// The first layout that fits all files; plain only where none fits any.
  private static func recognise(_ entries: [SegmentEntry]) throws -> NameSurvey {
    let names = entries.map(\.name)
    var best: NameSurvey?
    for layout in LayoutKind.recognised {
      let survey = NameSurvey(LayoutNames(layout, careful: true, names: names), entries)
      if survey.fitsAll { return survey }
      if survey.foreign.isEmpty { try survey.throwRefused() }
      if survey.fitting > best?.fitting ?? 0 { best = survey }
    }
    guard let best else { return NameSurvey(LayoutNames(.plain), entries) }
    try best.throwRefused()
    guard !best.foreign.isEmpty else { throw noSegments(best.names.layout) }
    let layout = best.names.layout
    throw ReplayError(
      .data,
      "\(counted(best.fitting, "file")) of \(entries.count) look like the layout \(layout.rawValue), the others do not",
      details: ["expected: \(layout.expected)"] + firstFive(best.foreign),
      next: "take the others out, or say what all are: --layout plain, or --segment-pattern")
  }

  private static func noSegments(_ layout: LayoutKind) -> ReplayError {
    ReplayError(
      .missing, "the archive holds no segments, only files that go beside segments (layout \(layout.rawValue))",
      next: "check that the files with the values were copied too")
  }

  private static func unsupported(_ entry: SegmentEntry, _ found: RecordSample) -> ReplayError {
    ReplayError(
      .missing, "this content is not supported yet: \(shown(entry.name))",
      details: ["found:    \(found.foreignContent)", "expected: JSON objects, plain or in gzip or zstd"],
      next: found.isText
        ? "let the writer write JSON (the Aiven sink: format.output.type=jsonl), or leave this file out"
        : "leave this file out with a glob or --files-from, or convert it to JSON lines")
  }
}

/// What one layout makes of all the names.
struct NameSurvey {
  let names: LayoutNames
  var segments: [SegmentEntry] = []
  var parsed: [ParsedName] = []
  var keys: [SegmentEntry] = []
  var foreign: [String] = []
  var refused: [(name: String, why: String)] = []
  private var others = 0

  init(_ names: LayoutNames, _ entries: [SegmentEntry]) {
    self.names = names
    for entry in entries {
      switch names.read(entry.name) {
      case .segment(let name):
        segments.append(entry)
        parsed.append(name)
      case .keys: keys.append(entry)
      case .headers, .manifest: others += 1
      case .refused(let why): refused.append((entry.name, why))
      case .foreign: foreign.append(entry.name)
      }
    }
  }

  var fitsAll: Bool { foreign.isEmpty && refused.isEmpty && !segments.isEmpty }

  /// Files that could only be this layout's. A manifest alone proves nothing.
  var fitting: Int { segments.count + keys.count + refused.count }

  func throwRefused() throws {
    guard let first = refused.first else { return }
    throw ReplayError(
      .data, "\(counted(refused.count, "file")) of this layout cannot be replayed",
      details: [first.why] + firstFive(refused.map(\.name)),
      next: "leave them out by a glob or --files-from, if the function needs no deletions")
  }
}
