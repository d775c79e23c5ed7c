/// How the tool that wrote an archive names its files.
public enum LayoutKind: String, Sendable, Hashable, CaseIterable {
  case confluent, aiven, lenses, firehose, gharchive, kcr, plain, pattern

  /// Layouts that names can prove, the most specific first: a GH Archive hour would also fit Aiven's shape.
  static let recognised: [LayoutKind] = [.confluent, .firehose, .gharchive, .kcr, .lenses, .aiven]

  /// The tool, as a person knows it.
  public var writer: String {
    switch self {
    case .confluent: "Confluent S3 sink"
    case .aiven: "Aiven S3 sink"
    case .lenses: "Lenses Stream Reactor"
    case .firehose: "Amazon Data Firehose"
    case .gharchive: "GH Archive"
    case .kcr: "Nordstrom kcr cassette"
    case .plain: "plain files in natural order"
    case .pattern: "--segment-pattern"
    }
  }

  /// What a name must look like.
  public var expected: String {
    switch self {
    case .confluent: "…/<topic>/partition=<n>/<topic>+<n>+<start>.<extension>"
    case .aiven: "<topic>-<partition>-<start>[.<extension>]"
    case .lenses: "<topic>/<partition>/<last>[_<ms>_<ms>].<extension> or <topic>(<partition>_<last>).<extension>"
    case .firehose: "<prefix><stream>-<version>-YYYY-MM-DD-HH-mm-SS-<uuid>[.<extension>]"
    case .gharchive: "YYYY-MM-DD-H.json.gz"
    case .kcr: "kcr-<topic>-<date>-<time>/<topic>-<n>"
    case .plain: "any file"
    case .pattern: "a name that the pattern fits"
    }
  }
}

/// Where the positions of a layout's events come from.
public enum NumberingKind: String, Sendable, Hashable {
  /// The name says the first number, each record adds one.
  case counted
  /// Each record carries its own.
  case explicit
  /// The file's place is the number.
  case place
}

/// How well the archive proves the order of the events of one key.
public enum OrderStrength: String, Sendable, Hashable {
  case exact, names, none

  public var sentence: String {
    switch self {
    case .exact: "order: exact, by the source's own positions within each partition"
    case .names: "order: the names' natural order is taken for the order of the events; nothing proves it"
    case .none: "order: no keys, no positions, no order within a key; files are read by the time in their name"
    }
  }
}

/// How well the archive knows the position after its last event, where a live stream would go on.
public enum EndStrength: String, Sendable, Hashable {
  case exact
  case lowerBound = "lower-bound"
  case none

  public var sentence: String {
    switch self {
    case .exact: "end: exact, the last event's own number is known"
    case .lowerBound: "end: a lower bound, first number plus records; positions that nobody filled would lie above it"
    case .none: "end: unknown, the archive has no positions of the live stream"
    }
  }
}
