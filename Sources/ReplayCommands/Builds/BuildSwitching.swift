import ReplayCore
import ReplaySQL

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The shell around one switch: tries until readers are out of the way and the build has caught up.
struct BuildSwitching {
  private let target: BuildOptions
  private let inspector: any StoreInspector
  private let verb: String
  private let isUnproved: Bool
  private let needsProof: Bool

  init(_ target: BuildOptions, _ inspector: any StoreInspector, verb: String, isUnproved: Bool, needsProof: Bool) {
    self.target = target
    self.inspector = inspector
    self.verb = verb
    self.isUnproved = isUnproved
    self.needsProof = needsProof
  }

  private struct Refused: Error {
    let refusal: SwitchRefusal
    let from: BuildStanding
    let to: BuildStanding
  }

  func point(at build: StoredBuild) throws {
    if build.state == .serving {
      Console.shared.say("replay: nothing to do: build \(build.number) of \(build.function) serves")
      return
    }
    try inspector.equipBuild(of: build.function, build.number)
    let end = Clock.milliseconds() + Int64(target.store.lockTimeout) * 1000
    var (wait, tries): (UInt32, Int) = (10_000, 0)
    var held: StoredBuild?
    defer { if let held { try? inspector.release(held) } }
    while true {
      tries += 1
      let began = Clock.milliseconds()
      do {
        let overridden = Overridden()
        let done = try attempt(build, overridden)
        for line in overridden.words { Console.shared.say("replay: unproved  \(line)") }
        return say(done.serving, done.kept, milliseconds: Clock.milliseconds() - began, tries: tries)
      } catch let refused as Refused {
        guard case .behind(let lead) = refused.refusal, lead.mayEnd, Clock.milliseconds() < end else {
          throw told(refused)
        }
        // The one that serves waits for the moment that the other needs.
        if held == nil || tries % 16 == 0 {
          try inspector.hold(refused.from.build, at: refused.from.next, now: SystemTime.now())
          held = refused.from.build
        }
      } catch let error as ReplayError where error.code == .temporary {
        guard Clock.milliseconds() < end else { throw inTheWay(error, build) }
        wait = min(wait * 2, 500_000)
      }
      usleep(wait)
    }
  }

  /// What the switch was made against, in words.
  private final class Overridden { var words: [String] = [] }

  private func attempt(
    _ build: StoredBuild, _ overridden: Overridden
  ) throws -> (serving: StoredBuild, kept: StoredBuild) {
    try inspector.switchBuild(
      of: build.function, to: build.number, by: "replay \(verb), \(RunOwner.text(since: SystemTime.now()))",
      now: SystemTime.now()
    ) { from, to in
      guard let refusal = SwitchRefusal(from: from, to: to, needsProof: needsProof) else { return }
      let refused = Refused(refusal: refusal, from: from, to: to)
      guard isUnproved else { throw refused }
      overridden.words = told(refused).details
    }
  }

  private func inTheWay(_ error: ReplayError, _ build: StoredBuild) -> ReplayError {
    ReplayError(
      .temporary, "build \(build.number) of \(build.function) cannot take its place while others use the tables",
      details: ["tried for \(target.store.lockTimeout) s (--lock-timeout)"] + error.details,
      effect: "nothing was changed",
      next: "end transactions that stay open over the tables (pg_stat_activity), then run the same command again")
  }

  private func told(_ refused: Refused) -> ReplayError {
    let (number, serving) = (refused.to.build.number, refused.from.build.number)
    let function = refused.to.build.function
    var error = ReplayError(
      .temporary, "build \(number) of \(function) is not to serve yet",
      effect: "nothing was changed: build \(serving) serves", next: "or say --unproved")
    let compare = "\(Root.toolName) compare --function \(function) --store \(Words.shellQuoted(target.store.store))"
    switch refused.refusal {
    case .behind(let lead):
      error.details = lead.words(refused.to, refused.from)
      error.next = "let its run catch up (run --build \(number)); or say --unproved"
    case .uncompared:
      error.details = ["it was not compared with build \(serving)"]
      error.next = "\(compare); or say --unproved"
    case .differs(let comparison):
      error.details = [
        "compared at \(comparison.time): \(Words.plural(comparison.differing, "row")) of "
          + "\(Words.count(comparison.rows)) differ"
      ]
      error.next = "see \(compare); if that is what the new build is for, say --unproved"
    case .partial(let filter):
      error.details = [
        "it is made of \(filter), build \(serving) of \(refused.from.filter.isEmpty ? "all events" : refused.from.filter)"
      ]
      error.next = "if that is what readers are to see, say --unproved"
    case .leftEvents(let count):
      error.details = [
        "\(Words.plural(count, "event")) could not be applied to it, \(refused.from.left) to build \(serving)"
      ]
      error.next = "see `replay failed list`; or say --unproved"
    }
    return error
  }

  private func say(_ serving: StoredBuild, _ kept: StoredBuild, milliseconds: Int64, tries: Int) {
    Console.shared.say(
      "replay: \(verb): build \(serving.number) of \(serving.function) serves, in one transaction of \(milliseconds) ms"
        + (tries > 1 ? ", at the \(tries). try" : "") + "; build \(kept.number) is kept")
    Console.shared.event(
      verb,
      [
        ("function", .string(serving.function)), ("serving", .number(serving.number)), ("kept", .number(kept.number)),
        ("milliseconds", .number(milliseconds)), ("tries", .number(tries)), ("unproved", .bool(isUnproved)),
      ])
    if let ignored = serving.comparison?.ignored, !ignored.isEmpty, !isUnproved {
      Console.shared.say("replay: it was compared without \(ignored)")
    }
    let rest = "--function \(serving.function) --store \(Words.shellQuoted(target.store.store))"
    Console.shared.say(
      verb == "rollback"
        ? "next: \(Root.toolName) cutover --build \(kept.number) \(rest) (points at build \(kept.number) again)"
        : "next: \(Root.toolName) rollback \(rest) (points back at build \(kept.number))")
  }
}

extension Lead {
  /// A run that goes on may change it.
  var mayEnd: Bool {
    switch self {
    case .behind, .mixed: true
    case .even, .ahead, .apart: false
    }
  }

  func words(_ build: BuildStanding, _ other: BuildStanding) -> [String] {
    switch self {
    case .even: ["both have the same events"]
    case .ahead: ["build \(build.build.number) has more events than build \(other.build.number)"]
    case .apart(let why): [why]
    case .behind(let partitions), .mixed(let partitions):
      partitions.prefix(8).map { partition in
        "partition \(partition): build \(build.build.number) is at \(build.next[partition].map { "\($0)" } ?? "nothing"), "
          + "build \(other.build.number) at \(other.next[partition].map { "\($0)" } ?? "nothing")"
      }
    }
  }
}
