import ReplayCore
import ReplayEngine

/// What the handoff came to, for a person and as JSON.
struct HandoffAccount {
  private let results: [HandoffResult]
  private let stream: String
  private let functions: [String]
  private let comparison: EventSign.Comparison
  private let milliseconds: Int64
  private let at: String

  init(
    _ results: [HandoffResult], stream: String, functions: [String], comparison: EventSign.Comparison,
    milliseconds: Int64
  ) {
    self.results = results
    self.stream = stream
    self.functions = functions
    self.comparison = comparison
    self.milliseconds = milliseconds
    at = Clock.utc
  }

  var partitions: [Partition] { results.map(\.live) }

  var lines: [String] {
    let kinds = Set(results.filter { $0.archive != nil || $0.kind == .overlap }.map(\.kind.rawValue)).sorted().joined(
      separator: ", ")
    let compared = results.reduce(0) { $0 + $1.compared }
    var lines = [
      "handoff   \(Words.plural(results.count, "partition")), \(kinds), in \(Words.seconds(milliseconds)): "
        + "\(Words.plural(UInt64(compared), "archived event")) read back from the stream and \(comparison == .id ? "of equal ids" : "equal"), hole 0"
        + (results.allSatisfy(HandoffAccount.isProved) ? "" : "; UNPROVED where none was compared")
    ]
    lines += results.map { result in
      let archive = result.kind == .overlap ? nil : HandoffAccount.archive(result)
      let ahead =
        result.ahead.isEmpty ? "" : ", \(result.ahead.count) of them behind that, which are left out"
      let live = "live from \(result.start.firstNumber), \(result.compared) compared\(ahead)"
      return "  \(result.live.name): " + [archive, live].compactMap(\.self).joined(separator: ", ")
    }
    return lines
  }

  /// Something was compared, or there was nothing to hand off: live begins with the partition's first event.
  private static func isProved(_ result: HandoffResult) -> Bool {
    result.compared > 0 || (result.kind == .overlap ? result.start == .zero : result.archive == nil)
  }

  private static func archive(_ result: HandoffResult) -> String {
    guard let end = result.archiveEnd, result.archive != nil else { return "nothing archived" }
    return "archive through \(HandoffAccount.last(end))"
  }

  /// The position just before the next one.
  private static func last(_ next: Position) -> String {
    next.index > 0 ? "\(next.number)" : "what is before \(next.number)"
  }

  /// 16 hexadecimal digits; null where nothing was compared.
  private static func digest(_ value: UInt64, _ result: HandoffResult) -> JSONText {
    let digits = String(value, radix: 16)
    return result.compared == 0 ? .null : .string(String(repeating: "0", count: 16 - digits.count) + digits)
  }

  var json: [(String, JSONText)] {
    [
      ("stream", .string(stream)), ("compared_by", .string(comparison.rawValue)),
      ("functions", .array(functions.map { .string($0) })), ("at", .string(at)),
      ("milliseconds", .number(milliseconds)), ("hole", .number(0)),
      (
        "partitions",
        .array(
          results.map { result in
            .object([
              ("partition", .string(result.live.name)), ("class", .string(result.kind.rawValue)),
              ("archived", .string(result.archive.map { "\($0)" } ?? "")),
              ("archive_next", .string(result.archiveEnd.map { "\($0)" } ?? "")),
              ("live_first", .string("\(result.start.firstNumber)")),
              ("overlap_compared", .number(result.compared)), ("duplicates_dropped", .number(result.compared)),
              ("compared_first", .optional(result.digest.first?.description)),
              ("compared_last", .optional(result.digest.last?.description)),
              ("digest_archived", HandoffAccount.digest(result.digest.archived, result)),
              ("digest_live", HandoffAccount.digest(result.digest.live, result)),
              ("archived_behind_live_first", .number(result.ahead.count)),
              ("hole", .number(0)), ("proved", .bool(HandoffAccount.isProved(result))),
            ])
          })
      ),
    ]
  }
}
