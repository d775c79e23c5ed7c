import ReplayCore

/// How the archive differs from a plan that was made before.
public struct PlanDifference: Sendable, Hashable {
  public struct Change: Sendable, Hashable {
    public let name: String
    public let planned: String
    public let found: String
  }

  /// Names of segments that are planned and no longer there.
  public var missing: [String] = []
  /// Names of segments that were not there when the plan was made.
  public var added: [String] = []
  public var changed: [Change] = []
  /// True where the anatomy or the separation of keys is another.
  public var anatomyChanged = false

  public var isEmpty: Bool { missing.isEmpty && added.isEmpty && changed.isEmpty && !anatomyChanged }

  /// Nil where nothing differs; else the one error that `replay apply` stops with.
  public var error: ReplayError? {
    guard !isEmpty else { return nil }
    var details: [String] = []
    if anatomyChanged { details.append("the parts of an event are read from other places than planned") }
    if !missing.isEmpty { details += ["planned, but no longer there:"] + firstFive(missing) }
    if !added.isEmpty { details += ["not in the plan:"] + firstFive(added) }
    if !changed.isEmpty {
      details.append("changed since the plan was made:")
      details += changed.prefix(5).flatMap {
        ["\(shown($0.name))", "  planned: \(shown($0.planned))", "  found:   \(shown($0.found))"]
      }
      if changed.count > 5 { details.append("and \(changed.count - 5) more") }
    }
    return ReplayError(
      .data, "the archive is not the one that was planned", details: details,
      effect: "nothing was read or committed", next: "make a new plan with `replay plan` and look at it")
  }
}

extension ArchivePlan {
  /// One line for the anatomy, then one per segment in the plan's order; fields are separated by tabs, and tabs, line
  /// ends and backslashes within them are escaped. Equal plans have equal lines.
  public var fingerprintLines: [String] {
    let paths = [anatomy.key, anatomy.type, anatomy.time, anatomy.id].map(\.description)
    let head = [
      "anatomy", anatomy.payload?.description ?? "", anatomy.payloadEncoding.rawValue,
      anatomy.position?.description ?? "", partitionsSeparateKeys ? "separate" : "mixed",
    ]
    return [PlanLine.join(head + paths)] + partitions.flatMap { $0.segments.map(PlanLine.init).map(\.text) }
  }

  /// What differs between this plan and the lines of an earlier one. Lines that are no plan's count as missing
  /// segments.
  public func difference(from lines: [String]) -> PlanDifference {
    var difference = PlanDifference()
    let now = fingerprintLines
    difference.anatomyChanged = lines.first != now.first
    var planned: [String: String] = [:]
    for line in lines.dropFirst() { planned[PlanLine.name(of: line)] = line }
    for line in now.dropFirst() {
      let name = PlanLine.name(of: line)
      guard let before = planned.removeValue(forKey: name) else {
        difference.added.append(name)
        continue
      }
      if before != line {
        difference.changed.append(
          .init(name: name, planned: PlanLine.facts(of: before), found: PlanLine.facts(of: line)))
      }
    }
    difference.missing = planned.keys.sorted(by: NaturalOrder.precedes)
    return difference
  }
}

/// One segment as a line of a plan: name, then everything that must not change.
struct PlanLine {
  let text: String

  init(_ segment: Segment) {
    let numbering =
      switch segment.numbering {
      case .counted(let start): "from \(start)"
      case .explicit: "own numbers"
      case .place(let place): "place \(place)"
      }
    let facts = [
      "\(segment.entry.size) bytes", "version \(segment.entry.version)", "partition \(segment.partition)", numbering,
      segment.firstNumber.map { "first \($0)" } ?? "", segment.lastNumber.map { "last \($0)" } ?? "",
      PlanLine.beside("keys", segment.keysEntry), PlanLine.beside("headers", segment.headersEntry),
    ]
    text = PlanLine.join([segment.name] + facts.filter { !$0.isEmpty })
  }

  private static func beside(_ word: String, _ entry: SegmentEntry?) -> String {
    entry.map { "\(word) \($0.name), \($0.size) bytes, version \($0.version)" } ?? ""
  }

  static func join(_ fields: [String]) -> String { fields.map(escaped).joined(separator: "\t") }

  private static func escaped(_ field: String) -> String {
    var text = ""
    for scalar in field.unicodeScalars {
      switch scalar {
      case "\\": text += "\\\\"
      case "\t": text += "\\t"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }

  /// The name as it stands in the line, escapes and all: enough to compare and to show.
  static func name(of line: String) -> String { String(line.prefix { $0 != "\t" }) }

  static func facts(of line: String) -> String {
    line.split(separator: "\t", omittingEmptySubsequences: false).dropFirst().joined(separator: ", ")
  }
}
