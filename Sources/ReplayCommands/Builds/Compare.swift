import ArgumentParser
import ReplayCore
import ReplaySQL

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare a build with the one that serves, row by row, at the same position.",
    discussion: """
      \(Root.toolName) compare --function F --store S

      Both builds may be followed meanwhile: the new one is held for a moment where the serving one was, and goes on. \
      Reads both builds' tables once, in key order. What it comes to is kept, for cutover.
      """)

  @OptionGroup var target: BuildOptions
  @Option(help: "The build to compare (default: the one that is being built, else the one that served before).")
  var build: Int?
  @Option(help: "Leave this column out, as COLUMN or TABLE.COLUMN; repeat it for several.")
  var ignore: [String] = []
  @Option(help: "How many differing rows of each table are shown.")
  var rows = 10
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    if !(0...1_000_000).contains(rows) { throw ValidationError("--rows must be from 0 to 1,000,000.") }
  }

  func run() throws {
    output.apply()
    let inspector = try target.store.inspector()
    let builds = try target.builds(inspector)
    guard let serving = builds.serving else { throw ReplayError(.unexpected, "no build of \(target.function) serves") }
    let chosen = try target.chosen(
      build, or: builds.building ?? builds.previous, of: builds, "beside the one that serves")
    if chosen.number == serving.number {
      throw ReplayError(
        .usage, "build \(chosen.number) of \(target.function) serves", effect: "nothing was compared",
        next: "name another one with --build; `replay status` lists them")
    }
    let began = Clock.milliseconds()
    let ignored = try IgnoredColumns(ignore)
    try ignored.check(
      try inspector.snapshot(of: target.function) { snapshot in
        try [serving, chosen].flatMap { try snapshot.shapes(of: $0.number) }
      })
    let comparing = BuildComparing(
      inspector, beside: try target.store.inspector(), old: serving, new: chosen,
      patience: Int64(target.store.lockTimeout) * 1000)
    let found = try comparing.run { table in
      TableComparison(ignoring: ignored.columns(of: table), shownRows: rows) { Signals.stop.isStopped }
    }
    let account = BuildDifference(old: serving, new: chosen, tables: found, ignored: ignore)
    try inspector.record(account.comparison(at: Clock.utc), of: chosen)
    try account.say(milliseconds: Clock.milliseconds() - began)
  }
}

/// Brings two builds to the same position, and compares them there: the serving one as it was at one moment, the other at a
/// later one, at which it had the same events.
struct BuildComparing {
  private let inspector: any StoreInspector
  /// A connection of its own, since the first is held in its moment.
  private let beside: any StoreInspector
  private let old: StoredBuild
  private let new: StoredBuild
  private let end: Int64

  /// `patience`: how long to wait for the builds to meet, in milliseconds.
  init(
    _ inspector: any StoreInspector, beside: any StoreInspector, old: StoredBuild, new: StoredBuild, patience: Int64
  ) {
    self.inspector = inspector
    self.beside = beside
    self.old = old
    self.new = new
    end = Clock.milliseconds() + patience
  }

  private static let pollMicroseconds: UInt32 = 20_000

  typealias Found = [(table: String, found: TableDifference?)]

  func run(_ comparison: (String) -> TableComparison) throws -> Found {
    defer { try? beside.release(new) }
    while true {
      let found = try inspector.snapshot(of: old.function) { snapshot -> Found? in
        let (old, new) = (try snapshot.standing(old.number), try snapshot.standing(new.number))
        switch Lead(of: new, against: old) {
        case .even:
          return try snapshot.differences(self.old.number, self.new.number, later: snapshot, by: comparison)
        case .behind: return try later(snapshot, old, comparison)
        case .ahead, .mixed:
          // It waits where it is until the other has come there.
          try beside.hold(self.new, at: new.next.merging(old.next) { max($0, $1) }, now: SystemTime.now())
          return nil
        case .apart(let why): throw unmet([why])
        }
      }
      if let found { return found }
      try pause()
    }
  }

  /// The new build comes to where the old one is in `snapshot`.
  private func later(_ snapshot: BuildSnapshot, _ old: BuildStanding, _ comparison: (String) -> TableComparison) throws
    -> Found?
  {
    while true {
      try beside.hold(new, at: old.next, now: SystemTime.now())
      let found = try beside.snapshot(of: new.function) { later -> (found: Found?, isPast: Bool) in
        switch Lead(of: try later.standing(new.number), against: old) {
        case .even: (try snapshot.differences(old.build.number, new.number, later: later, by: comparison), true)
        case .behind: (nil, false)
        default: (nil, true)
        }
      }
      if found.isPast { return found.found }
      try pause()
    }
  }

  private func pause() throws {
    if Signals.stop.isStopped { throw ExitCode(128 + Signals.signal) }
    guard Clock.milliseconds() < end else {
      let now = try beside.snapshot(of: old.function) { $0.standings }
      let (a, b) = (now.first { $0.build.number == old.number }, now.first { $0.build.number == new.number })
      throw unmet(a.flatMap { a in b.map { Lead(of: $0, against: a).words($0, a) } } ?? [])
    }
    usleep(BuildComparing.pollMicroseconds)
  }

  private func unmet(_ details: [String]) -> ReplayError {
    ReplayError(
      .temporary, "build \(new.number) and build \(old.number) of \(old.function) have not the same events",
      details: details, effect: "nothing was compared",
      next: "let the runs of both go on until they have (--lock-timeout says how long to wait), then compare again")
  }
}
