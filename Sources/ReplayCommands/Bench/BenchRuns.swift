import ReplayCore
import ReplayEngine
import ReplaySQLite

/// The times of every stage, taken in turns: ceiling, stages, whole path, ceiling, …, so that what slows the machine for
/// a while slows all of them.
struct BenchRuns {
  private(set) var warmups: [BenchStage: [Timing]] = [:]
  private(set) var timings: [BenchStage: [Timing]] = [:]
  private(set) var decompressedBytes: UInt64 = 0
  private(set) var reports: [RunReport] = []
  /// What each whole run left in the store; empty without a commit.
  private(set) var rows: [[TableRows]] = []
  private(set) var peakMemory: UInt64 = 0

  /// Runs everything. Throws where two runs do not agree on what they read or wrote.
  init(_ bench: BenchCase, warmups count: Int, runs: Int, commits: Bool) throws {
    let stores = commits ? try ScratchStores("bench", otherwise: ", or give --without-commit") : nil
    for turn in 0..<count + runs {
      var line = turn < count ? "warm-up \(turn + 1) of \(count):" : "run \(turn - count + 1) of \(runs):"
      for stage in BenchStage.allCases {
        let timing = try time(stage, bench, stores)
        if turn < count {
          warmups[stage, default: []].append(timing)
        } else {
          timings[stage, default: []].append(timing)
        }
        line += "  \(stage.rawValue) \(Words.fixed(timing.wall, 3)) s"
      }
      Console.shared.say("replay: \(line)")
    }
    peakMemory = Clock.peakMemory
    if let error = BenchRuns.difference(reports.map(BenchRuns.books), rows.map(TableRows.hash)) { throw error }
  }

  private mutating func time(_ stage: BenchStage, _ bench: BenchCase, _ stores: ScratchStores?) throws -> Timing {
    switch stage {
    case .decompress:
      let (bytes, timing) = try Timing.of { try bench.decompress() }
      decompressedBytes = bytes
      return timing
    case .extract: return try Timing.of { try bench.extract() }.timing
    case .function: return try Timing.of { try bench.apply() }.timing
    case .whole:
      guard let stores else { return try whole(bench, into: CountingStore()) }
      return try stores.lend { path in
        let timing = try whole(bench, into: SQLiteStore(path: path))
        rows.append(try bench.rows(in: path))
        return timing
      }
    }
  }

  private mutating func whole(_ bench: BenchCase, into store: any Store) throws -> Timing {
    let (report, timing) = try Timing.of { try bench.run(into: store) }
    reports.append(report)
    return timing
  }

  /// The run's account in one line: the same for every run over the same archive.
  private static func books(_ report: RunReport) -> String {
    report.functions.map { function in
      let total = function.total
      return "\(function.name): \(total.read) read = \(total.applied) applied + \(total.ignored) ignored "
        + "+ \(total.filtered) filtered + \(total.duplicate) duplicate"
    }.joined(separator: "; ")
  }

  /// The error where runs that should be the same are not; each of the lists has one text a run.
  static func difference(_ books: [String], _ hashes: [String]) -> ReplayError? {
    let (what, texts) = Set(books).count > 1 ? ("read", books) : ("wrote", hashes)
    guard Set(texts).count > 1 else { return nil }
    return ReplayError(
      .unexpected, "two runs over the same archive \(what) not the same",
      details: texts.enumerated().map { "whole run \($0 + 1): \($1)" },
      next: "look for a clock, a random number or state in the function; if it has none, please report this")
  }
}
