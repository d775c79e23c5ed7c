/// A filter as it was asked for: what a store states of its tables, and what becomes an `EventFilter` once the edges that
/// depend on the archive are known.
public struct FilterRequest: Sendable, Hashable {
  public enum Edge: Sendable, Hashable {
    case time(Timestamp)
    case positions([PartitionEdge])
    /// Where the last so many events of each partition begin, when the function's first run began.
    case last(UInt64)
    /// Where each partition ended then.
    case end
  }

  public var from: Edge?
  public var to: Edge?
  public var types: TextSet?
  public var keys: TextSet?
  public var excludedKeys: TextSet?
  public var sample: KeySample?

  public init() {}

  /// True where an edge depends on what the archive holds.
  public var isRelative: Bool {
    [from, to].contains { edge in
      switch edge {
      case .last?, .end?: true
      default: false
      }
    }
  }

  /// `edges`: those that depend on the archive.
  public func filter(_ edges: FilterEdges) -> EventFilter {
    var filter = EventFilter()
    switch from {
    case .time(let time)?: filter.fromTime = time
    case .positions(let positions)?: filter.fromPositions = positions
    case .last?, .end?: filter.fromPositions = edges.from
    case nil: break
    }
    switch to {
    case .time(let time)?: filter.toTime = time
    case .positions(let positions)?: filter.toPositions = positions
    // A partition that the archive did not have then has nothing before its end.
    case .last?, .end?: filter.toPositions = edges.to + [PartitionEdge(nil, .zero)]
    case nil: break
    }
    (filter.types, filter.keys, filter.excludedKeys, filter.sample) = (types, keys, excludedKeys, sample)
    return filter
  }

  /// The filter in words: the same for the same filter and no other. Empty where nothing is left out. Keys are personal
  /// data: of them their number and a digest are told.
  public var words: String {
    var parts: [String] = []
    if let from { parts.append("from \(from)") }
    if let to { parts.append("to \(to)") }
    if let types { parts.append("types " + types.strings.map(FilterRequest.plain).joined(separator: ", ")) }
    if let keys { parts.append("\(keys.keyWords)") }
    if let excludedKeys { parts.append("without \(excludedKeys.keyWords)") }
    if let sample { parts.append("\(sample) of the keys") }
    return parts.joined(separator: "; ")
  }

  public func statement(_ edges: FilterEdges) -> FilterStatement {
    FilterStatement(words: words, edges: isRelative ? edges.text : "")
  }

  /// A name with anything but letters, digits and `._/-` in quotes, so that no two filters have the same words.
  fileprivate static func plain(_ name: String) -> String {
    let isPlain = name.unicodeScalars.allSatisfy { scalar in
      scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
        || "._/-".unicodeScalars.contains(scalar)
    }
    return isPlain && !name.isEmpty ? name : name.debugDescription
  }
}

extension FilterRequest.Edge: CustomStringConvertible {
  public var description: String {
    switch self {
    case .time(let time): "\(time)"
    case .positions(let edges):
      edges.sorted { ($0.partition ?? "", $0.position) < ($1.partition ?? "", $1.position) }.map { edge in
        edge.partition.map { "\(FilterRequest.plain($0)):\(edge.position)" } ?? "position \(edge.position)"
      }.joined(separator: ", ")
    case .last(let count): "the last \(count) of each partition"
    case .end: "the end of each partition"
    }
  }
}

extension TextSet {
  fileprivate var keyWords: String {
    let digits = String(digest, radix: 16)
    let digest = String(repeating: "0", count: 16 - digits.utf8.count) + digits
    return "\(count) \(count == 1 ? "key" : "keys") (digest \(digest))"
  }
}

/// Edges that depend on the archive, as the function's first run found them.
public struct FilterEdges: Sendable, Hashable {
  public var from: [PartitionEdge] = []
  public var to: [PartitionEdge] = []

  public init() {}

  /// A line for each: `from` or `to`, the position as a store keeps it, the partition.
  public var text: String {
    let lines = [("from", from), ("to", to)].flatMap { word, edges in
      edges.map { "\(word) \($0.position.stored) \($0.partition ?? "")" }
    }
    return lines.joined(separator: "\n")
  }

  /// Nil where another replay wrote it.
  public init?(text: String) {
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
      guard words.count == 3, let position = Position(stored: words[1]) else { return nil }
      let edge = PartitionEdge(words[2], position)
      switch words[0] {
      case "from": from.append(edge)
      case "to": to.append(edge)
      default: return nil
      }
    }
  }
}

/// What a store keeps of a function's filter: its tables hold these events and no others.
public struct FilterStatement: Sendable, Hashable {
  /// For a person, and to tell one filter from another; empty where every event is in the tables.
  public let words: String
  /// The edges that depend on the archive (`FilterEdges.text`); empty where there are none, or nobody knows them now.
  public let edges: String

  public init(words: String = "", edges: String = "") {
    self.words = words
    self.edges = edges
  }

  /// Why a store that says this of the function cannot go on with `other`; nil where it is the same filter.
  public func refusal(of other: FilterStatement, function: String, store: String) -> ReplayError? {
    if words == other.words { return nil }
    let shown = { (words: String) in words.isEmpty ? "every event" : "only \(words)" }
    return ReplayError(
      .config, "the store was filled through another filter for the function \(function)",
      details: ["the store has  \(shown(words))", "this run has   \(shown(other.words))", "store \(store)"],
      next: "give --from, --to, --types, --keys, --exclude-keys and --sample as before, or build it anew with "
        + "`replay rebuild`, replay from the start with --full-refresh, or name another store with --store")
  }
}
