import ArgumentParser
import ReplayArchive
import ReplayCore

/// Shows what a check found, and ends with the exit code that says it too.
struct CheckReport {
  private let account: CheckAccount
  private let archive: OpenedArchive
  private let requireIntegrity: Bool

  init(_ account: CheckAccount, _ archive: OpenedArchive, requireIntegrity: Bool) {
    self.account = account
    self.archive = archive
    self.requireIntegrity = requireIntegrity
  }

  /// Throws where a segment fails, and the exit code 3 where something was found that a flag allows.
  func show() throws {
    for verdict in account.verdicts {
      if Console.shared.isJSON {
        Console.shared.event("segment", CheckReport.json(verdict))
      } else {
        Console.shared.data(line(verdict))
      }
      for problem in verdict.problems {
        for line in problem.description.split(separator: "\n") { Console.shared.say(String(line)) }
      }
    }
    for line in summary { Console.shared.say("replay: \(line)") }
    Console.shared.event("summary", json)
    try end()
  }

  private func line(_ verdict: SegmentVerdict) -> String {
    let words = verdict.kind.rawValue + String(repeating: " ", count: 10 - verdict.kind.rawValue.count)
    let reasons =
      verdict.problems.map { CheckReport.reason($0, verdict.segment) } + verdict.allowed.map(\.detail) + verdict.doubts
      + verdict.notes
    let about = reasons.isEmpty ? "" : "  (" + reasons.joined(separator: "; ") + ")"
    return "\(words)  \(verdict.segment.name)  \(Words.plural(verdict.facts.events, "event"))\(about)"
  }

  /// What is wrong and where, without the file's name, which stands before it.
  private static func reason(_ problem: ReplayError, _ segment: Segment) -> String {
    let name = ": \(segment.name)"
    let summary = problem.summary.hasSuffix(name) ? String(problem.summary.dropLast(name.count)) : problem.summary
    return ([summary] + problem.details.filter { !$0.hasPrefix("partition: ") }.prefix(2)).joined(separator: ": ")
  }

  private var events: UInt64 { account.verdicts.reduce(0) { $0 + $1.facts.events } }

  private var summary: [String] {
    let seconds = Words.seconds(account.milliseconds)
    let decompressed = account.verdicts.reduce(0) { $0 + ($1.facts.summary?.decompressedBytes ?? 0) }
    let perSecond = decompressed * 1000 / UInt64(max(1, account.milliseconds))
    var lines = [
      "checked \(Words.plural(account.verdicts.count, "segment")), \(Words.plural(events, "event")), "
        + "\(Words.bytes(archive.plan.bytes)) in \(seconds) (\(Words.bytes(perSecond))/s decompressed): "
        + "\(account.count(.pass)) pass, \(account.count(.unprovable)) unprovable, \(account.count(.fail)) fail"
    ]
    lines += account.notes.map { "note      \($0)" }
    let doubts = Dictionary(grouping: account.verdicts.flatMap(\.doubts)) { $0 }
    for (doubt, found) in doubts.sorted(by: { $0.key < $1.key }) where found.count > 1 || doubts.count < 5 {
      lines.append("doubt     \(Words.plural(found.count, "segment")): \(doubt)")
    }
    return hotKeys + lines
  }

  private var hotKeys: [String] {
    let top = account.keys.top(Console.shared.isVerbose ? 10 : 3)
    guard let first = top.first, account.keys.total > 0 else { return [] }
    let doubt = account.keys.uncertainty > 0 ? " (each may be up to \(Words.count(account.keys.uncertainty)) more)" : ""
    var lines = [
      "largest partition keys\(doubt); the largest one, \(share(first.count))% of all events, bounds the time of a "
        + "function that needs order"
    ]
    lines += top.map { "  \(share($0.count))%  \(Words.count($0.count))  \(CheckReport.printable($0.key))" }
    return lines
  }

