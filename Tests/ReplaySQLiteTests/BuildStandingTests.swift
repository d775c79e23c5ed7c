import ReplayCore
import ReplaySQL
import Testing

/// Whether readers may be pointed at another build, as a table.
@Suite struct BuildStandingTests {
  static let archive = Partition(log: "retail", side: .archive, id: "0")
  static let one = Partition(log: "retail", side: .live, id: "1")
  static let two = Partition(log: "retail", side: .live, id: "2")

  static func standing(
    _ number: Int, _ next: [Partition: UInt64], live: Bool = true, left: Int = 0,
    compared: (with: Int, differing: UInt64)? = nil
  ) -> BuildStanding {
    let comparison = compared.map {
      StoredBuild.Comparison(with: $0.with, time: "then", rows: 9, differing: $0.differing, ignored: "")
    }
    return BuildStanding(
      StoredBuild("f", number: number, state: number == 1 ? .serving : .building, since: "", comparison: comparison),
      phase: live ? .live : .archive, next: next.mapValues { Position($0) }, left: left)
  }

  struct Example: CustomTestStringConvertible, Sendable {
    let what: String
    let serving: BuildStanding
    let target: BuildStanding
    let lead: Lead
    var testDescription: String { what }
  }

  static let examples = [
    Example(
      what: "the same positions", serving: standing(1, [one: 5, two: 7]), target: standing(2, [one: 5, two: 7]),
      lead: .even),
    Example(
      what: "behind in one partition", serving: standing(1, [one: 5, two: 7]), target: standing(2, [one: 5, two: 6]),
      lead: .behind([two])),
    Example(
      what: "a partition that it does not know", serving: standing(1, [one: 5, two: 7]), target: standing(2, [one: 5]),
      lead: .behind([two])),
    Example(
      what: "further in one", serving: standing(1, [one: 5, two: 7]), target: standing(2, [one: 6, two: 7]),
      lead: .ahead),
    Example(
      what: "further in one and behind in the other", serving: standing(1, [one: 5, two: 7]),
      target: standing(2, [one: 6, two: 6]), lead: .mixed(behind: [two])),
    Example(
      what: "where the archive ended does not matter once both follow",
      serving: standing(1, [archive: 100, one: 5]), target: standing(2, [archive: 900, one: 5]), lead: .even),
    Example(
      what: "both of an archive", serving: standing(1, [archive: 9], live: false),
      target: standing(2, [archive: 9], live: false), lead: .even),
    Example(
      what: "not through with the archive", serving: standing(1, [archive: 9], live: false),
      target: standing(2, [archive: 8], live: false), lead: .behind([archive])),
    Example(
      what: "one follows, and the other has only the archive", serving: standing(1, [archive: 9], live: false),
      target: standing(2, [archive: 9, one: 3]), lead: .ahead),
    Example(
      what: "the one that serves follows, the other reads its archive", serving: standing(1, [archive: 9, one: 3]),
      target: standing(2, [archive: 9], live: false),
      lead: .apart("build 2 reads the archive, build 1 follows the stream")),
    Example(
      what: "nothing at all", serving: standing(1, [:], live: false), target: standing(2, [:], live: false), lead: .even
    ),
  ]

  @Test(arguments: examples) func lead(_ one: Example) {
    #expect(Lead(of: one.target, against: one.serving) == one.lead)
  }

  @Test func whatStandsAgainstIt() {
    let serving = Self.standing(1, [Self.one: 5], left: 2)
    let refusal = { (target: BuildStanding, needsProof: Bool) in
      SwitchRefusal(from: serving, to: target, needsProof: needsProof)
    }
    let even: [Partition: UInt64] = [Self.one: 5]
    #expect(refusal(Self.standing(2, even), true) == .uncompared)
    #expect(refusal(Self.standing(2, even), false) == nil)
    #expect(refusal(Self.standing(2, even, compared: (1, 0)), true) == nil)
    #expect(refusal(Self.standing(2, even, compared: (7, 0)), true) == .uncompared, "compared with another one")
    #expect(refusal(Self.standing(2, even, left: 2, compared: (1, 0)), true) == nil, "as many are left")
    #expect(refusal(Self.standing(2, even, left: 3, compared: (1, 0)), true) == .leftEvents(3))
    #expect(refusal(Self.standing(2, [Self.one: 4], compared: (1, 0)), true) == .behind(.behind([Self.one])))
    #expect(refusal(Self.standing(2, [Self.one: 4]), false) == .behind(.behind([Self.one])))
    #expect(refusal(Self.standing(2, [Self.one: 6], compared: (1, 0)), true) == nil)
    let part = BuildStanding(
      Self.standing(2, even, compared: (1, 0)).build, phase: .live, next: [Self.one: Position(5)], filter: "types a")
    #expect(refusal(part, true) == .partial("types a"))
    guard case .differs(let found) = refusal(Self.standing(2, even, compared: (1, 3)), true) else {
      return #expect(Bool(false), "3 rows differ")
    }
    #expect(found.differing == 3)
  }
}
