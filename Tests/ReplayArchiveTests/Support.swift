import ReplayArchive
import ReplayCore
import Testing

/// Entries with these names; size and version are made up and equal.
func entries(_ names: String...) -> [SegmentEntry] { entries(names) }
func entries(_ names: [String]) -> [SegmentEntry] { names.map { SegmentEntry(name: $0, size: 10, version: "1") } }

/// A CloudEvent without an envelope.
let cloudEvent = RecordSample(members: ["id", "type", "time", "partitionkey", "data"], nested: ["data": ["n"]])

/// The layout of these names, with this first record in every file.
func detect(
  _ names: [String], layout: LayoutKind? = nil, pattern: String? = nil, sample: RecordSample? = cloudEvent,
  overrides: AnatomyOverrides = AnatomyOverrides()
) throws -> DetectedLayout {
  let options = LayoutOptions(layout: layout, pattern: try pattern.map { try NamePattern($0) }, overrides: overrides)
  return try LayoutDetector.detect(entries: entries(names), options: options) { _ in sample }
}

/// The plan of these names.
func plan(
  _ names: [String], layout: LayoutKind? = nil, pattern: String? = nil, sample: RecordSample? = cloudEvent,
  overrides: AnatomyOverrides = AnatomyOverrides()
) throws -> ArchivePlan {
  let layout = try detect(names, layout: layout, pattern: pattern, sample: sample, overrides: overrides)
  return try ArchivePlanner.plan(entries(names), layout: layout)
}

/// The error that `body` throws; a recorded issue and nil where it throws none.
func failure(_ location: SourceLocation = #_sourceLocation, _ body: () throws -> Void) -> ReplayError? {
  do {
    try body()
  } catch let error as ReplayError {
    return error
  } catch {
    Issue.record("not a ReplayError: \(error)", sourceLocation: location)
    return nil
  }
  Issue.record("no error was thrown", sourceLocation: location)
  return nil
}

func number(_ value: UInt64) -> WideNumber { WideNumber(low: value) }

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Seeded: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