  private func share(_ count: UInt64) -> String {
    Words.fixed(Double(count) * 100 / Double(max(1, account.keys.total)), 2)
  }

  private static func printable(_ key: String) -> String {
    var key = key
    return key.withUTF8 { ReplayError.excerpt(Text(UnsafeRawBufferPointer($0))) }
  }

  private func end() throws {
    let failed = account.verdicts.filter { $0.kind == .fail || (requireIntegrity && $0.kind == .unprovable) }
    guard !failed.isEmpty else {
      let isAllowed = account.verdicts.contains { !$0.allowed.isEmpty }
      if isAllowed { throw ExitCode(ReplayError.Code.incomplete.rawValue) }
      return
    }
    let code = failed.flatMap(\.problems).map(\.code).first { $0 != .data }
    var names = failed.prefix(5).map { "\($0.kind.rawValue): \($0.segment.name)" }
    if failed.count > 5 { names.append("and \(failed.count - 5) more") }
    throw ReplayError(
      code ?? .data,
      "\(Words.count(failed.count)) of \(Words.plural(account.verdicts.count, "segment")) failed the check",
      details: names, effect: "nothing was changed",
      next: "mend or fetch these files again; what is wrong with each is said above and by --json")
  }
}

extension CheckReport {
  private static func json(_ verdict: SegmentVerdict) -> [(String, JSONText)] {
    let facts = verdict.facts
    return [
      ("segment", .string(verdict.segment.name)), ("log", .string(verdict.segment.partition.log)),
      ("partition", .string(verdict.segment.partition.name)), ("verdict", .string(verdict.kind.rawValue)),
      ("events", .number(facts.events)), ("compressed_bytes", .number(verdict.segment.entry.size)),
      ("decompressed_bytes", facts.summary.map { .number($0.decompressedBytes) } ?? .null),
      ("frames", facts.summary.map { .number($0.frames) } ?? .null),
      ("frames_without_checksum", facts.summary.map { .number($0.framesWithoutChecksum) } ?? .null),
      ("without_key", .number(facts.withoutKey.count)), ("without_time", .number(facts.withoutTime)),
      ("bad_times", .number(facts.badTime.count)), ("malformed_records", .number(facts.malformed.count)),
      ("records_with_a_member_twice", .number(facts.twins)), ("time_inversions", .number(facts.timeInversions)),
      ("first_time", .optional(facts.firstTime?.description)), ("last_time", .optional(facts.lastTime?.description)),
      (
        "problems",
        .array(
          verdict.problems.map {
            .object([("message", .string($0.summary)), ("details", .array($0.details.map { .string($0) }))])
          })
      ),
      ("doubts", .array(verdict.doubts.map { .string($0) })), ("notes", .array(verdict.notes.map { .string($0) })),
      (
        "allowed",
        .array(
          verdict.allowed.map {
            .object([
              ("kind", .string($0.kind.rawValue)), ("count", .number($0.count)), ("detail", .string($0.detail)),
            ])
          })
      ),
    ]
  }

  private var json: [(String, JSONText)] {
    [
      ("verdict", .string(account.count(.fail) > 0 ? "fail" : account.count(.unprovable) > 0 ? "unprovable" : "pass")),
      ("segments", .number(account.verdicts.count)), ("pass", .number(account.count(.pass))),
      ("unprovable", .number(account.count(.unprovable))), ("fail", .number(account.count(.fail))),
      ("events", .number(events)), ("compressed_bytes", .number(archive.plan.bytes)),
      ("milliseconds", .number(account.milliseconds)), ("notes", .array(account.notes.map { .string($0) })),
      ("largest_keys_uncertainty", .number(account.keys.uncertainty)),
      (
        "largest_keys",
        .array(
          account.keys.top(10).map {
            .object([
              ("key", .string($0.key)), ("events", .number($0.count)),
              ("share", .real(Double($0.count) / Double(max(1, account.keys.total)))),
            ])
          })
      ),
    ]
  }
}
